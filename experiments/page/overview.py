"""What a reader sees first: tables of results, and learning curves side by side."""

import numpy as np

from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.uncertainty.acquisitions import ACQUISITIONS
from experiments.page import palette
from experiments.page.charts import Line, line_chart
from experiments.page.collect import position
from experiments.page.markup import tag
from experiments.page.text import minus, mu_words, number, percent, plural

TABLES = (
    ("test_error", "Test error (%)", 100, 2),
    ("test_nll", "Negative log-likelihood (nats)", 1, 3),
    ("test_brier", "Brier score", 1, 3),
    ("test_ece", "Expected calibration error", 1, 3),
)


def results(section, anchors):
    """The tables of final values: errors open, the other scores folded away.

    Args:
      section: a `Section`.
      anchors: dict from `Group` to the id of its details.

    Returns:
      `Markup`.
    """
    first, *rest = (_table(section, anchors, *what) for what in TABLES)
    return [first, tag("details", tag("summary", "Likelihood, Brier score, calibration error"), rest, class_="fold")]


def learning_curves(section):
    """Learning curves in panels: architectures, acquisitions and mu_init compared, as far as there are several."""
    groups = section.groups
    several_mu = len({g.mu_init for g in groups}) > 1
    mu = lambda g: mu_words(g.mu_init)
    context = lambda *parts: lambda g: " · ".join([*(part(g) for part in parts), *([mu(g)] if several_mu else [])])
    arch, acquisition = lambda g: g.arch, lambda g: g.acquisition
    views = [
        ("Architectures compared", context(acquisition), arch, palette.ARCHITECTURES),
        ("Acquisitions compared", context(arch), acquisition, palette.ACQUISITIONS),
        ("Initial variance compared", lambda g: f"{g.arch} · {g.acquisition}", mu, {}),
    ]
    useful = [view for view in views if len({view[2](g) for g in groups}) > 1] or views[:1]
    return [
        tag("details", tag("summary", title), _panels(groups, *how), class_="fold", open=i == 0)
        for i, (title, *how) in enumerate(useful)
    ]


def _panels(groups, panel_of, line_of, colors):
    numbers = {name: i for i, name in enumerate(dict.fromkeys(line_of(g) for g in groups))}
    cards = []
    for panel in dict.fromkeys(panel_of(g) for g in groups):
        members = [g for g in groups if panel_of(g) == panel]
        most = max(g.final("test_error")[0] for g in members)
        lines = [_line(g, line_of(g), palette.color(colors, line_of(g), numbers[line_of(g)]), most) for g in members]
        lines.sort(key=lambda line: np.nan_to_num(line.y[-1], nan=np.inf) if len(line.y) else np.inf)
        cards.append(card(panel, line_chart(lines, "labelled images", "test error (%)", log_y=True), "test error (%)"))
    return tag("div", cards, class_="cards")


def _line(group, name, color, most):
    labels, mean, low, high = group.curve("test_error")
    final, values = group.final("test_error")
    note = percent(values.mean()) + (f" at {final:.0f}" if final != most else "") if len(values) else ""
    band = (100 * low, 100 * high) if len(group.entries) > 1 else None
    return Line(name, labels, 100 * mean, color, band, note=note)


def card(title, body, unit=""):
    """A framed chart with its title."""
    return tag("figure", tag("figcaption", title, tag("span", unit) if unit else None), body, class_="card")


def _table(section, anchors, column, title, factor, digits):
    groups = section.groups
    columns = sorted({g.acquisition for g in groups}, key=lambda name: position(ACQUISITIONS, name))
    rows = sorted({(g.arch, g.mu_init) for g in groups}, key=lambda row: (position(ARCHITECTURES, row[0]), -row[1]))
    cells = {(g.arch, g.mu_init, g.acquisition): (g, *g.final(column)) for g in groups}
    labels = [n for _, n, values in cells.values() if len(values)]
    if not labels:
        return None
    usual = max(set(labels), key=lambda n: (labels.count(n), n))
    tints = _tints({key: values.mean() for key, (_, n, values) in cells.items() if n == usual})
    several_mu = len({mu for _, mu in rows}) > 1
    head = tag(
        "tr", tag("th", "Network"), tag("th", "μ") if several_mu else None, [tag("th", _breakable(c)) for c in columns]
    )
    body = [
        tag(
            "tr",
            tag("th", arch),
            tag("td", minus(f"{mu:g}"), class_="num") if several_mu else None,
            [
                _cell(cells.get((arch, mu, c)), anchors, usual, tints.get((arch, mu, c), 0), factor, digits)
                for c in columns
            ],
        )
        for arch, mu in rows
    ]
    caption = tag("caption", tag("b", title), f" at {number(usual, 4)} labels{_runs_words(groups)}")
    return tag("div", tag("table", caption, tag("thead", head), tag("tbody", body), class_="results"), class_="scroll")


def _cell(found, anchors, usual, tint, factor, digits):
    if found is None:
        return tag("td", "–", class_="num muted")
    group, labels, values = found
    if not len(values):
        return tag("td", "not evaluated", class_="num muted")
    spread = f"± {factor * values.std(ddof=1):.{digits}f}" if len(values) > 1 else None
    notes = [spread, plural(len(values), "run") if len(values) > 1 else None]
    notes.append(f"at {number(labels, 4)} labels" if labels != usual else None)
    small = tag("small", " · ".join(note for note in notes if note)) if any(notes) else None
    value = tag("a", f"{factor * values.mean():.{digits}f}", href=f"#{anchors[group]}")
    return tag("td", value, small, class_="num", style=f"--tint:{tint:.0f}%" if tint else None)


def _tints(values):
    """How strongly a cell is tinted, in percent: the better (smaller), the stronger, on a logarithmic scale."""
    logs = {key: np.log(max(value, 1e-6)) for key, value in values.items()}
    low, high = min(logs.values()), max(logs.values())
    return {key: 5 + 50 * (high - value) / ((high - low) or 1.0) for key, value in logs.items()}


def _breakable(name):
    """A name that may be broken behind an underscore."""
    return [(part, tag("wbr")) if part.endswith("_") else part for part in name.replace("_", "_\0").split("\0")]


def _runs_words(groups):
    if max(len(g.entries) for g in groups) == 1:
        return "; one run each"
    return "; mean ± standard deviation over seeds"
