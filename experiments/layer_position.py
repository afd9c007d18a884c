"""Where Bayesian layers should be: Table 2 and Figure 2 of Zeng et al. 2018.

Source: Zeng, Lesnikowski & Alvarez 2018, section 4: eight networks, three acquisition functions, three runs
each; MC-Dropout, the ninth here, is quoted there.

Command: python -m experiments.layer_position

Expected (Table 2: test error in % at 1,000 labels, mean of 3 runs; MC Dropout is quoted there from Gal et al. 2017):

                MC-Dropout   BNN  BNN-1  BNN-2  BNN-3  BNN1  BNN2  BNN3    CNN
  random              4.66  6.62   5.58   5.71   6.37  6.62  6.44  6.59   6.90
  max_entropy         1.74  3.67   2.63   3.22   3.28  7.50  4.62  3.58  10.03
  var_ratios          1.64  3.56   2.40   3.00   3.34  2.70  2.84  3.32   6.48

Run time: 81 runs of 99 trainings each, about one to several hours a run on two CPU cores (reckoned from
docs/benchmarks.md); minutes with --dataset=digits --preset=quick --seeds=1 --max_labels=60. The same command goes on
where it stopped.

Results are in <output_dir>/layer_position/<dataset>/: table2.csv|md|tex, figure2.png, claims.md|csv, cost.csv,
runs.csv; each run's record is where `experiments.al_mnist` keeps it.
"""

import sys

from experiments import entry
from experiments.studies import zeng
from experiments.studies.config import GROUPS, PRESETS, StudyConfig

NAME = "layer_position"


def report(results):
    """The files of the report.

    Args:
      results: the study's `Results`.

    Returns:
      Dict from a file's name to its text or bytes.
    """
    from experiments.studies import claims_page
    from experiments.studies.figures import figure2
    from experiments.studies.slices import slices
    from experiments.studies.tables import table2

    parts = slices(results, by_mu=True)
    page = claims_page.write(
        "Layer position: the claims of Zeng et al. 2018",
        results,
        [(part, zeng.position_claims(part)) for part in parts],
        [(f"Every architecture against BNN ({part.title})", zeng.against_bnn(part)) for part in parts],
    )
    return {**table2(parts), **page, **{f"figure2{part.suffix}.png": figure2(part) for part in parts}}


def work(config):
    """Conducts the study.

    Args:
      config: a `StudyConfig`.
    """
    from experiments.studies.study import conduct

    conduct(config, NAME, report)


main = entry.point(work, StudyConfig, description=__doc__, groups=GROUPS, presets=PRESETS)


if __name__ == "__main__":
    sys.exit(main())
