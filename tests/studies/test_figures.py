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
