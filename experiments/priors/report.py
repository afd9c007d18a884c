"""The tables of the prior study: accuracies beside the report's and the SVM's, scales, sparsity. From records alone."""

import numpy as np
from scipy import stats

from experiments.priors.cells import SVM
from experiments.priors.results import LAYERS, PUBLISHED, geometric_mean
from experiments.studies.render import to_csv, to_markdown

CAPTION = """\
Mean over {splits} splits ± half of its 95 % confidence interval (Student's t), noise {noise:g}. Accuracy on 300 points
that were neither learned from nor tuned on. *Fixed* scales are tuned on a logarithmic grid ({scales}) in each split;
under a hyperprior nothing is tuned. The report shows one network per data set at a noise that it does not state, so
that its numbers can stand beside these, but not be compared.
"""


def tables(results):
    """All tables.

    Args:
      results: the `Results`.

    Returns:
      Dict from a file's name to its text.
    """
    rows = [_row(results, d, cell) for d in results.config.dataset_names for cell in (*results.config.cells, SVM)]
    return {
        "accuracy.csv": to_csv(rows),
        "splits.csv": to_csv(_split_rows(results)),
        "accuracy.md": _accuracy_page(results),
        "scales.csv": to_csv(_scale_rows(results)) if _scale_rows(results) else "",
        "scales.md": _scales_page(results),
        "sparsity.md": _sparsity_page(results),
    }


def _row(results, dataset, cell):
    row = {"dataset": dataset, "prior": cell[0], "hyperprior": cell[1], "proper": cell[0] != "flat"}
    row["n"] = len(results.numbers[dataset, cell])
    for name in ("accuracy", "nll_test", "ece", "elbo"):
        interval = results.interval(dataset, cell, name)
        row |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    row["scale"] = geometric_mean(list(results.values(dataset, cell, "scale").values()))
    row["report_accuracy"] = PUBLISHED.get((dataset, *cell))
    return row


def _split_rows(results):
    """All that the other tables are made of: a row per cell and split."""
    names = ("accuracy", "nll_test", "ece", "stddev_right", "stddev_wrong", "elbo", "kl", "scale")
    rows = []
    for dataset in results.config.dataset_names:
        for cell in (*results.config.cells, SVM):
            for split, numbers in results.numbers[dataset, cell].items():
                head = {"dataset": dataset, "prior": cell[0], "hyperprior": cell[1], "split": split}
                rows.append({**head, **{name: numbers.get(name) for name in names}})
    return rows


def _text(interval, digits=1):
    if not interval.n:
        return "missing"
    half = interval.high - interval.mean
    return f"{interval.mean:.{digits}f}" + (f" ± {half:.{digits}f}" if half == half else "")


def _accuracy_page(results):
    config = results.config
    lines = ["# Priors and hyperpriors on toy data\n"]
    lines.append("\n" + CAPTION.format(splits=config.splits, noise=config.noise, scales=config.scales))
    for dataset in config.dataset_names:
        body = []
        for cell in config.cells:
            published = PUBLISHED.get((dataset, *cell))
            body.append(
                [
                    f"{cell[0]}{' (improper)' if cell[0] == 'flat' else ''}",
                    cell[1],
                    _text(results.interval(dataset, cell, "accuracy", 100)),
                    _text(results.interval(dataset, cell, "nll_test"), 3),
                    _text(results.interval(dataset, cell, "ece", 100)),
                    "none" if cell[0] == "flat" else _text(results.interval(dataset, cell, "elbo")),
                    "" if published is None else f"{100 * published:.1f}",
                ]
            )
        body.append(["RBF-SVM, tuned", "", _text(results.interval(dataset, SVM, "accuracy", 100)), "", "", "", ""])
        header = ["prior", "hyperprior", "accuracy (%)", "test NLL (nats)", "ECE (%)", "ELBO (nats)", "report (%)"]
        lines.append(f"\n## {dataset}\n\n{to_markdown(header, body)}")
    if any(prior == "flat" for prior, _ in config.cells):
        lines.append(
            f"\nThe flat prior is improper: its ELBO has no maximum, and training stops after {config.steps} steps, "
            "as everywhere.\n"
        )
    return "".join(lines)


def _scale_rows(results):
    rows = []
    for dataset in results.config.dataset_names:
        for cell in results.config.cells:
            learned = results.scales(dataset, cell) or {"all": list(results.values(dataset, cell, "scale").values())}
            for layer, values in learned.items():
                if values:
                    rows.append(
                        {
                            "dataset": dataset,
                            "prior": cell[0],
                            "hyperprior": cell[1],
                            "layer": layer,
                            "n": len(values),
                            "scale": geometric_mean(values),
                            "least": min(values),
                            "greatest": max(values),
                        }
                    )
    return rows


def _scales_page(results):
    """What the hyperpriors learned, layer by layer, beside the scales that tuning chose."""
    rows = {(r["dataset"], r["prior"], r["hyperprior"], r["layer"]): r for r in _scale_rows(results)}

    def text(*key):
        if key not in rows:
            return ""
        row = rows[key]
        return f"{row['scale']:.2g} ({row['least']:.2g} to {row['greatest']:.2g})"

    lines = [
        "# What the hyperpriors learned\n\nThe scale of each layer's prior: the median of its log-Normal posterior, as "
        "the geometric mean over splits (least to greatest). *tuned* is the scale that was chosen, one for all.\n"
    ]
    for dataset in results.config.dataset_names:
        body = [
            [*cell, *(text(dataset, *cell, layer) for layer in (*LAYERS, "all"))]
            for cell in results.config.cells
            if cell[0] != "flat"
        ]
        lines.append(f"\n## {dataset}\n\n{to_markdown(['prior', 'hyperprior', *LAYERS, 'tuned'], body)}")
    return "".join(lines)


def _sparsity_page(results):
    """How many weights of the last layer are around zero, and how concentrated the others are."""
    lines = [
        "# Weights of the last layer\n\nThe report's Figure 3: under a Laplace prior all weights but two are around "
        "zero, under a Cauchy prior they are not. Here: of the 10 weights, those whose 95 % posterior interval holds "
        "zero (mean over splits), and the excess kurtosis of the posterior means (a few large ones make it large; "
        "median over splits).\n"
    ]
    for dataset in results.config.dataset_names:
        body = []
        for cell in results.config.cells:
            layers = [results.last_layer(dataset, cell, split) for split in results.arrays[dataset, cell]]
            if not layers:
                continue
            around = np.mean([np.sum(np.abs(loc) < 1.96 * stddev) for loc, stddev in layers])
            kurtosis = np.median([stats.kurtosis(loc) for loc, _ in layers])
            largest = np.mean([np.abs(loc).max() for loc, _ in layers])
            body.append([*cell, f"{around:.1f}", f"{kurtosis:+.2f}", f"{largest:.1f}"])
        header = ["prior", "hyperprior", "weights around zero", "excess kurtosis of means", "largest |mean|"]
        lines.append(f"\n## {dataset}\n\n{to_markdown(header, body)}")
    return "".join(lines)
