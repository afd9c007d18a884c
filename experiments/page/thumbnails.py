"""Acquired images as embedded PNG strips."""

import base64
import io

import numpy as np
from PIL import Image

from experiments.page.markup import tag

PER_ROW = 10


def chosen_cycles(cycles, most):
    """Which cycles to show when only `most` images may be: all, or the first, the last and evenly spaced ones.

    Args:
      cycles: the cycle of each image, ascending.
      most: how many images.

    Returns:
      A list of cycle numbers, ascending; empty if there is no room for the first.
    """
    numbers, counts = np.unique(cycles, return_counts=True)
    if counts.sum() <= most:
        return numbers.tolist()
    if most < counts[0]:
        return []
    room = (most - counts[0]) // counts[1:].max()  # cycles besides the first
    if room < 2:
        return numbers[[0, -1][: room + 1]].tolist()
    return numbers[np.unique(np.r_[0, np.linspace(1, len(numbers) - 1, room).round().astype(int)])].tolist()


def strips(images, labels):
    """Images in rows of ten, each with its label below it.

    Args:
      images: uint8 `[n, H, W, C]`, C being 1 or 3.
      labels: `[n]`.

    Returns:
      `Markup`.
    """
    rows = []
    for start in range(0, len(images), PER_ROW):
        row, names = images[start : start + PER_ROW], labels[start : start + PER_ROW]
        said = "labelled " + ", ".join(map(str, names))
        width = f"width:{100 * len(row) / PER_ROW:g}%"
        rows.append(tag("img", src=_data_uri(np.concatenate(list(row), axis=1)), alt=said, style=width, loading="lazy"))
        rows.append(tag("div", [tag("span", str(name)) for name in names], class_="digits", aria_hidden="true"))
    return tag("div", rows, class_="strip")


def _data_uri(image):
    """A PNG of `[H, W, C]`."""
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
