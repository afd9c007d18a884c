"""The panels of a figure."""

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from experiments.studies import figures


def test_the_shared_axis_shows_the_curves_of_all_panels():
    figure, axes = plt.subplots(1, 2, sharey=True, squeeze=False)
    axes[0, 0].plot([1, 2], [50, 90])
    axes[0, 1].plot([1, 2], [4, 20])
    figures._limit(axes.flat)
    low, high = axes[0, 1].get_ylim()
    plt.close(figure)
    assert low < 4 and high > 90


def test_one_legend_says_how_many_seeds_each_panel_has():
    figure, axes = plt.subplots(1, 2)
    for axis, seeds in zip(axes, (3, 2), strict=True):
        axis.plot([1, 2], [5, 3], label="BNN", gid=seeds)
        axis.plot([1, 2], [4, 2], label="CNN", gid=3)
        axis.plot([], [], label="BNN1", gid=0)
    legend, last = figures._legend(axes), figures._legend(axes[1:])
    plt.close(figure)
    assert legend["labels"] == ["BNN (3, 2)", "CNN (3)", "BNN1 missing"]
    assert legend["handles"] == axes[0].get_lines() and legend["title"] == "(n seeds, panel by panel)"
    assert last["labels"] == ["BNN (2)", "CNN (3)", "BNN1 missing"] and last["title"] == "(n seeds)"


def test_the_legend_shows_the_line_of_a_panel_that_has_one():
    figure, axes = plt.subplots(1, 3)
    for axis, seeds in zip(axes, (0, 1, 0), strict=True):
        axis.plot([], [], linestyle="-" if seeds else ":", label="BNN-3", gid=seeds)
    legend = figures._legend(axes)
    plt.close(figure)
    (line,), (text,) = legend["handles"], legend["labels"]
    assert text == "BNN-3 (0, 1, 0)" and line.get_linestyle() == "-"
