"""A comparison from its settings to its files: run what is missing, read the records, write what they say."""

import pathlib
import sys

from bayes_layers.settings import SettingError
from experiments import datasets, entry
from experiments.comparison.config import GROUPS, PRESETS, ComparisonConfig
from experiments.comparison.results import Cell, Results
from experiments.errors import DataError, RecordInUse, UserError
from experiments.records import files
from experiments.studies.collect import COMPLETE, DAMAGED
from experiments.studies.render import to_csv


def point(name, description, rows, columns, report, *, also=None):
    """Makes the `main` of one table or figure.

    Args:
      name: the result's name, of its directory.
      description: its module's docstring, for `--help`.
      rows: dict from each network in words to the settings of its runs.
      columns: the data sets of the table.
      report: called with the `Results` for a dict from a file's name to its text or bytes.
      also: called with config and `Results` for what is to be made besides the runs, before the report; or None.

    Returns:
      As `entry.point`.
    """
    return entry.point(
        lambda config: conduct(config, name, rows, columns, report, also),
        ComparisonConfig,
        description=description,
        groups=GROUPS,
        presets=PRESETS,
        unit="epoch",
    )


def conduct(config, name, rows, columns, report, also=None):
    """Conducts a comparison; arguments as of `point`, with a `ComparisonConfig` in front.

    Raises:
      SettingError: if nothing of it was chosen.
      UserError: if runs failed, after the report on the others was written.
    """
    cells = [
        Cell(row, dataset, changes)
        for dataset in config.chosen_datasets(columns)
        for row, changes in rows.items()
        if config.is_chosen(changes)
    ]
    if not cells:
        takes = sorted(
            {f"--models={changes['model']} --inferences={changes['inference']}" for changes in rows.values()}
        )
        raise SettingError(
            f"--models={config.models} --inferences={config.inferences} is not valid: {name} has nothing of it; it "
            f"takes {', '.join(takes)}"
        )
    results = Results(config, cells)
    if config.dry_run:
        print(describe(results))
        return
    failures = {}
    if not config.report_only:
        failures = _make([row.config for row in results.rows if row.state != COMPLETE])
        results = Results(config, cells)
        if also:
            failures |= also(config, results)
    directory = pathlib.Path(config.output_dir).expanduser() / "shridhar" / name
    files.write_files(directory, {**report(results), "runs.csv": to_csv(_run_rows(results.rows))})
    _tell(results, directory)
    if failures:
        for what, line in failures.items():
            print(f"failed: {what}: {line}", file=sys.stderr)
        raise UserError(f"{len(failures)} runs failed; mend what is said above and give the same command again")


def describe(results):
    """What there is to do, run by run."""
    lines = [f"{row.state:<10}{row.path}{f'  ({row.why})' if row.why else ''}" for row in results.rows]
    return "\n".join([*lines, _count(results)])


def _make(configs):
    """Makes runs one after the other, those whose data set can be had; a dict from failed ones to a line each."""
    from experiments import image_classification

    absent = _absent({config.dataset: config.data_dir for config in configs})
    failures = {}
    for config in configs:
        if config.dataset in absent:
            continue
        what = f"{config.dataset}, {config.model}, {config.inference}, seed {config.seed}"
        try:
            image_classification.work(config)
        except RecordInUse as error:
            print(f"left to another process: {what}: {error}", file=sys.stderr)
        except UserError as error:
            failures[what] = str(error)
    return failures


def _absent(names):
    """The data sets that cannot be had, which is said; `names` is a dict from name to TFDS's directory."""
    absent = set()
    for name, data_dir in names.items():
        try:
            datasets.load(name, data_dir)
        except DataError as error:
            print(f"not run: {name}: {error}", file=sys.stderr)
            absent.add(name)
    return absent


def _tell(results, directory):
    for row in results.rows:
        if row.state == DAMAGED:
            print(f"left out: {row.why}", file=sys.stderr)
    print(f"{_count(results)}; results: {directory}")


def _count(results):
    rows = results.rows
    return f"{sum(row.state == COMPLETE for row in rows)} of {len(rows)} runs are complete"


def _run_rows(rows):
    return [
        {
            "dataset": row.config.dataset,
            "model": row.config.model,
            "inference": row.config.inference,
            "dropout_layers": row.config.dropout_layers,
            "train_samples": row.config.train_samples,
            "seed": row.config.seed,
            "state": row.state,
            "epochs": "" if row.run is None else len(row.metrics["epoch"]),
            "test_error": float(row.metrics["test_error"][-1]) if row.state == COMPLETE else "",
            "seconds": "" if row.run is None else float(row.metrics["train_seconds"].sum()),
            "path": str(row.path),
            "why": row.why,
        }
        for row in rows
    ]
