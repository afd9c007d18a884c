"""The pictures of the prior study, from records alone: each cell's two maps, and Figure 3."""

import io

import numpy as np

from experiments.priors.toy import EXTENTS, GRID_POINTS, make_split

CLASS_COLORS = ("#1f4e9c", "#b8321c")
TITLES = {
    "fixed": "fixed scale",
    "half_normal": "half-Normal",
    "half_cauchy": "half-Cauchy",
    "inverse_gamma": "inverse-Gamma",
}


def pictures(results):
    """All pictures.

    Args:
      results: the `Results`.

    Returns:
      Dict from a file's name to the bytes of a PNG.
    """
    import matplotlib

    matplotlib.use("Agg")
    found = {}
    for dataset in results.config.dataset_names:
        cells = [cell for cell in results.config.cells if 0 in results.arrays[dataset, cell]]
        for cell in cells:
            found[f"{dataset}_{cell[0]}_{cell[1]}.png"] = _cell(results, dataset, cell)
        if cells:
            found[f"{dataset}.png"] = _overview(results, dataset, cells)
        shown = [cell for cell in cells if cell[0] in ("laplace", "cauchy") and cell[1] == "fixed"]
        if shown:
            found[f"figure3_{dataset}.png"] = _densities(results, dataset, shown)
    return found


def png(figure):
    """The bytes of a figure, which is closed."""
    from matplotlib import pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()


def draw_map(axis, dataset, values, *, limits, cmap, boundary=None):
    """One map over the plane; `values` `[G * G]`; a dashed line where `boundary` is one half."""
    extent = EXTENTS[dataset]
    grid = np.reshape(values, [GRID_POINTS, GRID_POINTS])
    image = axis.imshow(
        grid,
        origin="lower",
        extent=extent,
        vmin=limits[0],
        vmax=limits[1],
        cmap=cmap,
        aspect="auto",
        interpolation="bilinear",
    )
    if boundary is not None:
        half = np.reshape(boundary, grid.shape)
        axis.contour(half, levels=[0.5], extent=extent, colors="black", linewidths=1.0, linestyles="dashed")
    axis.set_xticks([])
    axis.set_yticks([])
    return image


def _points(axis, results, dataset, size):
    config = results.config
    split = make_split(dataset, config.noise, config.seed, 0)
    left, right, low, high = EXTENTS[dataset]
    for label, color in enumerate(CLASS_COLORS):
        mine = split.test_x[split.test_y == label]
        axis.scatter(mine[:, 0], mine[:, 1], s=size, color=color, edgecolors="white", linewidths=0.3)
    axis.set(xlim=(left, right), ylim=(low, high))


def _name(cell):
    return "flat (improper)" if cell[0] == "flat" else f"{cell[0].capitalize()}, {TITLES[cell[1]]}"


def _limit(results, dataset, cells):
    """The top of the common scale of standard deviations."""
    return max(float(results.arrays[dataset, cell][0]["grid_stddev"].max()) for cell in cells)


def _cell(results, dataset, cell):
    from matplotlib import pyplot as plt

    arrays, numbers = results.arrays[dataset, cell][0], results.numbers[dataset, cell][0]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 4.1), layout="constrained")
    image = draw_map(left, dataset, arrays["grid_mean"], limits=(0, 1), cmap="RdBu_r", boundary=arrays["grid_mean"])
    _points(left, results, dataset, 12)
    figure.colorbar(image, ax=left, label="probability of class 1")
    top = float(arrays["grid_stddev"].max())
    image = draw_map(
        right, dataset, arrays["grid_stddev"], limits=(0, top), cmap="viridis", boundary=arrays["grid_mean"]
    )
    figure.colorbar(image, ax=right, label="standard deviation over posterior samples")
    left.set_title("posterior probability (test points)")
    right.set_title("uncertainty (dashed: probability 1/2)")
    scale = f" {numbers['scale']:g}" if "scale" in numbers else ""
    accuracy = f"test accuracy {100 * numbers['accuracy']:.1f} %"
    figure.suptitle(f"{dataset}: {_name(cell)}{scale}; {accuracy}")
    return png(figure)


def _overview(results, dataset, cells):
    """All cells of a data set: priors down, hyperpriors across, two maps each, on common scales."""
    from matplotlib import pyplot as plt

    priors, hyperpriors = (list(dict.fromkeys(cell[i] for cell in cells)) for i in (0, 1))
    rows, columns = len(priors), 2 * len(hyperpriors)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.0 * columns + 1.5, 2.0 * rows + 1.2), layout="constrained", squeeze=False
    )
    top, images = _limit(results, dataset, cells), {}
    for axis in axes.flat:
        axis.set_axis_off()
    for cell in cells:
        row, column = priors.index(cell[0]), 2 * hyperpriors.index(cell[1])
        arrays, numbers = results.arrays[dataset, cell][0], results.numbers[dataset, cell][0]
        pair = axes[row, column : column + 2]
        for axis in pair:
            axis.set_axis_on()
        mean = arrays["grid_mean"]
        images["mean"] = draw_map(pair[0], dataset, mean, limits=(0, 1), cmap="RdBu_r", boundary=mean)
        images["stddev"] = draw_map(pair[1], dataset, arrays["grid_stddev"], limits=(0, top), cmap="viridis")
        pair[0].set_title(_name(cell), fontsize=8)
        pair[1].set_title(f"accuracy {100 * numbers['accuracy']:.1f} %", fontsize=8)
    half = columns // 2
    bar = {"location": "bottom", "shrink": 0.8, "aspect": 40, "pad": 0.02}
    figure.colorbar(images["mean"], ax=axes[:, :half], label="probability of class 1 (left of each pair)", **bar)
    figure.colorbar(
        images["stddev"], ax=axes[:, half:], label="its standard deviation over posterior samples (right)", **bar
    )
    figure.suptitle(f"{dataset}, split 0: posterior probability and its standard deviation")
    return png(figure)


def _densities(results, dataset, cells):
    """Figure 3: the posterior density of each weight of the last layer."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(cells), figsize=(5 * len(cells), 3.6), layout="constrained", squeeze=False)
    for axis, cell in zip(axes[0], cells, strict=True):
        loc, stddev = results.last_layer(dataset, cell)
        reach = float(np.max(np.abs(loc) + 4 * stddev))
        w = np.linspace(-reach, reach, 2000)
        density = np.exp(-0.5 * ((w - loc[:, None]) / stddev[:, None]) ** 2) / (stddev[:, None] * np.sqrt(2 * np.pi))
        for number, curve in enumerate(density):
            axis.plot(w, curve, color=f"C{number}", linewidth=1.3)
            axis.fill_between(w, curve, color=f"C{number}", alpha=0.15)
        axis.axvline(0.0, color="black", linewidth=0.8, linestyle=":")
        around = int(np.sum(np.abs(loc) < 1.96 * stddev))
        scale = results.numbers[dataset, cell][0]["scale"]
        axis.set(
            title=f"{cell[0].capitalize()} prior, scale {scale:g}: {around} of {len(loc)} around zero",
            xlabel="weight of the last layer",
            ylabel="posterior density",
            ylim=(0, None),
        )
    figure.suptitle(f"Figure 3 ({dataset}, split 0)")
    return png(figure)
