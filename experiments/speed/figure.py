"""The benchmark's rows as a picture."""

from experiments.speed.works import SIZES

TITLES = {
    "train_step": "training step",
    "score_pool": f"score {SIZES['score_pool']:,} images x 100",
    "predict_test": f"predict {SIZES['predict_test']:,} images x 100",
}


def draw(rows, path):
    """Bars of the ratio to the naive way, a panel per work, logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    works = [work for work in TITLES if any(row["work"] == work for row in rows)]
    figure = Figure(figsize=(4 * max(1, len(works)), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for number, work in enumerate(works, 1):
        axes = figure.add_subplot(1, len(works), number)
        mine = [row for row in rows if row["work"] == work]
        bars = axes.barh([row["arch"] for row in mine], [row["ratio"] for row in mine], color="#4477aa")
        axes.bar_label(bars, [f"{row['ratio']:.1f}x" for row in mine], padding=3, fontsize=8)
        axes.set_xscale("log")
        right = 3 * max(row["ratio"] for row in mine)
        axes.set_xlim(0.5, right)
        ticks = [tick for tick in (0.5, 1, 2, 3, 5, 10, 30, 100, 300, 1000) if tick <= right]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.axvline(1, color="0.4", linewidth=1)
        axes.invert_yaxis()
        axes.set_title(TITLES[work], fontsize=10)
        axes.set_xlabel("times faster than the naive way")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
