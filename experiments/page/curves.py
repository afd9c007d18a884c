"""Learning curves side by side."""

import collections
import operator

import numpy as np

from experiments.page import palette
from experiments.page.charts import Line, card, line_chart
from experiments.page.markup import tag
from experiments.page.text import mean, mu_words


def learning_curves(section):
    """Learning curves in panels: networks, columns and mu_init compared, as far as there are several.

    Args:
      section: a `Section`.

    Returns:
      `Markup`; the first comparison is unfolded.
    """
    groups = section.groups
    several_mu = len({group.mu_init for group in groups} - {None}) > 1

    def with_mu(name):
        def words(group):
            mu = [mu_words(group.mu_init)] if several_mu and group.mu_init is not None else []
            return " · ".join([getattr(group, name), *mu])

        return words

    views = [
        ("Networks compared", groups, with_mu("column"), operator.attrgetter("network"), palette.ARCHITECTURES),
        (section.kind.compared, groups, with_mu("network"), operator.attrgetter("column"), palette.ACQUISITIONS),
        (
            "Initial variances compared",
            _with_several_mu(groups),
            operator.attrgetter("network_and_column"),
            operator.attrgetter("mu_words"),
            {},
        ),
    ]
    useful = [view for view in views if len({view[3](group) for group in view[1]}) > 1] or views[:1]
    return [
        tag("details", tag("summary", title), _panels(*what), class_="fold", open=i == 0)
        for i, (title, *what) in enumerate(useful)
    ]


def _with_several_mu(groups):
    """The groups of those networks and columns that have several initial variances."""
    found = collections.defaultdict(set)
    for group in groups:
        found[group.network_and_column].add(group.mu_words)
    return [group for group in groups if len(found[group.network_and_column]) > 1]


def _panels(groups, panel_of, line_of, colors):
    numbers = {name: i for i, name in enumerate(dict.fromkeys(map(line_of, groups)))}
    cards = []
    for panel in dict.fromkeys(map(panel_of, groups)):
        members = [group for group in groups if panel_of(group) == panel]
        most = max((x for x, values in (g.final("test_error") for g in members) if len(values)), default=0)
        lines = []
        for group in sorted(members, key=lambda group: _rank(group, most)):
            name = line_of(group)
            lines.append(_line(group, name, palette.color(colors, name, numbers[name]), most))
        chart = line_chart(lines, groups[0].kind.x_words, "test error (%)", log_y=True)
        cards.append(card(panel, chart, "test error (%)"))
    return tag("div", cards, class_="cards")


def _rank(group, most):
    """The best first; those that are not as far as the others come last."""
    x, values = group.final("test_error")
    return x != most, values.mean() if len(values) else np.inf


def _line(group, name, color, most):
    x, middle, low, high = group.curve("test_error")
    final, values = group.final("test_error")
    note = mean(values, 100) + (f" at {final:,.0f}" if final != most else "") if len(values) else ""
    band = (100 * low, 100 * high) if len(group.entries) > 1 else None
    return Line(name, x, 100 * middle, color, band, note=note)
