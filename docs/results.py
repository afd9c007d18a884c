"""Writes the tables of results into README.md, from the small records' reports in `results/`.

    python docs/results.py

Each table stands between two comments, `<!-- table: NAME -->` and `<!-- end of table -->`; NAME is a function of this
file's `TABLES`. The reports are made by the studies' own commands (`--report_only --output_dir=results`).
"""

import csv
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
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
        found.setdefault((row["arch"], divisor), {})[row["acquisition"]] = row
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


TABLES = {"layer_position": layer_position}


def readme(root=ROOT):
    """What README.md should be."""
    text = (root / "README.md").read_text(encoding="utf-8")
    return PLACE.sub(lambda place: place[1] + TABLES[place[2]]() + place[3], text)


if __name__ == "__main__":
    (ROOT / "README.md").write_text(readme(), encoding="utf-8")
