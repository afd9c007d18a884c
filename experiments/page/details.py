"""All about one group of runs: charts, acquired images, the table of cycles, settings."""

import numpy as np

from experiments.page import palette
from experiments.page.charts import Line, bar_chart, card, line_chart, sparkline
from experiments.page.collect import COMPLETE
from experiments.page.markup import tag
from experiments.page.text import duration, mean, number, plural
from experiments.page.thumbnails import chosen_cycles, strips
from experiments.records.paths import text_of

COLUMNS = {  # of the table of cycles or epochs: titles and factors; what a kind of record does not have is left out
    "cycle": ("cycle", 1),
    "epoch": ("epoch", 1),
    "labels": ("labels", 1),
    "train_error": ("train error %", 100),
    "val_error": ("val error %", 100),
    "test_error": ("error %", 100),
    "test_nll": ("NLL", 1),
    "test_brier": ("Brier", 1),
    "test_ece": ("ECE", 1),
    "aleatoric": ("aleatoric", 1),
    "epistemic": ("epistemic", 1),
    "train_nll": ("train NLL", 1),
    "train_kl": ("train KL", 1),
    "train_seconds": ("train s", 1),
    "score_seconds": ("score s", 1),
    "test_seconds": ("test s", 1),
    "predict_seconds": ("predict s", 1),
}


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
    x, middle, _, _ = group.curve("test_error")
    _, errors = group.final("test_error")
    final = f"{mean(errors, 100)} %" if len(errors) else "not evaluated"
    seeds = plural(len(group.entries), "run")
    spark = sparkline(x, middle, palette.color(palette.ARCHITECTURES, group.network))
    title = [tag("b", group.network), tag("span", group.column), tag("span", group.mu_words)]
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
        acquired(entry.run, most_images) if entry.kind.layout.keeps_images else None,
        tag(
            "details",
            tag("summary", f"Every {entry.kind.layout.unit} as a table"),
            _table(entry.metrics),
            class_="fold",
        ),
        tag("details", tag("summary", "Settings and origin"), _facts(entry), class_="fold"),
    ]
    if is_alone:
        return [tag("p", tag("b", seed), " ", badge, class_="seed"), body]
    return tag("details", tag("summary", tag("b", seed), " ", badge), body, class_="run", open=is_open)


def charts(entry):
    """The cards of one run."""
    metrics, tables, kind = entry.metrics, entry.run.tables, entry.kind
    color = palette.color(palette.ARCHITECTURES, entry.settings[kind.network])

    def lines(columns, factor=1):
        return [
            Line(name, entry.x, factor * metrics[column], palette.OTHERS[i]) for i, (name, column) in enumerate(columns)
        ]

    def chart(shown, words, **how):
        return line_chart(shown, kind.x_words, words, **how)

    errors = lines(kind.errors, 100)
    if len(errors) == 1:
        errors = [Line(errors[0].name, entry.x, errors[0].y, color)]
    weighted = Line("KL × weight", entry.x, metrics["train_kl"] * metrics["kl_weight"], palette.OTHERS[1])
    objective = [*lines([("NLL", "train_nll")]), weighted]
    uncertainty = [(name, name) for name in ("aleatoric", "epistemic") if name in metrics]
    seconds = lines([(name, f"{name}_seconds") for name in kind.seconds])
    scores = lines((("NLL (nats)", "test_nll"), ("Brier", "test_brier"), ("ECE", "test_ece")))
    counts = np.bincount(tables["acquisitions"]["label"].astype(int)).tolist() if kind.layout.keeps_images else None
    return [
        card("Test error" if len(errors) == 1 else "Error", chart(errors, "test error (%)", log_y=True), "%"),
        card("Scores on the test set", chart(scores, "score")),
        card("Uncertainty on the test set", chart(lines(uncertainty), "mean trace", log_y=True), "mean trace")
        if uncertainty
        else None,
        _reliability(entry),
        *_posterior(entry),
        *_weights(entry),
        card("Training objective", chart(objective, "negative ELBO (nats per image)"), "nats per image"),
        card("Labelled images by class", bar_chart(counts, "class", "count", color)) if counts else None,
        card(f"Time per {kind.layout.unit}", chart(seconds, "seconds"), "seconds"),
    ]


