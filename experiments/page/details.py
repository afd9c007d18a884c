"""All about one group of runs: charts, acquired images, the table of cycles, settings."""

import numpy as np

from experiments.page import palette
from experiments.page.charts import Line, bar_chart, card, line_chart, sparkline
from experiments.page.collect import COMPLETE
from experiments.page.markup import tag
from experiments.page.text import duration, number, percent, plural
from experiments.page.thumbnails import chosen_cycles, strips
from experiments.records.paths import text_of

LABELLED = "labelled images"
COLUMNS = (
    ("cycle", "cycle", 1),
    ("labels", "labels", 1),
    ("test_error", "error %", 100),
    ("test_nll", "NLL", 1),
    ("test_brier", "Brier", 1),
    ("test_ece", "ECE", 1),
    ("train_nll", "train NLL", 1),
    ("train_kl", "train KL", 1),
    ("train_seconds", "train s", 1),
    ("score_seconds", "score s", 1),
    ("test_seconds", "test s", 1),
)


def group_details(group, anchor, images_per_run, is_open=False):
    """A folded block with all runs of a group.

    Args:
      group: a `Group`.
      anchor: the id to which the tables of results link.
      images_per_run: how many acquired images to show of each run.
      is_open: whether it is unfolded at first.

    Returns:
      `Markup`.
    """
    labels, mean, _, _ = group.curve("test_error")
    final = f"{percent(mean[-1])} %" if len(mean) else "not evaluated"
    seeds = plural(len(group.entries), "run")
    spark = sparkline(labels, mean, palette.color(palette.ARCHITECTURES, group.arch))
    title = [tag("b", group.arch), tag("span", group.acquisition), tag("span", group.mu_words)]
    unfinished = sum(entry.status != COMPLETE for entry in group.entries)
    badge = tag("span", f"{unfinished} unfinished" if len(group.entries) > 1 else "unfinished", class_="badge")
    right = tag("span", badge if unfinished else None, spark, tag("b", final), tag("small", seeds), class_="right")
    runs = [_run(entry, images_per_run, is_open=i == 0, is_alone=len(group.entries) == 1) for i, entry in
            enumerate(group.entries)]  # fmt: skip
    summary = tag("summary", tag("span", title, class_="name"), right)
    return tag("details", summary, tag("div", runs, id=anchor, class_="body"), class_="group", open=is_open)


def _run(entry, most_images, is_open, is_alone):
    badge = None if entry.status == COMPLETE else tag("span", f"{entry.status}: {entry.message}", class_="badge")
    seed = f"seed {entry.settings['seed']}"
    body = [
        tag("div", charts(entry), class_="cards"),
        acquired(entry.run, most_images),
        tag("details", tag("summary", "Every cycle as a table"), _cycles_table(entry.metrics), class_="fold"),
        tag("details", tag("summary", "Settings and origin"), _facts(entry), class_="fold"),
    ]
    if is_alone:
        return [tag("p", tag("b", seed), " ", badge, class_="seed"), body]
    return tag("details", tag("summary", tag("b", seed), " ", badge), body, class_="run", open=is_open)


def charts(entry):
    """The cards of one run."""
    metrics, tables = entry.metrics, entry.run.tables
    labels = metrics["labels"]
    color = palette.color(palette.ARCHITECTURES, entry.settings["arch"])
    error = Line("test error", labels, 100 * metrics["test_error"], color)
    scores = [
        Line(name, labels, metrics[column], palette.OTHERS[i])
        for i, (name, column) in enumerate((("NLL (nats)", "test_nll"), ("Brier", "test_brier"), ("ECE", "test_ece")))
    ]
    seconds = [
        Line(name, labels, metrics[f"{name}_seconds"], palette.OTHERS[i])
        for i, name in enumerate(("train", "score", "test"))
    ]
    objective = [
        Line("NLL", labels, metrics["train_nll"], palette.OTHERS[0]),
        Line("KL × weight", labels, metrics["train_kl"] * metrics["kl_weight"], palette.OTHERS[1]),
    ]
    counts = np.bincount(tables["acquisitions"]["label"].astype(int)).tolist()
    return [
        card("Test error", line_chart([error], LABELLED, "test error (%)", log_y=True), "%"),
        card("Scores on the test set", line_chart(scores, LABELLED, "score")),
        _reliability(tables["calibration"], labels),
        *_posterior(tables["posterior"], labels),
        card("Training objective", line_chart(objective, LABELLED, "negative ELBO (nats per image)"), "nats per image"),
        card("Labelled images by class", bar_chart(counts, "class", "count", color)),
        card("Time per cycle", line_chart(seconds, LABELLED, "seconds"), "seconds"),
    ]


