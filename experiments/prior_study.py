"""Priors and hyperpriors on toy data: the report of Zharikov, Isachenko & Bochkarev, "Bayesian Neural Networks".

Source: its section "Priors and hyperpriors influence", Figure 3 and the three conclusions on synthetic data. A 5-5-2
tanh network, fitted by mean-field variational inference to moons and circles; Normal, Laplace, Cauchy and flat priors;
fixed scales, half-Normal, half-Cauchy and inverse-Gamma hyperpriors.

Command: python -m experiments.prior_study          (--quick for a first look)

Expected: the report's best networks have an accuracy of 0.735 on circles (Cauchy, inverse-Gamma) and 0.851 on moons
(Normal, inverse-Gamma), at a noise that it does not state. Run time: about half an hour on two CPU cores; --quick
three minutes.

The same command again makes what is missing. Results are in <output_dir>/prior_study/: accuracy.csv and .md, scales.csv
and .md, sparsity.md, conclusions.md; <dataset>_<prior>_<hyperprior>.png, <dataset>.png, figure3_<dataset>.png.
"""

import sys

from experiments import entry
from experiments.errors import UserError
from experiments.priors.config import GROUPS, PriorStudyConfig

DESCRIPTION = """\
Priors and hyperpriors on toy data (Zharikov, Isachenko & Bochkarev).

  python -m experiments.prior_study            every prior x hyperprior on moons and circles, ten splits
  python -m experiments.prior_study --quick    a first look, in minutes

Fits a 5-5-2 tanh network for each cell and split, unless its record is there, and writes tables, conclusions and
pictures to <output_dir>/prior_study/. Settings are given as --name=value; values below are the defaults."""


def work(config):
    """Makes the records that are missing, and the report from all of them.

    Args:
      config: a `PriorStudyConfig`.

    Raises:
      UserError: for whatever a user can mend.
    """
    from experiments.records.lock import RecordLock

    try:
        config.records.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={config.output_dir} cannot be used: {error.strerror}") from error
    with RecordLock(config.records):
        tf = entry.start_tensorflow()
        tf.get_logger().setLevel("ERROR")  # it takes each cell's own functions for one that is traced again and again
        from experiments.priors.cells import make_missing

        make_missing(config, lambda line: print(line, file=sys.stderr, flush=True))
        write_report(config)
    print(f"done: {len(config.cells)} cells, {config.splits} splits; see {config.directory}/accuracy.md")


def write_report(config):
    """Writes tables, conclusions and pictures from the records."""
    from experiments.priors import conclusions, pictures, report
    from experiments.priors.results import Results
    from experiments.records import files
    from experiments.records.lock import RecordLock

    results = Results(config)
    contents = {**report.tables(results), "conclusions.md": conclusions.page(results), **pictures.pictures(results)}
    with RecordLock(config.directory):  # one for all protocols
        files.write_files(config.directory, contents)


main = entry.point(work, PriorStudyConfig, description=DESCRIPTION, groups=GROUPS, unit="split")


if __name__ == "__main__":
    sys.exit(main())
