"""Pictures of a record, made from its files alone."""

import io

import numpy as np

from experiments.records import files


def draw(run):
    """Draws `learning_curve.png` and `acquired.png` into a run's directory.

    Args:
      run: a `Run` of `load_run`.
    """
    save(_learning_curve(run), run.path / "learning_curve.png")
    save(_acquired(run), run.path / "acquired.png")


def _title(run):
    settings = run.config["settings"]
    return (
        f"{settings['arch']}, {settings['acquisition']}, mu_init = {settings['mu_init']:g} "
        f"({run.config['dataset']['name']}, seed {settings['seed']})"
    )


def _learning_curve(run):
    plt = pyplot()
    metrics = run.tables["metrics"]
    tested = ~np.isnan(metrics["test_error"])
    labels = metrics["labels"][tested]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(labels, 100 * metrics["test_error"][tested], marker=".", color="C0")
    left.set(xlabel="labelled images", ylabel="test error (%)", yscale="log", title="Test error")
    ticks = (0.5, 1, 2, 5, 10, 20, 50, 100)
    left.set_yticks(ticks, [f"{t:g}" for t in ticks])
    left.minorticks_off()
    errors = 100 * np.maximum(metrics["test_error"][tested], 1e-4)
    left.set_ylim(0.8 * errors.min(), 1.2 * errors.max())
    right.plot(labels, metrics["test_nll"][tested], marker=".", color="C1", label="NLL (nats)")
    right.plot(labels, metrics["test_brier"][tested], marker=".", color="C2", label="Brier score")
    right.plot(labels, metrics["test_ece"][tested], marker=".", color="C3", label="ECE")
    right.set(xlabel="labelled images", title="Calibration on the test set", ylim=(0, None))
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.suptitle(_title(run))
    return figure


def _acquired(run, columns=20, most=400):
    plt = pyplot()
    images, labels = run.acquired["image"][:most], run.acquired["label"][:most]
    rows = -(-len(images) // columns)
    height, width = images.shape[1:3]
    canvas = np.full((rows * (height + 2), columns * (width + 2), *images.shape[3:]), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = (i // columns) * (height + 2), (i % columns) * (width + 2)
        canvas[y : y + height, x : x + width] = image
    figure, axes = plt.subplots(figsize=(10, 0.9 + 0.5 * rows), layout="constrained")
    axes.imshow(canvas.squeeze(), cmap="gray", interpolation="nearest")
    for i, label in enumerate(labels):
        axes.text(
            (i % columns) * (width + 2) + 1,
            (i // columns) * (height + 2) + 1,
            str(label),
            color="orange",
            fontsize=6,
            va="top",
        )
    axes.set_axis_off()
    shown = "" if len(run.acquired["image"]) <= most else f" (the first {most})"
    axes.set_title(f"Labelled images in order of acquisition{shown}: {_title(run)}", fontsize=9)
    return figure


def pyplot():
    """Matplotlib's pyplot, for files only."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def png(figure):
    """The bytes of a figure as PNG; closes it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    pyplot().close(figure)
    return buffer.getvalue()


def save(figure, path):
    """Writes a Matplotlib figure as a PNG, all of it or nothing, and closes it."""
    files.write_bytes(path, png(figure))