def _reliability(entry):
    calibration, unit = entry.run.tables["calibration"], entry.kind.layout.unit
    units = np.unique(calibration[unit])
    if not len(units):
        return card("Calibration", tag("p", "Not in this record.", class_="muted"))
    shown = dict.fromkeys((units[0], units[len(units) // 2], units[-1]))
    lines = []
    for number_of, color in zip(shown, ("pale1", "pale2", "blue3")[-len(shown) :], strict=True):
        mine = (calibration[unit] == number_of) & (calibration["count"] > 0)
        share = calibration["count"][mine] / calibration["count"][mine].sum()
        name = entry.kind.where(_x_of(entry, number_of)).removeprefix("at ")
        x, y = calibration["confidence"][mine], calibration["accuracy"][mine]
        lines.append(Line(name, x, y, color, sizes=1.5 + 6 * np.sqrt(share)))
    chart = line_chart(lines, "confidence", "accuracy", x_range=(0, 1), y_range=(0, 1), diagonal=True)
    return card("Calibration", chart, "accuracy; dots: share of images")


def _x_of(entry, numbers):
    """Where cycles or epochs stand on the horizontal axis."""
    return entry.x[np.asarray(numbers, int) - entry.kind.layout.first]


def _posterior(entry):
    posterior, unit, x_words = entry.run.tables["posterior"], entry.kind.layout.unit, entry.kind.x_words
    layers = list(dict.fromkeys(posterior["layer"]))
    if not layers:
        return [card("Posterior", tag("p", "This network has no Bayesian layer.", class_="muted"))]
    sigma, ratio, kl = [], [], []
    for i, layer in enumerate(layers):
        mine = np.array([name == layer for name in posterior["layer"]])
        column = {name: posterior[name][mine] for name in (unit, "sigma_mean", "sigma_std", "snr_median", "kl")}
        x, color = _x_of(entry, column[unit]), palette.color(palette.LAYERS, layer, i)
        sigmas, std = column["sigma_mean"], column["sigma_std"]
        band = (np.maximum(sigmas - std, 0), sigmas + std)
        sigma.append(Line(layer, x, sigmas, color, band, note=number(sigmas[-1])))
        ratio.append(Line(layer, x, column["snr_median"], color, note=number(column["snr_median"][-1])))
        kl.append(Line(layer, x, column["kl"], color, note=number(column["kl"][-1])))
    return [
        card("Posterior standard deviation", line_chart(sigma, x_words, "sigma"), "mean ± std of the layer's weights"),
        card("Signal to noise", line_chart(ratio, x_words, "median of |mean| / sigma"), "median of |mean| / sigma"),
        card("KL to the prior", line_chart(kl, x_words, "KL (nats)", log_y=True), "nats"),
    ]


def _weights(entry):
    """The posterior of one weight of each layer, where a record has it."""
    weights, unit = entry.run.tables.get("weights"), entry.kind.layout.unit
    if weights is None or not len(weights[unit]):
        return []
    lines = []
    for i, layer in enumerate(dict.fromkeys(weights["layer"])):
        mine = np.array([name == layer for name in weights["layer"]])
        mu, sigma = weights["mu"][mine], weights["sigma"][mine]
        color = palette.color(palette.LAYERS, layer, i)
        lines.append(Line(layer, _x_of(entry, weights[unit][mine]), mu, color, (mu - sigma, mu + sigma)))
    return [card("One weight of each layer", line_chart(lines, entry.kind.x_words, "weight"), "mean ± sigma")]


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


def _table(metrics):
    columns = {name: how for name, how in COLUMNS.items() if name in metrics}
    head = tag("tr", [tag("th", title) for title, _ in columns.values()])
    rows = [
        tag("tr", [tag("td", number(factor * metrics[name][i], 4)) for name, (_, factor) in columns.items()])
        for i in range(len(metrics["test_error"]))
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows), class_="numbers"), class_="scroll")


def _facts(entry):
    config, metrics = entry.run.config, entry.metrics
    dataset = {**dict.fromkeys(("name", "version", "train_images", "test_images")), **config["dataset"]}
    spent = sum(np.nansum(metrics[f"{name}_seconds"]) for name in entry.kind.seconds)
    unit = entry.kind.layout.unit
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
        *(
            (f"changed at {unit} {change[f'from_{unit}']}", "; ".join(change["changes"]))
            for change in config["history"]
        ),
        *((name, text_of(value)) for name, value in entry.settings.items()),
    ]
    return tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in pairs])
