"""How a study begins: which data set, and what `--dry_run` shows."""

from experiments import datasets
from experiments.errors import UserError
from experiments.records.layout import is_record
from experiments.records.paths import record_path
from experiments.studies import collect, grid


def begin(config):
    """Decides on the data set, and answers `--dry_run`.

    Args:
      config: a `StudyConfig`.

    Returns:
      The data set's name, or None if all was said (`--dry_run`).

    Raises:
      UserError: if the data set cannot be had, or a report is wanted and there are no records.
      SettingError: if the data set is too small for the settings.
    """
    if config.report_only:
        dataset = _recorded_dataset(config)
    else:
        from experiments.active_learning.loop import check_budget

        dataset = datasets.resolve(config.dataset, config.data_dir, download=not config.dry_run)
        check_budget(config, dataset)
    if not config.dry_run:
        return dataset
    print(describe(config, dataset))
    return None


def describe(config, dataset):
    """What there is to do, run by run."""
    rows = collect.collect(config, dataset)
    left = sum(_steps_left(row) for row in rows)
    lines = [f"{row.state:<10}{row.path}{f'  ({row.why})' if row.why else ''}" for row in rows]
    complete = sum(row.state == collect.COMPLETE for row in rows)
    return "\n".join([*lines, f"{complete} of {len(rows)} runs are complete; {left:,} minibatch steps are left"])


def _steps_left(row):
    done = len(row.metrics.get("labels", ()))
    if row.state == collect.COMPLETE or done > row.config.last_cycle:
        return 0
    is_fitted_again = row.is_kept and row.config.acquisition != "random"  # its last cycle, to score the pool
    return row.config.training_steps(first_cycle=done - is_fitted_again)


def _recorded_dataset(config):
    """The data set whose records a report is made from: of auto, mnist if there is any record, else digits.

    A run that could not begin leaves an empty directory, which is none.
    """
    names = ("mnist", "digits") if config.dataset == "auto" else (config.dataset,)
    for name in names:
        if any(is_record(record_path(run, name)) for run in grid.runs(config)):
            return name
    where = " or ".join(str(record_path(grid.runs(config)[0], name).parents[3]) for name in names)
    raise UserError(
        f"--report_only finds no record of this study under {where}; give the --output_dir and the settings of its runs"
    )