def _reliability(calibration, labels):
    cycles = np.unique(calibration["cycle"])
    if not len(cycles):
        return card("Calibration", tag("p", "Not in this record.", class_="muted"))
    shown = dict.fromkeys((cycles[0], cycles[len(cycles) // 2], cycles[-1]))
    lines = []
    for cycle, color in zip(shown, ("pale1", "pale2", "blue3")[-len(shown) :], strict=True):
        mine = (calibration["cycle"] == cycle) & (calibration["count"] > 0)
        share = calibration["count"][mine] / calibration["count"][mine].sum()
        name = f"{labels[int(cycle)]:.0f} labels"
        x, y = calibration["confidence"][mine], calibration["accuracy"][mine]
        lines.append(Line(name, x, y, color, sizes=1.5 + 6 * np.sqrt(share)))
    chart = line_chart(lines, "confidence", "accuracy", x_range=(0, 1), y_range=(0, 1), diagonal=True)
    return card("Calibration", chart, "accuracy; dots: share of images")


def _posterior(posterior, labels):
    layers = list(dict.fromkeys(posterior["layer"]))
    if not layers:
        return [card("Posterior", tag("p", "This network has no Bayesian layer.", class_="muted"))]
    sigma, ratio, kl = [], [], []
    for i, layer in enumerate(layers):
        mine = np.array([name == layer for name in posterior["layer"]])
        column = {name: posterior[name][mine] for name in ("cycle", "sigma_mean", "sigma_std", "snr_median", "kl")}
        x, color = labels[column["cycle"].astype(int)], palette.color(palette.LAYERS, layer, i)
        mean, std = column["sigma_mean"], column["sigma_std"]
        sigma.append(Line(layer, x, mean, color, (np.maximum(mean - std, 0), mean + std), note=number(mean[-1])))
        ratio.append(Line(layer, x, column["snr_median"], color, note=number(column["snr_median"][-1])))
        kl.append(Line(layer, x, column["kl"], color, note=number(column["kl"][-1])))
    return [
        card("Posterior standard deviation", line_chart(sigma, LABELLED, "sigma"), "mean ± std of the layer's weights"),
        card("Signal to noise", line_chart(ratio, LABELLED, "median of |mean| / sigma"), "median of |mean| / sigma"),
        card("KL to the prior", line_chart(kl, LABELLED, "KL (nats)", log_y=True), "nats"),
    ]


def acquired(run, most):
    """The acquired images, cycle by cycle, folded away."""
    try:
        images = run.acquired
        cycles, labels, image = images["cycle"], images["label"], images["image"]
    except FileNotFoundError:
        return tag("p", "The acquired images are not in this record.", class_="muted")
    chosen = chosen_cycles(cycles, most)
    if not chosen:
        return tag("p", "The acquired images are left out; --images says how many the page shows.", class_="muted")
    figures = [
        tag(
            "figure",
            tag("figcaption", _cycle_words(run, cycle)),
            strips(image[cycles == cycle], labels[cycles == cycle]),
        )
        for cycle in chosen
    ]
    everything = len(chosen) == len(np.unique(cycles))
    title = "Acquired images, cycle by cycle" + ("" if everything else f" ({len(chosen)} of {cycles.max() + 1} cycles)")
    return tag("details", tag("summary", title), tag("div", figures, class_="strips"), class_="fold")


def _cycle_words(run, cycle):
    table = run.tables["acquisitions"]
    scores = table["score"][table["cycle"] == cycle]
    total = int((table["cycle"] <= cycle).sum())
    words = "the start" if cycle == 0 else f"cycle {cycle}"
    if not np.isfinite(scores).any() or run.config["settings"]["acquisition"] == "random":
        return [tag("b", words), f" · {total} labels"]
    return [tag("b", words), f" · {total} labels · score {number(np.nanmax(scores))} to {number(np.nanmin(scores))}"]


def _cycles_table(metrics):
    head = tag("tr", [tag("th", title) for _, title, _ in COLUMNS])
    rows = [
        tag("tr", [tag("td", number(factor * metrics[name][i], 4)) for name, _, factor in COLUMNS])
        for i in range(len(metrics["cycle"]))
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows), class_="numbers"), class_="scroll")


def _facts(entry):
    config, metrics = entry.run.config, entry.metrics
    dataset = {**dict.fromkeys(("name", "version", "train_images", "test_images")), **config["dataset"]}
    spent = sum(np.nansum(metrics[name]) for name in ("train_seconds", "score_seconds", "test_seconds"))
    pairs = [
        ("record", entry.path),
        ("time spent", duration(spent)),
        (
            "data set",
            "{name} {version}: {train_images} images to learn from, {test_images} to test on".format(**dataset),
        ),
        ("device", config.get("device") or "unknown"),
        ("commit", config.get("git_commit") or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in config["versions"].items())),
        *((f"changed at cycle {change['from_cycle']}", "; ".join(change["changes"])) for change in config["history"]),
        *((name, text_of(value)) for name, value in entry.settings.items()),
    ]
    return tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in pairs])
