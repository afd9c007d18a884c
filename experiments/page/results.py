"""Tables of final values: networks against acquisitions, or against ways of inference."""

import collections

import numpy as np

from experiments.page.collect import COMPLETE, position
from experiments.page.markup import tag
from experiments.page.text import mean, plural
from experiments.studies.statistics import labels_needed, median_range

THRESHOLDS = (0.10, 0.05)


def results(section, anchors):
    """The tables of a section: test errors open, the others folded away.

    Args:
      section: a `Section`.
      anchors: dict from `Group` to the id of its details.

    Returns:
      `Markup`.
    """
    first, *rest = (_scores(section.groups, anchors, *score) for score in section.kind.scores)
    needed = _labels_needed(section.groups) if section.kind.x == "labels" else None
    title = "Labels needed, likelihood, calibration" if needed else "Likelihood, calibration, uncertainty"
    others = tag("details", tag("summary", title), tag("div", needed, rest, class_="tables"), class_="fold")
    return [first, others]


def _scores(groups, anchors, column, title, factor, digits):
    finals = {group: group.final(column) for group in groups}
    usual_x = _most_common(x for x, values in finals.values() if len(values))
    if usual_x is None:
        return tag("p", f"{title}: not evaluated.", class_="muted")
    usual = (usual_x, _most_common(len(group.entries) for group in groups))
    tints = _tints({group: values.mean() for group, (x, values) in finals.items() if x == usual_x})
    cells = {
        group: _score(*final, anchors[group], usual, tints.get(group), factor, digits, group.kind)
        for group, final in finals.items()
    }
    return _grid(cells, title, f" {groups[0].kind.where(usual_x)}; {_spread_words(usual[1])}")


def _labels_needed(groups):
    """The labels at which the test error first is at most each threshold: medians over the seeds that are complete."""
    cells = {}
    for group in groups:
        entries = [entry for entry in group.entries if entry.status == COMPLETE]
        if not entries:
            cells[group] = tag("td", "not complete", class_="num muted")
            continue
        medians = [median_range(_first_labels(entry, limit) for entry in entries)[0] for limit in THRESHOLDS]
        many, few = (f"{labels:,.0f}" if np.isfinite(labels) else "–" for labels in medians)
        cells[group] = tag("td", tag("b", many), tag("small", f"{100 * THRESHOLDS[1]:g} %: {few}"), class_="num")
    title = f"Labels needed for a test error of {100 * THRESHOLDS[0]:g} %"
    caption = f", and of {100 * THRESHOLDS[1]:g} %, at first; medians over complete runs; – not reached"
    return _grid(cells, title, caption)


def _first_labels(entry, limit):
    tested = np.isfinite(entry.metrics["test_error"])
    first, _ = labels_needed(entry.metrics["labels"][tested], entry.metrics["test_error"][tested], limit)
    return first


def _grid(cells, title, caption):
    """A table from a dict of cells by `Group`: networks down, columns across."""
    kind = next(iter(cells)).kind
    names = sorted(
        {group.column for group in cells}, key=lambda name: (position(kind.columns, name.split(",")[0]), name)
    )
    places = {(group.network, group.mu_words, group.column): cell for group, cell in cells.items()}
    head = tag("tr", tag("th", "Network"), [tag("th", _breakable(name)) for name in names])
    body = [
        tag(
            "tr",
            tag("th", network, tag("small", mu) if mu else None),
            [places.get((network, mu, name), tag("td", "–", class_="num muted")) for name in names],
        )
        for network, mu in _rows(cells, kind)
    ]
    table = tag("table", tag("thead", head), tag("tbody", body), class_="results", aria_label=title)
    words = tag("p", tag("b", title), caption, class_="caption")
    return tag("div", words, tag("div", table, class_="scroll"), class_="box")


def _rows(groups, kind):
    rows = dict.fromkeys((group.network, group.mu_words) for group in groups)
    return sorted(rows, key=lambda row: position(kind.networks, row[0]))  # stable: the order of mu stays


def _spread_words(runs):
    return "one run each" if runs == 1 else f"mean ± standard deviation of {plural(runs, 'run')}"


def _score(x, values, anchor, usual, tint, factor, digits, kind):
    if not len(values):
        return tag("td", "not evaluated", class_="num muted")
    usual_x, usual_runs = usual
    notes = [
        f"± {factor * values.std(ddof=1):.{digits}f}" if len(values) > 1 else None,
        plural(len(values), "run") if len(values) != usual_runs else None,
        kind.where(x).removesuffix(" labels") if x != usual_x else None,
    ]
    value = tag("a", mean(values, factor, digits), href=f"#{anchor}")
    small = [tag("small", note) for note in notes if note]
    return tag("td", value, small, class_="num", style=None if tint is None else f"--tint:{tint:.0f}%")


def _tints(values):
    """How strongly a cell is tinted, in percent: the better (smaller), the stronger, on a logarithmic scale."""
    logs = {key: np.log(max(value, 1e-6)) for key, value in values.items()}
    low, high = min(logs.values()), max(logs.values())
    return {key: 50 * (high - value) / ((high - low) or 1.0) for key, value in logs.items()}


def _most_common(values):
    """The most frequent value, the largest of them at ties; None if there is none."""
    counts = collections.Counter(values)
    return max(counts, key=lambda value: (counts[value], value)) if counts else None


def _breakable(name):
    """A name that may be broken behind an underscore."""
    first, *rest = name.split("_")
    return [first, [("_", tag("wbr"), part) for part in rest]]
