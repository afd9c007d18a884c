"""Figures 2 and 3: learning curves with a band over seeds."""

import io
import textwrap

import numpy as np

from experiments.records.paths import text_of

LETTERS_PER_INCH = 12
FIGURE3_ARCHITECTURES = ("BNN", "BNN-1", "BNN1")


def figure2(part):
    """Figure 2: a panel per acquisition (random has none, as in the paper), a curve per architecture.

    Args:
      part: a `Slice` with one mu_init.

    Returns:
      The bytes of a PNG.
    """
    study = part.results.study
    panels = [
        (acquisition, [(arch, part.cell(arch, acquisition)) for arch in study.values("archs")])
        for acquisition in shown_acquisitions(study)
    ]
    return _draw(part, [panels], f"Position of Bayesian layers: {part.results.dataset}, {part.title}")


def figure3(part):
    """Figure 3: a row per acquisition, a panel each for BNN, BNN-1 and BNN1, a curve per mu_init."""
    study = part.results.study
    archs = [arch for arch in FIGURE3_ARCHITECTURES if arch in study.values("archs")] or list(study.values("archs"))
    rows = [
        [
            (
                f"{arch}, {acquisition}",
                [(f"mu_init = {text_of(mu)}", part.cell(arch, acquisition, mu)) for mu in part.mus_of(arch)],
            )
            for arch in archs
        ]
        for acquisition in shown_acquisitions(study)
    ]
    return _draw(part, rows, f"Initial variance: {part.results.dataset}, {part.title}")


def shown_acquisitions(study):
    """The acquisitions that get a panel: all but random, unless there is no other."""
    acquisitions = study.values("acquisitions")
    return [name for name in acquisitions if name != "random"] or list(acquisitions)


def band(runs):
    """The curves of runs over the label counts at which all of them were tested.

    Args:
      runs: complete `Row`s.

    Returns:
      labels `[n]`, and errors in % `[runs, n]`.
    """
    curves = [dict(zip(*run.curve, strict=True)) for run in runs]
    labels = sorted(set.intersection(*(set(curve) for curve in curves)))
    return np.array(labels), np.array([[100 * curve[count] for count in labels] for curve in curves])


def _draw(part, rows, title):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    width = 5 * len(rows[0])  # of the panels, in inches; the legend stands beside them, the title above them
    size = (width + 2, 1 + 3.8 * len(rows))
    figure, axes = plt.subplots(
        len(rows), len(rows[0]), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for panels, row in zip(rows, axes, strict=True):
        for (name, curves), axis in zip(panels, row, strict=True):
            _panel(part, axis, name, curves)
            axis.label_outer()
    _limit(axes.flat)
    figure.legend(**_legend(axes.flat), loc="outside right upper", fontsize=9)
    title = textwrap.fill(title, LETTERS_PER_INCH * width)
    figure.suptitle(f"{title}\nmean over seeds; band from the least to the greatest", x=width / 2 / size[0])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    plt.close(figure)
    return buffer.getvalue()


def _limit(axes):
    """Room around what was drawn in any panel (they share the scale), so that some ticks are always in sight."""
    drawn = np.array([axis.dataLim.intervaly for axis in axes if np.all(np.isfinite(axis.dataLim.intervaly))])
    if len(drawn):
        axes[0].set_ylim(0.8 * drawn[:, 0].min(), 1.2 * drawn[:, 1].max())


def _legend(axes):
    """One legend for all panels; its texts have the seeds in each panel, row by row, if they are not the same."""
    lines, seeds = {}, {}
    for axis in axes:
        for line in axis.get_lines():
            label = line.get_label()
            if label not in lines or (line.get_gid() and not lines[label].get_gid()):
                lines[label] = line  # what is missing in one panel may be drawn in another
            seeds.setdefault(label, []).append(line.get_gid())
    title = "(n seeds, panel by panel)" if any(len(set(counts)) > 1 for counts in seeds.values()) else "(n seeds)"
    labels = [f"{label} {_count(seeds[label])}" for label in lines]
    return {"handles": list(lines.values()), "labels": labels, "title": title}


def _count(seeds):
    if not any(seeds):
        return "missing"
    return f"({', '.join(str(count) for count in (seeds[:1] if len(set(seeds)) == 1 else seeds))})"


def _panel(part, axis, name, curves):
    ticks = (0.5, 1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100)
    axis.set(title=name, xlabel="labelled images", ylabel="test error (%)", yscale="log")
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(alpha=0.3)
    for i, (label, cell) in enumerate(curves):
        runs = list(part.results.runs(cell).values())
        if not runs:
            axis.plot([], [], color=f"C{i}", linestyle=":", label=label, gid=0)
            continue
        labels, errors = band(runs)
        errors = np.maximum(errors, 1e-2)  # a test error of zero has no logarithm
        axis.plot(labels, errors.mean(0), color=f"C{i}", label=label, gid=len(runs))
        axis.fill_between(labels, errors.min(0), errors.max(0), color=f"C{i}", alpha=0.15, linewidth=0)
