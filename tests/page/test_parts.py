"""Markup, charts, thumbnails: the parts of a page."""

import re

import numpy as np
import pytest

from experiments.page import charts, thumbnails
from experiments.page.markup import Markup, tag
from experiments.page.text import duration, number
from tests.page.pages import Page


def test_whatever_is_not_markup_is_escaped():
    text = tag("p", "<b>&", Markup("<i>x</i>"), ["1 < 2", None], title='"quoted"', class_="c", hidden=False, open=True)
    assert text == '<p title="&quot;quoted&quot;" class="c" open>&lt;b&gt;&amp;<i>x</i>1 &lt; 2</p>'
    assert isinstance(text, Markup) and tag("p", text + "") == "<p>" + tag("b", text + "")[3:-4] + "</p>"
    assert tag("img", src="a") == '<img src="a"/>' and tag("p") == "<p></p>"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04861, "0.0486"), (-3.0, "−3"), (300.0, "300"), (12345.0, "12.3k"), (1.5e6, "1.5M"), (2e9, "2G"), (0.0, "0"),
     (float("nan"), "–"), (None, "–"), (float("-inf"), "−inf"), (1e300, "1e+288T")],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


def test_durations():
    assert [duration(s) for s in (0.4, 600, 36000)] == ["0 s", "10 min", "10.0 h"]


def points(chart, name="polyline"):
    return [np.array([p.split(",") for p in points.split()], float) for points in Page(chart).values(name, "points")]


def test_lines_are_where_their_values_are():
    line = charts.Line("y", np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.25, 1.0]), "red")
    (drawn,) = points(charts.line_chart([line], "x", "y", x_range=(0, 1), y_range=(0, 1), diagonal=True))
    left, right, top, bottom = charts.LEFT, charts.WIDTH - charts.RIGHT, charts.TOP, charts.HEIGHT - charts.BOTTOM
    np.testing.assert_allclose(drawn[:, 0], np.interp([0, 0.5, 1], [0, 1], [left, right]), atol=0.06)
    np.testing.assert_allclose(drawn[:, 1], np.interp([0, 0.25, 1], [0, 1], [bottom, top]), atol=0.06)


def test_a_logarithmic_axis_puts_equal_ratios_at_equal_distances():
    line = charts.Line("y", np.arange(3.0), np.array([1.0, 10.0, 100.0]), "red")
    (drawn,) = points(charts.line_chart([line], "x", "y", log_y=True))
    assert drawn[0, 1] - drawn[1, 1] == pytest.approx(drawn[1, 1] - drawn[2, 1], abs=0.11)
    (flat,) = points(
        charts.line_chart([charts.Line("y", np.arange(2.0), np.array([1.0, 2.0]), "red")], "x", "y", log_y=True)
    )
    assert np.isfinite(flat).all()


def test_ticks_say_what_is_there():
    line = charts.Line("y", np.array([20.0, 300.0]), np.array([50.0, 4.0]), "red")
    page = Page(charts.line_chart([line], "labels", "error", log_y=True))
    assert page.text == "5102050" + "100200300" + "labels"


@pytest.mark.parametrize("values", [[np.nan, np.nan], [], [0.0, 0.0], [5.0], [1e-12, 1e12], [-1.0, 3.0]])
def test_charts_of_odd_data(values):
    y = np.array(values, float)
    band = (y - 1, y + 1)
    chart = charts.line_chart(
        [charts.Line("a<b", np.arange(len(y), dtype=float), y, "red", band)], "x", "y", log_y=True
    )
    page = Page(chart)
    assert ("No data." in page.text) == (not np.isfinite(y).any())
    assert not re.search(r"nan|inf", chart)


def test_bands_enclose_their_line():
    x, y = np.arange(4.0), np.array([3.0, 2.0, 2.5, 1.0])
    chart = charts.line_chart([charts.Line("a", x, y, "red", (y - 0.5, y + 0.5))], "x", "y")
    (line,), (outline,) = points(chart), points(chart, "polygon")
    np.testing.assert_allclose((outline[:4, 1] + outline[:3:-1, 1]) / 2, line[:, 1], atol=0.11)


def test_bars():
    chart = charts.bar_chart([2, 0, 4], "class", "count", "red")
    heights = [float(h) for h in Page(chart).values("rect", "height")]
    assert heights[2] == pytest.approx(2 * heights[0], abs=0.2) and heights[1] == 0


def test_strips_hold_the_images_exactly():
    images = np.random.default_rng(0).integers(0, 256, (13, 28, 28, 1), np.uint8)
    page = Page(thumbnails.strips(images, np.arange(13)))
    first, second = page.images()
    np.testing.assert_array_equal(np.concatenate([first, second], 1), np.concatenate(list(images[..., 0]), 1))
    assert page.values("img", "style") == ["width:100%", "width:30%"] and page.text == "0123456789101112"


def test_colour_images():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    (strip,) = Page(thumbnails.strips(images, np.arange(2))).images()
    np.testing.assert_array_equal(strip, np.concatenate(list(images), 1))


@pytest.mark.parametrize("most", [0, 19, 20, 30, 40, 55, 119, 120, 10_000])
def test_cycles_are_left_out_evenly(most):
    cycles = np.array([0] * 20 + [c for c in range(1, 11) for _ in range(10)])
    chosen = thumbnails.chosen_cycles(cycles, most)
    assert chosen == sorted(set(chosen)) and np.isin(cycles, chosen).sum() <= most
    assert (0 in chosen) == (most >= 20)
    if most >= 40:
        assert chosen[-1] == 10
    if most >= 60:
        gaps = np.diff(chosen[1:])
        assert gaps.max(initial=0) - gaps.min(initial=10) <= 1
    assert (len(chosen) == 11) == (most >= 120)
