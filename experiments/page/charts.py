"""Charts as inline SVG: lines with bands, bars. Colours are names of variables in `style.css`."""

import dataclasses

import numpy as np
from matplotlib import ticker

from experiments.page.markup import Markup, join, tag
from experiments.page.text import number

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 10, 34


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
      name: for the legend.
      x, y: arrays `[n]`; points whose y is nan are left out.
      color: a colour's name.
      band: `(low, high)`, arrays `[n]`, or None.
      sizes: radii of dots `[n]`, or None for a plain line.
      note: what stands behind the name in the legend.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    color: str
    band: tuple | None = None
    sizes: np.ndarray | None = None
    note: str = ""

    def finite(self):
        """The same line without its missing points."""
        keep = np.isfinite(self.y)
        band = None if self.band is None else tuple(side[keep] for side in self.band)
        sizes = None if self.sizes is None else self.sizes[keep]
        return dataclasses.replace(self, x=self.x[keep], y=self.y[keep], band=band, sizes=sizes)


class _Axis:
    """Maps values to pixels, and knows its ticks."""

    def __init__(self, low, high, start, end, is_log=False):
        self.is_log = is_log
        if is_log:
            self._low, self._high = np.log10(low), np.log10(high)
            ticks = ticker.LogLocator(subs=(1, 2, 5), numticks=50).tick_values(low, high)
        else:
            self._low, self._high = low, high
            ticks = ticker.MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)).tick_values(low, high)
        self._start, self._end = start, end
        self.ticks = [float(t) for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
        if len(self.ticks) > 8:  # many decades: powers of ten alone
            self.ticks = [t for t in self.ticks if f"{t:e}"[0] == "1"]

    def __call__(self, value):
        value = np.log10(value) if self.is_log else value
        share = (np.asarray(value, float) - self._low) / ((self._high - self._low) or 1.0)
        return self._start + share * (self._end - self._start)


def line_chart(lines, x_label, y_label, *, log_y=False, x_range=None, y_range=None, diagonal=False):
    """A chart of lines with its legend.

    Args:
      lines: list of `Line`.
      x_label: what the horizontal axis shows; `y_label` stands above the chart.
      y_label: for those who cannot see the chart, too.
      log_y: a logarithmic axis, if all values are positive and differ by more than a factor of 3.
      x_range, y_range: `(low, high)`, or None for that of the data.
      diagonal: draw the line y = x.

    Returns:
      `Markup`.
    """
    lines = [line.finite() for line in lines]
    shown = [line for line in lines if len(line.x)]
    if not shown:
        return tag("p", "No data.", class_="muted")
    x_axis = _Axis(*(x_range or _range([line.x for line in shown])), LEFT, WIDTH - RIGHT)
    values = [part for line in shown for part in (line.y, *(line.band or ()))]
    log_y = log_y and min(part.min() for part in values) > 0 and _spans_decades(values)
    y_axis = _Axis(*(y_range or _range(values, log_y, pad=True)), HEIGHT - BOTTOM, TOP, log_y)
    reference = (
        tag("line", **_ends(x_axis(0), y_axis(0), x_axis(1), y_axis(1)), class_="diagonal") if diagonal else None
    )
    drawing = [_frame(x_axis, y_axis, x_label), reference, [_drawn(line, x_axis, y_axis) for line in shown]]
    said = "; ".join(f"{line.name}: {number(line.y[0])} to {number(line.y[-1])}" for line in shown)
    return join([_svg(drawing, f"{y_label} against {x_label}. {said}"), _legend(shown)])


def bar_chart(values, x_label, y_label, color):
    """A chart of bars at 0, 1, 2, ... with their values above them."""
    x_axis = _Axis(-0.5, len(values) - 0.5, LEFT, WIDTH - RIGHT)
    y_axis = _Axis(0, 1.15 * max(1, max(values)), HEIGHT - BOTTOM, TOP)
    x_axis.ticks = list(range(len(values)))
    width = 0.7 * (WIDTH - LEFT - RIGHT) / len(values)
    bars = [
        (
            tag("rect", x=_px(x_axis(i) - width / 2), y=_px(y_axis(v)), width=_px(width),
                height=_px(y_axis(0) - y_axis(v)), rx=2, style=f"fill:var(--{color})"),
            tag("text", str(v), x=_px(x_axis(i)), y=_px(y_axis(v) - 4), class_="tick middle"),
        )
        for i, v in enumerate(values)
    ]  # fmt: skip
    said = ", ".join(f"{i}: {v}" for i, v in enumerate(values))
    return _svg([_frame(x_axis, y_axis, x_label), bars], f"{y_label} against {x_label}. {said}")


def card(title, body, unit=""):
    """A framed chart with its title and what is measured."""
    return tag("figure", tag("figcaption", title, tag("span", unit) if unit else None), body, class_="card")


def sparkline(x, y, color):
    """A small line without axes, on a logarithmic scale."""
    keep = np.isfinite(y) & (np.asarray(y) > 0)
    if keep.sum() < 2:
        return Markup("")
    x, y = np.asarray(x, float)[keep], np.asarray(y, float)[keep]
    x_axis, y_axis = _Axis(x.min(), x.max(), 2, 70), _Axis(y.min(), y.max() * 1.0001, 20, 2, is_log=True)
    line = tag("polyline", points=_points(x_axis(x), y_axis(y)), style=f"stroke:var(--{color})", class_="line")
    return tag("svg", line, viewBox="0 0 72 22", class_="spark", aria_hidden="true")


def _spans_decades(parts):
    return max(float(part.max()) for part in parts) > 3 * min(float(part.min()) for part in parts)


def _range(parts, is_log=False, pad=False):
    low, high = min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)
    if is_log:
        return low / 1.15, high * 1.15
    if pad:
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        return max(0.0, low - margin) if low >= 0 else low - margin, high + margin
    return (low, high) if high > low else (low - 1, high + 1)


