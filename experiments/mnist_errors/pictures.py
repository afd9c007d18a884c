"""Figures 4, 5 and 6 of the report, and accuracy against the share refused. From the record alone."""

import numpy as np

from experiments.mnist_errors.measures import accuracy_if_refused
from experiments.priors.pictures import png
from experiments.studies.render import to_csv

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
MEASURES = {"expected_error": "expected error", "variance": "variance", "confidence": "1 - confidence"}


def report(head, arrays):
    """All files of the report.

    Args:
      head: the record's numbers.
      arrays: its arrays.

    Returns:
      Dict from a file's name to its text or bytes.
    """
    import matplotlib

    matplotlib.use("Agg")
    wrong = arrays["predicted"] != arrays["label"]
    blind = np.flatnonzero(wrong & (arrays["expected_error"] == 0))
    blind = blind[np.argsort(arrays["variance"][blind], kind="stable")]
    least = np.argsort(arrays["confidence"], kind="stable")
    curves = {name: accuracy_if_refused(_uncertainty(arrays, name), ~wrong) for name in MEASURES}
    return {
        "figure4.png": _scatter(head, arrays, wrong),
        "figure5.png": _images(arrays, blind, f"Misclassified with zero expected error: {len(blind)} of {wrong.sum()}"),
        "figure6.png": _images(arrays, least, "The lowest confidence"),
        "refused.png": _refused(curves),
        "refused.csv": to_csv(_refused_rows(curves)),
        "summary.csv": to_csv([_summary(head, arrays, wrong, blind)]),
    }


def _uncertainty(arrays, name):
    return 1 - arrays[name] if name == "confidence" else arrays[name]


def _summary(head, arrays, wrong, blind):
    return {
        "dataset": head["dataset"],
        "images": head["images"],
        "error": head["error"],
        "expected_error_mean": float(arrays["expected_error"].mean()),
        "wrong": int(wrong.sum()),
        "wrong_with_zero_expected_error": len(blind),
        "right_with_zero_expected_error": int(np.sum(~wrong & (arrays["expected_error"] == 0))),
    }


def _scatter(head, arrays, wrong):
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    for mask, color, name, size in ((~wrong, "#9db4cf", "right", 8), (wrong, "#b8321c", "wrong", 14)):
        axis.scatter(
            arrays["expected_error"][mask],
            arrays["variance"][mask],
            s=size,
            color=color,
            linewidths=0,
            label=f"{name} ({mask.sum():,})",
        )
    axis.set(
        xlabel="expected error: 1 - votes of the modal class / T",
        ylabel="variance over samples, summed over classes",
        title=f"Figure 4 ({head['dataset']}, {head['images']:,} images)",
    )
    axis.legend(title="prediction")
    axis.grid(alpha=0.3)
    return png(figure)


def _images(arrays, chosen, title, rows=3, columns=8):
    from matplotlib import pyplot as plt

    chosen = chosen[: rows * columns]
    rows = max(1, -(-len(chosen) // columns))
    figure, axes = plt.subplots(rows, columns, figsize=(10, 1.62 * rows + 0.6), layout="constrained", squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, i in zip(axes.flat, chosen, strict=False):
        axis.imshow(arrays["image"][i].squeeze(), cmap="gray_r", interpolation="nearest")
        axis.set_title(
            f"{arrays['label'][i]}, taken for {arrays['predicted'][i]}\nconfidence {arrays['confidence'][i]:.2f}",
            fontsize=8,
        )
    figure.suptitle(title)
    return png(figure)


def _refused(curves):
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for name, (share, accuracy) in curves.items():
        shown = share <= 0.5
        axis.plot(100 * share[shown], 100 * accuracy[shown], label=MEASURES[name])
    axis.set(
        xlabel="images refused (%)",
        ylabel="accuracy on the others (%)",
        title="Accuracy if the least certain are refused",
    )
    axis.legend(title="refused by")
    axis.grid(alpha=0.3)
    return png(figure)


def _refused_rows(curves):
    rows = []
    for name, (share, accuracy) in curves.items():
        for wanted in SHARES:
            place = min(int(np.ceil(wanted * len(share))), len(share) - 1)
            rows.append({"measure": name, "refused": wanted, "accuracy": float(accuracy[place])})
    return rows
