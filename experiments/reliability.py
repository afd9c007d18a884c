"""Reliability diagrams: is a network right as often as it says? From records alone (Guo et al. 2017, figure 1).

Command: python -m experiments.reliability --records=runs/image_classification/mnist/lenet5/variational/seed0

Expected: bars that end on the diagonal, of a calibrated network; below it the network is overconfident. Bins of few
images are pale. The expected calibration error (15 bins of equal width) is the mean distance, weighted by the images of
each bin. Run time: seconds.

Reads calibration.csv of the records of `experiments.image_classification` and `experiments.al_mnist` (the last epoch
or cycle that was tested), also of records without their checkpoint, and writes <output>: a PNG with a panel per
record, and beside it a CSV of the same name with its numbers.
"""

import dataclasses
import pathlib
import sys

import numpy as np

from bayes_layers.settings import SettingError, Settings, setting
from experiments import entry
from experiments.errors import RecordError
from experiments.records import figures, files
from experiments.records.load import load_either
from experiments.records.paths import wrapped
from experiments.records.trained import place_of
from experiments.studies.render import to_csv

FEW = 20  # images in a bin
COLORS = {
    "both": ("C0", "accuracy, as far as it was stated"),
    "over": ("C3", "confidence above it (overconfident)"),
    "under": ("C2", "accuracy above the confidence (underconfident)"),
}


@dataclasses.dataclass(frozen=True)
class ReliabilityConfig(Settings):
    """Reliability"""

    records: str = setting("", "Directories of records, separated by colons.", result=False)
    output: str = setting("runs/reliability.png", "The picture's file.", result=False)


def last_bins(path):
    """The last reliability bins of a record.

    Args:
      path: its directory.

    Returns:
      `(count, confidence, accuracy)`, arrays `[bins]`; nan where a bin is empty.

    Raises:
      RecordError: if there is no record, or it has no table of calibration.
    """
    path = pathlib.Path(path).expanduser()
    run = load_either(path)
    table = run.tables["calibration"]
    units = table[run.layout.unit]
    if not len(units):
        raise RecordError(f"{path} has no bins in its calibration.csv")
    mine = units == units[-1]
    return tuple(table[name][mine] for name in ("count", "confidence", "accuracy"))


def calibration_error(count, confidence, accuracy):
    """ECE of bins: sum of (share of images) x |accuracy - confidence| (Guo et al. 2017, eq. 3)."""
    filled = count > 0
    return float(np.sum(count[filled] * np.abs(accuracy - confidence)[filled]) / count.sum())


def draw(bins):
    """The diagrams as a matplotlib figure; `bins` is a dict from a title to what `last_bins` returned."""
    size = (4 * len(bins), 5.2)
    figure, axes = figures.pyplot().subplots(
        2, len(bins), figsize=size, squeeze=False, sharex=True, layout="constrained", height_ratios=(3, 1)
    )
    for (title, columns), (top, bottom) in zip(bins.items(), axes.T, strict=True):
        _panel(top, bottom, *columns)
        top.set_title(f"{wrapped(title, 45)}\nECE = {calibration_error(*columns):.4f}", fontsize=8)
    rectangle = figures.pyplot().Rectangle
    handles = [rectangle((0, 0), 1, 1, color=color, label=text) for color, text in COLORS.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7)
    return figure


def _panel(top, bottom, count, confidence, accuracy):
    edges, width = np.arange(len(count)) / len(count), 1 / len(count)
    confidence, accuracy = np.nan_to_num(confidence), np.nan_to_num(accuracy)
    for few in (True, False):  # what few images say is pale
        these = (count > 0) & ((count < FEW) == few)
        style = {"width": width, "align": "edge", "alpha": 0.25 if few else 0.9, "lw": 0}
        lower, gap = np.minimum(confidence, accuracy)[these], np.abs(confidence - accuracy)[these]
        is_over = (confidence > accuracy)[these]
        top.bar(edges[these], lower, color=COLORS["both"][0], **style)
        for chosen, name in ((is_over, "over"), (~is_over, "under")):
            top.bar(edges[these][chosen], gap[chosen], bottom=lower[chosen], color=COLORS[name][0], **style)
    top.plot([0, 1], [0, 1], color="black", lw=1, ls="--")
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    bottom.bar(edges, count / count.sum(), width=width, align="edge", color="grey", edgecolor="white")
    bottom.set(xlabel="confidence", ylabel="share", yscale="log", ylim=(1e-4, 1.5))


def titles_of(paths):
    """Dict from what each record is called to its path: its place among all records, or in full where two share it.

    Args:
      paths: the records' directories; one that is given twice counts once.
    """
    found = list(dict.fromkeys(pathlib.Path(path).expanduser().resolve() for path in paths))
    places = [place_of(path) for path in found]
    return {str(place if places.count(place) == 1 else path): path for place, path in zip(places, found, strict=True)}


def work(config):
    """Writes the picture and its numbers.

    Args:
      config: a `ReliabilityConfig`.
    """
    paths = [part for part in config.records.split(":") if part]
    if not paths:
        raise SettingError("--records= is not valid: it takes directories of records, separated by colons")
    bins = {title: last_bins(path) for title, path in titles_of(paths).items()}
    output = pathlib.Path(config.output).expanduser()
    output.parent.mkdir(parents=True, exist_ok=True)
    figures.save(draw(bins), output)
    rows = [
        {"record": title, "bin": number, "count": int(c), "confidence": float(p), "accuracy": float(a)}
        for title, columns in bins.items()
        for number, (c, p, a) in enumerate(zip(*columns, strict=True))
    ]
    files.write_text(output.with_suffix(".csv"), to_csv(rows))
    for title, columns in bins.items():
        print(f"{title}: ECE = {calibration_error(*columns):.4f}")
    print(f"picture: {output}")


main = entry.point(work, ReliabilityConfig, description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
