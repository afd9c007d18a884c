"""How large the initial variance should be: Table 3 and Figure 3 of Zeng et al. 2018.

Source: Zeng, Lesnikowski & Alvarez 2018, section 4.1: the eight networks of its Table 1 with the initial rho around
-3, -5, -9 and -11 (CNN, which has none, once), three acquisition functions, three runs each.

Command: python -m experiments.init_study

Expected (Table 3: test error in % at 1,000 labels at the best mu_init, mean of 3 runs):

                 BNN  BNN-1  BNN-2  BNN-3  BNN1  BNN2  BNN3    CNN
  random        6.07   5.36   5.71   5.88  5.93  5.76  6.56   6.90
  max_entropy   3.28   2.63   3.15   2.87  7.50  4.62  3.44  10.03
  var_ratios    2.74   2.38   2.69   2.89  2.70  2.59  2.97   6.29

The paper chooses mu_init by the errors that it reports; here it is also chosen on other seeds than it is reported on.

Run time: 261 runs of 99 trainings each, about one to several hours a run on two CPU cores (reckoned from
docs/benchmarks.md); those at mu_init -3 are shared with `experiments.layer_position`. Minutes with
--dataset=digits --preset=quick --seeds=1 --max_labels=40 --archs=BNN,BNN-1,BNN1. The same command goes on where it
stopped.

Results are in <output_dir>/init_study/<dataset>/: table3.csv|md|tex, figure3.png, claims.md|csv, cost.csv, runs.csv;
each run's record is where `experiments.al_mnist` keeps it.
"""

import dataclasses
import sys

from bayes_layers.settings import setting
from experiments import entry
from experiments.studies import zeng
from experiments.studies.config import GROUPS, PRESETS, StudyConfig, StudySettings

NAME = "init_study"
ZENG = ("BNN", "BNN-1", "BNN-2", "BNN-3", "BNN1", "BNN2", "BNN3", "CNN")


@dataclasses.dataclass(frozen=True)
class InitStudySettings(StudySettings):
    """Study (lists are separated by commas; --arch=CNN is short for --archs=CNN, and so on)"""

    archs: str = setting(",".join(ZENG), "Architectures, or all.", result=False)
    mus: str = setting("-3,-5,-9,-11", "Values of --mu_init; one is chosen for Table 3.", result=False)


@dataclasses.dataclass(frozen=True)
class InitStudyConfig(InitStudySettings, StudyConfig):
    """Every setting of the study of initial variances."""


def report(results):
    """The files of the report.

    Args:
      results: the study's `Results`.

    Returns:
      Dict from a file's name to its text or bytes.
    """
    from experiments.studies import claims_page
    from experiments.studies.figures import figure3
    from experiments.studies.slices import slices
    from experiments.studies.tuned_table import table3

    parts, mus = slices(results, by_mu=False), results.study.values("mus")
    page = claims_page.write(
        "Initial variance: the claims of Zeng et al. 2018",
        results,
        [(part, zeng.init_claims(part)) for part in parts],
        [(f"Every architecture against BNN ({part.title})", zeng.against_bnn(part, mus)) for part in parts],
    )
    return {**table3(parts), **page, **{f"figure3{part.suffix}.png": figure3(part) for part in parts}}


def work(config):
    """Conducts the study.

    Args:
      config: an `InitStudyConfig`.
    """
    from experiments.studies.study import conduct

    conduct(config, NAME, report)


main = entry.point(work, InitStudyConfig, description=__doc__, groups=(InitStudySettings, *GROUPS[1:]), presets=PRESETS)


if __name__ == "__main__":
    sys.exit(main())
