"""How far mean-field and full-rank ADVI are from the true posterior of the toy networks, with NUTS as the judge.

Source: the question behind the first conclusion of Zharikov, Isachenko & Bochkarev's report ("variational inference
allows to approximate posterior distribution"), which compares with no exact posterior.

Command: python -m experiments.nuts_comparison          (--quick for a first look)

Expected: nothing is published. Run time: three to ten minutes for each cell and data set on one core.

The mean-field fits are those of split 0 of `python -m experiments.prior_study` (made if they are missing). Results are
in <output_dir>/nuts_comparison/: distances.csv and .md, <dataset>.png. Records hold the draws and all predictive grids.
"""

import pathlib
import sys

from experiments import entry
from experiments.errors import UserError
from experiments.priors import config as study
from experiments.priors.nuts_config import NutsComparisonConfig, NutsSettings

GROUPS = (*study.GROUPS[:1], NutsSettings, *study.GROUPS[1:])

DESCRIPTION = """\
Mean-field and full-rank ADVI against NUTS on toy data.

  python -m experiments.nuts_comparison            every proper prior x hyperprior on moons and circles
  python -m experiments.nuts_comparison --quick    a first look, in minutes

Samples the posterior of the 5-5-2 network of `prior_study`, and says how far the approximations are from it. Settings
are given as --name=value; values below are the defaults."""


def work(config):
    """Makes the records that are missing, and the report from all of them.

    Args:
      config: a `NutsComparisonConfig`.

    Raises:
      UserError: for whatever a user can mend.
    """
    from experiments.records.lock import RecordLock

    directory = pathlib.Path(config.output_dir).expanduser() / "nuts_comparison"
    try:
        for place in (directory, config.nuts_records):
            place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={config.output_dir} cannot be used: {error.strerror}") from error
    with RecordLock(config.nuts_records):
        _make_missing(config, directory)
        count = write_report(config, directory)
    print(f"done: {count} cells; see {directory}/distances.md")


def _make_missing(config, directory):
    """Makes the records that do not exist yet, with a report after each."""
    tf = entry.start_tensorflow()
    tf.get_logger().setLevel("ERROR")  # it takes each cell's own functions for one that is traced again and again
    from experiments.priors import comparison

    for cell in config.cells:
        missing = [d for d in config.dataset_names if comparison.read(config, d, cell) is None]
        comparer = comparison.Comparer(config, cell, _tell_round) if missing else None
        for dataset in missing:
            comparer.make(dataset)
            numbers, _ = comparison.read(config, dataset, cell)
            print(f"{dataset}, {', '.join(cell)}: R-hat {numbers['rhat']:.4f}", file=sys.stderr, flush=True)
            write_report(config, directory)


def write_report(config, directory):
    """Writes tables and pictures of the cells that are there; returns how many they are."""
    from experiments.priors import comparison
    from experiments.records import files
    from experiments.records.lock import RecordLock

    found = {(d, cell): comparison.read(config, d, cell) for d in config.dataset_names for cell in config.cells}
    found = {place: record for place, record in found.items() if record is not None}
    contents = comparison.tables(config, found)
    for dataset in config.dataset_names:
        mine = {cell: record for (name, cell), record in found.items() if name == dataset}
        if mine:
            contents[f"{dataset}.png"] = comparison.picture(dataset, mine)
    with RecordLock(directory):  # one for all protocols
        files.write_files(directory, contents)
    return len(found)


def _tell_round(dataset, rounds, rhat):
    print(f"  {dataset}: round {rounds}, R-hat {rhat:.4f}", file=sys.stderr, flush=True)


main = entry.point(work, NutsComparisonConfig, description=DESCRIPTION, groups=GROUPS, unit="cell")


if __name__ == "__main__":
    sys.exit(main())
