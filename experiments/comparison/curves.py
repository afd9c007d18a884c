"""Curves over epochs with a band over seeds, as pictures and as CSV."""

import numpy as np

from experiments.records import figures
from experiments.studies.render import to_csv


def series(rows, column, scale=lambda value: value):
    """A column of metrics over the epochs that all runs have.

    Args:
      rows: complete `Row`s of one cell.
      column: its name.
      scale: a function of the values.

    Returns:
      epochs `[n]`, and values `[runs, n]`; epochs without a value are left out.
    """
    curves = []
    for row in rows:
        values = row.metrics[column]
        known = ~np.isnan(values)
        curves.append(dict(zip(row.metrics["epoch"][known], scale(values[known]), strict=True)))
    epochs = sorted(set.intersection(*map(set, curves))) if curves else []
    return np.array(epochs), np.array([[curve[epoch] for epoch in epochs] for curve in curves])


def accuracy_of(errors):
    """Accuracy in % of errors as fractions."""
    return 100 * (1 - errors)


def draw_bands(axis, curves):
    """Draws curves with their bands from the least to the greatest seed.

    Args:
      axis: matplotlib axes.
      curves: list of (label, style, epochs `[n]`, values `[runs, n]`); a curve without runs is named as not run.
    """
    for label, style, epochs, values in curves:
        if not len(values):
            axis.plot([], [], label=f"{label}: not run", **{**style, "linestyle": ":", "alpha": 0.5})
            continue
        axis.plot(epochs, values.mean(0), label=f"{label} (n = {len(values)})", **style)
        axis.fill_between(epochs, values.min(0), values.max(0), color=style["color"], alpha=0.15, linewidth=0)
    if any(len(values) for *_, values in curves):
        axis.xaxis.get_major_locator().set_params(integer=True)
    else:
        axis.set(xticks=[], yticks=[])
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)


def panels(count, width=5.0):
    """A figure with so many panels side by side: `(figure, list of axes)`."""
    figure, axes = figures.pyplot().subplots(1, count, figsize=(width * count, 4), squeeze=False, layout="constrained")
    return figure, list(axes[0])


def curves_csv(rows):
    """The CSV text of curves: `rows` are (columns as a dict, epochs `[n]`, seeds, values `[runs, n]`)."""
    lines = [
        {**columns, "seed": seed, "epoch": int(epoch), "value": float(value)}
        for columns, epochs, seeds, values in rows
        for seed, run in zip(seeds, values, strict=True)
        for epoch, value in zip(epochs, run, strict=True)
    ]
    return to_csv(lines)
