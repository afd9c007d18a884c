"""The picture of a record, made from its files alone."""

import numpy as np

from experiments.records.figures import save


def draw(run):
    """Draws `learning_curve.png` into a run's directory.

    Args:
      run: a `Run` of `load_run`.
    """
    import matplotlib

    matplotlib.use("Agg")
    save(_learning_curve(run), run.path / "learning_curve.png")


def title(run):
    """The network, the data and the seed of a run, in words."""
    settings = run.config["settings"]
    dropout = settings.get("dropout_layers", "auto")
    layers = f", {dropout} dropout layers" if dropout not in ("auto", "0") else ""
    data = run.config["dataset"]["name"]
    return f"{settings['model']}, {settings['inference']}{layers} ({data}, seed {settings['seed']})"


def _learning_curve(run):
    from matplotlib import pyplot as plt

    metrics = run.tables["metrics"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    names = {"train_error": "training images", "val_error": "validation images", "test_error": "test images"}
    for number, (column, label) in enumerate(names.items()):
        _plot(left, metrics, column, 100, f"C{number}", label)
    left.set(xlabel="epoch", ylabel="error (%)", title="Error", ylim=(0, None))
    names = {"test_nll": "NLL (nats)", "test_ece": "ECE", "aleatoric": "aleatoric", "epistemic": "epistemic"}
    for number, (column, label) in enumerate(names.items()):
        _plot(right, metrics, column, 1, f"C{number + 3}", label)
    right.set(xlabel="epoch", yscale="log", title="Test set: calibration, traces of both uncertainties")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    figure.suptitle(title(run))
    return figure


def _plot(axes, metrics, column, factor, color, label):
    """Draws a column where it has values; zeros, which a logarithm cannot show, are left out of the right panel."""
    values = factor * metrics[column]
    known = np.isfinite(values) & ((values > 0) | (factor != 1))
    if known.any():
        axes.plot(metrics["epoch"][known], values[known], marker=".", color=color, label=label)
