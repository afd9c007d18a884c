"""A study from its settings to its report: run what is missing, read the records, write tables, figures and claims."""

import pathlib
import sys

from experiments.errors import UserError
from experiments.records import files
from experiments.studies.collect import COMPLETE, DAMAGED, PARTIAL, Results, collect
from experiments.studies.costs import cost_csv
from experiments.studies.render import to_csv
from experiments.studies.start import begin
from experiments.studies.summaries import run_rows


def conduct(config, name, report):
    """Conducts a study.

    Args:
      config: a `StudyConfig`.
      name: the study's directory under `--output_dir`.
      report: called with the `Results` for a dict from a file's name to its text or bytes.

    Raises:
      UserError: for whatever a user can mend; if runs failed, only after the report on the others was written.
    """
    dataset = begin(config)
    if dataset is None:
        return
    failures = {}
    if not config.report_only:
        from experiments.sweep import failure_lines, sweep

        failures = sweep(config, dataset)
    results = Results(config, dataset, collect(config, dataset))
    directory = pathlib.Path(config.output_dir).expanduser() / name / dataset
    contents = {**report(results), **_common(results)}
    files.write_files(directory, contents)
    _remove_other_slices(directory, contents)
    _tell(results, directory)
    if failures:
        print(*failure_lines(failures), sep="\n", file=sys.stderr)
        raise UserError(
            f"{len(failures)} of {len(results.rows)} runs failed and are missing in the report; "
            "mend what is said above and give the same command again"
        )


def _remove_other_slices(directory, contents):
    """Removes the pictures of slices that are no longer asked for, and nothing else."""
    for figure in {name.partition(",")[0].removesuffix(".png") for name in contents if name.endswith(".png")}:
        for picture in directory.glob(f"{figure},*kl_scale=*,loc_init=*.png"):
            if picture.name not in contents:
                files.remove(picture)


def _common(results):
    complete = [row for row in results.rows if row.state == COMPLETE]
    return {"runs.csv": to_csv(run_rows(results.rows)), "cost.csv": cost_csv(complete)}


def _tell(results, directory):
    if results.study.report_only:
        for row in results.lacking:
            if row.state == DAMAGED or (row.state == PARTIAL and not row.metrics):  # nothing of it could be read
                print(f"left out: {row.why}", file=sys.stderr)
    missing = f", {len(results.lacking)} missing (see runs.csv)" if results.lacking else ""
    complete = len(results.rows) - len(results.lacking)
    print(f"{complete} of {len(results.rows)} runs are complete{missing}; report: {directory}")
