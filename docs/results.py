"""Writes the tables of results into README.md, from the small records' reports in `results/`.

    python docs/results.py

Each table stands between two comments, `<!-- table: NAME -->` and `<!-- end of table -->`; NAME is a function of this
file's `TABLES`. The reports are made by the studies' own commands (`--report_only --output_dir=results`).
"""

import csv
import json
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from experiments.shridhar import published  # noqa: E402

PLACE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.S)
ACQUISITIONS = ("random", "max_entropy", "var_ratios")
NOT_RUN = "not run"


def rows_of(path, root=ROOT):
    """The rows of a CSV file under `results/` as dicts of texts."""
    with open(root / "results" / path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def markdown(header, rows):
    """A Markdown table."""
    return "".join("| " + " | ".join(line) + " |\n" for line in (header, ["---"] * len(header), *rows))


def layer_position():
    """Test errors of the networks and acquisition functions, one line for each divisor of the KL."""
    found = {}
    for row in rows_of("layer_position/mnist/table2.csv"):
        divisor = "no KL" if row["arch"] in ("CNN", "MC-Dropout") else row["slice_kl_scale"]
        cells = found.setdefault((row["arch"], divisor), {})
        other = cells.get(row["acquisition"], row)
        if int(row["n"]) and int(other["n"]) and row["error"] != other["error"]:
            raise ValueError(
                f"two cells of table2.csv are one of README's: {row['arch']}, {row['acquisition']}, {divisor}"
            )
        if not int(row["n"]) and int(other["n"]):
            continue
        cells[row["acquisition"]] = row
    lines = [
        [
            arch,
            divisor,
            *(_error(cells[name]) for name in ACQUISITIONS),
            *(_labels(cells[name]) for name in ACQUISITIONS),
        ]
        for (arch, divisor), cells in sorted(found.items(), key=lambda item: (item[0][1] == "dataset", item[0][0]))
        if any(int(row["n"]) for row in cells.values())
    ]
    header = ["network", "KL divided by", *ACQUISITIONS, *(f"10 %: {name}" for name in ACQUISITIONS)]
    return markdown(header, lines)


def _error(row):
    if not int(row["n"]):
        return NOT_RUN
    return f"{float(row['error']):.2f}" + (f" (n = {row['n']})" if int(row["n"]) > 1 else "")


def _labels(row):
    if not int(row["n"]):
        return NOT_RUN
    return f"{float(row['labels_10_first']):g}" if row["labels_10_first"] != "inf" else f"> {row['labels']}"


def claims():
    """What the runs say to each claim of section 4: the mean differences of its comparisons, and the verdict."""
    found = {}
    for row in rows_of("layer_position/mnist/claims.csv"):
        found.setdefault((row["claim"], re.search(r"kl_scale = (\w+)", row["slice"])[1]), []).append(row)
    lines = []
    for (_, divisor), rows in found.items():
        compared = {}
        for row in rows:
            compared.setdefault((row["a"], row["b"]), {})[row["where"]] = row
        differences = [", ".join(_difference(each[name]) for each in compared.values()) for name in ACQUISITIONS[1:]]
        pairs = [int(row["pairs"]) for row in rows]
        if any(pairs):
            count = f"{min(pairs)} to {max(pairs)}" if min(pairs) < max(pairs) else str(pairs[0])
            claim = ", ".join(f"{a} < {b}" for a, b in compared)
            lines.append([claim, divisor, *differences, count, rows[0]["verdict"]])
    return markdown(["claim", "KL divided by", *ACQUISITIONS[1:], "pairs", "verdict"], lines)


def _difference(row):
    return f"{float(row['difference']):+.2f}" if int(row["pairs"]) else NOT_RUN


def init_study():
    """Test errors by the initial variance, and at the one that is chosen on other seeds, or on the same."""
    rows, tuned = rows_of("init_study/mnist/table3.csv"), {}
    mus, found = list(dict.fromkeys(row["mu_init"] for row in rows if row["kind"] == "single")), {}
    for row in rows:
        names = row["arch"], row["acquisition"]
        if row["kind"] == "single":
            found.setdefault(names, {})[row["mu_init"]] = row
        else:
            tuned[names] = row
    lines = [
        [*names, *(_error(cells[mu]) if mu in cells else NOT_RUN for mu in mus), *_tuned(tuned[names])]
        for names, cells in found.items()
        if sum(int(row["n"]) > 0 for row in cells.values()) > 1
    ]
    header = ["network", "acquisition", *(f"mu_init = {float(mu):g}" for mu in mus)]
    return markdown([*header, "chosen on other seeds", "chosen on the same seeds"], lines)


def _tuned(row):
    """A row's errors at the chosen mu_init, over the seeds that have all of them."""
    if not int(row["n"]):
        return ["not all run"] * 2
    same = f"{float(row['error']):.2f} (at {float(row['mu_init']):g})"
    if row["error_other_seeds"] in ("", "nan"):
        return ["needs two seeds", same]
    chosen = ", ".join(f"{float(pair.split(':')[1]):g}" for pair in row["chosen_on_other_seeds"].split())
    return [f"{float(row['error_other_seeds']):.2f} (at {chosen})", same]


def image_classification():
    """A line for each kind of network and data set that was run, beside Shridhar's Tables 1 and 4."""
    cells = {}
    for file in sorted((ROOT / "results" / "image_classification").glob("*/*/*/seed*/metrics.csv")):
        dataset, model = file.parts[-5:-3]
        inference = json.loads((file.parent / "config.json").read_text())["settings"]["inference"]
        runs = cells.setdefault((dataset, model, inference), {})
        if runs and file.parent.parent not in {other.parent.parent for other in runs}:
            raise ValueError(f"records of two settings are one line of README: {file.parent.parent}")
        runs[file] = rows_of(file.relative_to(ROOT / "results"))
    header = [
        "data",
        "network",
        "epochs",
        "seeds",
        "accuracy (%)",
        "thesis",
        "NLL (nats)",
        "ECE",
        "aleatoric",
        "epistemic",
    ]
    return markdown(
        [*header, "minutes"], [_trained(*cell, list(cells[cell].values())) for cell in sorted(cells, reverse=True)]
    )


def _trained(dataset, model, inference, runs):
    last = [run[-1] for run in runs]
    row = {"variational": "Bayesian", "frequentist": "Frequentist"}.get(inference, inference)
    name = {"lenet5": "LeNet-5", "alexnet": "AlexNet", "alexnet_half": "AlexNetHalf"}[model]
    thesis = published.TABLE1.get((f"{row} {name}{' (VI)' * (inference == 'variational')}", dataset), "")
    seconds = [sum(float(r[c] or 0) for r in run for c in ("train_seconds", "predict_seconds")) for run in runs]
    accuracies = [100 * (1 - float(r["test_error"])) for r in last]
    means = [
        statistics.mean(float(r[name]) for r in last) for name in ("test_nll", "test_ece", "aleatoric", "epistemic")
    ]
    spread = f" ({min(accuracies):.2f} to {max(accuracies):.2f})" if len(runs) > 1 else ""
    return [
        {"mnist": "MNIST", "cifar10": "CIFAR-10"}.get(dataset, dataset),
        f"{name}, {inference}",
        last[0]["epoch"],
        str(len(runs)),
        f"{statistics.mean(accuracies):.2f}{spread}",
        str(thesis),
        *(f"{value:.3g}" for value in means),
        f"{statistics.mean(seconds) / 60:.0f}",
    ]


def prior_study():
    """Accuracies on the toy data, a line for each prior and hyperprior, beside the report's."""
    found = {}
    for row in rows_of("prior_study/accuracy.csv"):
        found.setdefault((row["prior"], row["hyperprior"]), {})[row["dataset"]] = row
    lines = []
    for (prior, hyperprior), cells in found.items():
        report = [cells[data]["report_accuracy"] for data in ("moons", "circles")]
        own = [f"{100 * float(cells[data]['accuracy']):.1f}" for data in ("moons", "circles")]
        pairs = [
            mine + (f" (report: {100 * float(theirs):.1f})" if theirs else "")
            for mine, theirs in zip(own, report, strict=True)
        ]
        lines.append([prior, hyperprior, *pairs])
    return markdown(["prior", "hyperprior", "moons: accuracy (%)", "circles: accuracy (%)"], lines)


TABLES = {
    "layer_position": layer_position,
    "claims": claims,
    "init_study": init_study,
    "image_classification": image_classification,
    "prior_study": prior_study,
}


def readme(root=ROOT):
    """What README.md should be."""
    text = (root / "README.md").read_text(encoding="utf-8")
    return PLACE.sub(lambda place: place[1] + TABLES[place[2]]() + place[3], text)


if __name__ == "__main__":
    (ROOT / "README.md").write_text(readme(), encoding="utf-8")