def _frame(x_axis, y_axis, x_label):
    bottom, grid = HEIGHT - BOTTOM, []
    for tick in y_axis.ticks:
        y = y_axis(tick)
        grid.append(tag("line", **_ends(LEFT, y, WIDTH - RIGHT, y), class_="grid"))
        grid.append(tag("text", number(tick, 4), x=LEFT - 5, y=_px(y + 3.5), class_="tick end"))
    for tick in x_axis.ticks:
        grid.append(tag("line", **_ends(x_axis(tick), bottom, x_axis(tick), bottom + 3), class_="axis"))
        grid.append(tag("text", number(tick, 4), x=_px(x_axis(tick)), y=bottom + 14, class_="tick middle"))
    grid.append(tag("line", **_ends(LEFT, bottom, WIDTH - RIGHT, bottom), class_="axis"))
    grid.append(tag("text", x_label, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 5, class_="label middle"))
    return grid


def _drawn(line, x_axis, y_axis):
    x, y, parts = x_axis(line.x), y_axis(line.y), []
    if line.band is not None and len(x) > 1:
        low, high = (y_axis(side) for side in line.band)
        outline = _points(np.r_[x, x[::-1]], np.r_[low, high[::-1]])
        parts.append(tag("polygon", points=outline, class_="band", style=f"fill:var(--{line.color})"))
    if len(x) > 1:
        parts.append(tag("polyline", points=_points(x, y), class_="line", style=f"stroke:var(--{line.color})"))
    sizes = line.sizes if line.sizes is not None else ([2.5] if len(x) == 1 else [])
    for cx, cy, r in zip(x, y, sizes, strict=False):
        parts.append(tag("circle", cx=_px(cx), cy=_px(cy), r=_px(r), style=f"fill:var(--{line.color})"))
    return parts


def _legend(lines):
    if len(lines) == 1 and not lines[0].note:
        return Markup("")
    items = [
        tag("li", tag("i", style=f"background:var(--{line.color})"), line.name, tag("b", line.note))
        if line.note
        else tag("li", tag("i", style=f"background:var(--{line.color})"), line.name)
        for line in lines
    ]
    return tag("ul", items, class_="legend")


def _svg(children, said):
    return tag("svg", children, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=said, class_="chart")


def _points(x, y):
    return " ".join(f"{_px(a)},{_px(b)}" for a, b in zip(x, y, strict=True))


def _ends(x1, y1, x2, y2):
    return {"x1": _px(x1), "y1": _px(y1), "x2": _px(x2), "y2": _px(y2)}


def _px(value):
    return f"{float(value):.1f}".rstrip("0").rstrip(".")
