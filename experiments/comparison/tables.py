"""Tables of numbers over seeds, beside the thesis's: as CSV, Markdown and LaTeX."""

import dataclasses

from experiments.studies.render import latex, to_csv, to_latex, to_markdown
from experiments.studies.statistics import mean_interval


@dataclasses.dataclass(frozen=True)
class Entry:
    """One number of a table.

    Attributes:
      row, column: where it stands.
      values: dict from seed to the number of each run; empty if it was not run.
      thesis: the thesis's number, or None.
      digits: how many decimals are shown.
    """

    row: str
    column: str
    values: dict
    thesis: float | None = None
    digits: int = 1

    @property
    def text(self):
        """`98.6 ± 0.2 (n = 3)`, or `not run`."""
        interval = mean_interval(self.values.values())
        if not interval.n:
            return "not run"
        spread = f" ± {interval.high - interval.mean:.{self.digits}f}" if interval.n > 1 else ""
        return f"{interval.mean:.{self.digits}f}{spread} (n = {interval.n})"

    @property
    def thesis_text(self):
        """The thesis's number as it stands there."""
        return "" if self.thesis is None else f"{self.thesis:g}"


def write(name, title, entries, results, notes=(), more=""):
    """A table in all formats.

    Args:
      name: its files' name.
      title: its heading.
      entries: list of `Entry`.
      results: the `Results` that it was made of.
      notes: contradictions of the thesis that concern it.
      more: Markdown that follows the table.

    Returns:
      Dict from a file's name to its text.
    """
    header, lines = _grid(entries)
    said = "".join(f"- {note}\n" for note in notes)
    notes_text = f"\n## The thesis contradicts itself\n\n{said}" if notes else ""
    markdown = f"# {title}\n\n{caption(results.study)}\n\n{to_markdown(header, lines)}{more}{notes_text}"
    tex = f"% {title}\n\\textit{{{latex(title)}}}\n\n{to_latex(header, lines)}"
    return {f"{name}.md": markdown, f"{name}.tex": tex, f"{name}.csv": to_csv([_row(e, results) for e in entries])}


def caption(study):
    """What the numbers stand for, in a sentence or two."""
    return (
        "Ours: mean over seeds ± half of the 95 % confidence interval (Student's t), on the test images at the last "
        f"epoch. {protocol(study)}. The thesis (columns `thesis`): 100 epochs, 10 to 25 draws."
    )


def protocol(study):
    """The settings that matter most, in words."""
    draws = f"{study.train_samples} draw{'s' * (study.train_samples != 1)} in a training step"
    return (
        f"Runs of {_epochs(study)}, {draws}, {study.num_samples} in prediction, variance = {study.variance}, "
        f"mu_init = {study.mu_init:g}, kl_schedule = {study.kl_schedule}"
    )


def _grid(entries):
    """Header and lines: a row per network, and two columns for each, ours and the thesis's (if it has any)."""
    by_place = {(entry.row, entry.column): entry for entry in entries}
    rows = list(dict.fromkeys(entry.row for entry in entries))
    columns = list(dict.fromkeys(entry.column for entry in entries))
    has_thesis = {c: any(e.thesis is not None for e in entries if e.column == c) for c in columns}
    header = ["", *(text for column in columns for text in ([column, "thesis"] if has_thesis[column] else [column]))]
    lines = []
    for row in rows:
        line = [row]
        for column in columns:
            entry = by_place.get((row, column))
            texts = ["", ""] if entry is None else [entry.text, entry.thesis_text]
            line += texts if has_thesis[column] else texts[:1]
        lines.append(line)
    return header, lines


def _row(entry, results):
    interval = mean_interval(entry.values.values())
    return {
        "row": entry.row,
        "column": entry.column,
        "n": interval.n,
        "wanted": results.study.seeds,
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "deviation": interval.deviation,
        "thesis": entry.thesis,
        "epochs": results.study.epochs,
        "values": " ".join(f"{seed}:{value:.6g}" for seed, value in entry.values.items()),
    }


def _epochs(study):
    """How long runs are, in words."""
    if not study.patience:
        return f"{study.epochs} epochs"
    return f"at most {study.epochs} epochs, ended {study.patience} epochs behind the best on validation images"
