"""One cell of a table: its error, how it compares with the paper's protocol, and its learning curves in numbers."""

import collections
import dataclasses

import numpy as np

from experiments.records.layout import ARITHMETIC, arithmetic_of, arithmetics_sentence, devices_sentence
from experiments.studies.collect import COMPLETE
from experiments.studies.grid import Cell
from experiments.studies.published import TABLE2, paper_error
from experiments.studies.statistics import Interval, labels_needed, mean_along_curve, mean_interval, median_range

THRESHOLDS = (0.10, 0.05)


@dataclasses.dataclass(frozen=True)
class Summary:
    """A cell's numbers over its seeds.

    Attributes:
      cell: the `Cell`.
      wanted: how many seeds the study asks for.
      error: `Interval` of the final test error in %.
      paper: the paper's error in %, if the runs have its protocol, else None.
      labels, epochs: of the runs.
      first, stays: dict from threshold to (median, least, greatest) labels needed; infinite for never.
      along: `Interval` of the mean test error along the curve, in %, of the runs that were tested more than once.
      steps: labels between the tests of a run, each number once, ascending.
    """

    cell: Cell
    wanted: int
    error: Interval
    paper: float | None
    labels: int
    epochs: int
    first: dict
    stays: dict
    along: Interval
    steps: tuple

    @property
    def text(self):
        """The error as a table shows it; with what it stands for, where no number of the paper is beside it."""
        return cell_text(self.error, self.wanted, self.labels, self.epochs, self.paper)


def cell_text(error, wanted, labels, epochs, paper, missing="missing"):
    """`3.71 ± 0.20 (n = 3)` beside a paper's number, else also labels and epochs; `missing` without a run."""
    if error.n == 0:
        return f"{missing} (0 of {wanted})"
    spread = f" ± {error.high - error.mean:.2f}" if error.n > 1 else ""
    count = f"n = {error.n}" if error.n == wanted else f"n = {error.n} of {wanted}"
    protocol = "" if paper is not None else f", {labels} labels, {epochs} epoch{'s' * (epochs != 1)}"
    return f"{error.mean:.2f}{spread} ({count}{protocol})"


def summarise(part, cell, table=TABLE2):
    """The `Summary` of a cell.

    Args:
      part: a `Slice`.
      cell: the `Cell`.
      table: the table of the paper that it may stand beside.
    """
    results = part.results
    runs = list(results.runs(cell).values())
    needed = {t: [labels_needed(*run.curve, t) for run in runs] for t in THRESHOLDS}
    return Summary(
        cell,
        results.study.seeds,
        mean_interval(100 * run.final_error for run in runs),
        paper_number(results, runs, cell, table),
        results.labels,
        results.study.epochs,
        {t: median_range(first for first, _ in pairs) for t, pairs in needed.items() if pairs},
        {t: median_range(stays for _, stays in pairs) for t, pairs in needed.items() if pairs},
        mean_interval(100 * mean_along_curve(*run.curve) for run in runs if len(run.curve[0]) > 1),
        tuple(sorted({int(step) for run in runs for step in np.diff(run.curve[0])})),
    )


def arithmetic_words(results):
    """Sentences on a study whose runs differ in their arithmetic, or in their devices, as a list of texts."""
    found = {}
    for row in results.rows:
        if row.state == COMPLETE:
            mus, archs = found.setdefault(arithmetic_of(row.settings), (set(), set()))
            if row.config.is_bayesian:
                mus.add(row.config.mu_init)
            else:
                archs.add(row.config.arch)
    places = {}
    for words, (mus, archs) in found.items():
        at = [f"at mu_init = {', '.join(f'{mu:g}' for mu in sorted(mus, reverse=True))}"] if mus else []
        of = [f"in {', '.join(sorted(archs))}"] if archs else []
        places[words] = " and ".join(at + of)
    devices = collections.Counter(row.device for row in results.rows if row.state == COMPLETE)
    sentences = arithmetics_sentence(places, " (`runs.csv` has each run's)"), devices_sentence(devices)
    return [sentence for sentence in sentences if sentence]


def paper_number(results, runs, cell, table):
    """The paper's number for these runs' cell, None unless every run has the paper's protocol."""
    numbers = {paper_error(table, cell, run.settings, results.dataset, results.labels) for run in runs}
    return numbers.pop() if len(numbers) == 1 else None


def run_rows(rows):
    """A dict for `runs.csv` for every run of a study, whatever became of it."""
    found = []
    for row in rows:
        complete = row.state == COMPLETE
        found.append(
            {
                **row.cell._asdict(),
                "seed": row.config.seed,
                "state": row.state,
                "labels": f"{row.metrics['labels'][-1]:.0f}" if len(row.metrics.get("labels", ())) else "",
                "test_error": row.final_error if complete else "",
                **{name: row.settings.get(name, "") for name in ARITHMETIC},
                "device": row.device or "",
                "path": str(row.path),
                "why": row.why,
            }
        )
    return found
