"""Table 2, and what Table 3 shares with it: errors beside the paper's, labels needed, areas."""

import math

from experiments.studies.render import to_csv, to_latex, to_markdown
from experiments.studies.summaries import THRESHOLDS, arithmetic_words, summarise

CAPTION = (
    "Test error in %: mean over seeds ± half of its 95 % confidence interval (Student's t). A number of the paper "
    "(mean of 3 runs) stands below only where the runs have its protocol: MNIST, 1,000 labels, 200 epochs, 100 "
    "samples, and all else that it states; other cells show their own labels and epochs."
)


def table2(parts):
    """Table 2 in all formats.

    Args:
      parts: the `Slice`s of a study, each with one mu_init.

    Returns:
      Dict from a file's name to its text.
    """
    markdown, latex = heads("Table 2: the position of Bayesian layers", [CAPTION], parts[0].results)
    rows = []
    for part in parts:
        study = part.results.study
        summaries = {
            (arch, acquisition): summarise(part, part.cell(arch, acquisition))
            for acquisition in study.values("acquisitions")
            for arch in study.values("archs")
        }
        header = ["", *study.values("archs")]
        lines = []
        for acquisition in study.values("acquisitions"):
            row = [summaries[arch, acquisition] for arch in study.values("archs")]
            lines.append([acquisition, *(summary.text for summary in row)])
            lines += paper_line([summary.paper for summary in row])
        markdown.append(section(part, header, lines, list(summaries.values())))
        latex.append(latex_part(part, header, lines))
        rows += [csv_row(part, summary) for summary in summaries.values()]
    return {"table2.md": "\n".join(markdown), "table2.tex": "\n".join(latex), "table2.csv": to_csv(rows)}


def heads(title, captions, results):
    """What stands before the slices of a table, as the first texts of its Markdown and of its LaTeX (a comment)."""
    arithmetic = arithmetic_words(results)
    return ["\n\n".join([f"# {title}", *captions, *arithmetic]) + "\n"], [f"% {words}\n" for words in arithmetic]


def paper_line(numbers):
    """The paper's numbers as a list of one line, or of none where no run has its protocol."""
    if all(number is None for number in numbers):
        return []
    return [["paper", *("" if number is None else f"{number:.2f}" for number in numbers)]]


def section(part, header, lines, summaries):
    """The Markdown of a slice: its table, and where its learning curves get."""
    needed = [f"{100 * t:.0f} %: {word}" for t in THRESHOLDS for word in ("first", "stays")]
    curves = to_markdown(
        ["architecture", "acquisition", "mu_init", "n", "tested every", *needed, "mean error along the curve"],
        [_curve_line(summary) for summary in summaries if summary.error.n],
    )
    lead = (
        "Labels needed for 10 % and 5 % test error: the median over seeds (least to greatest) of where a curve first "
        "gets there, and of where it stays, as finely as it was tested (in labels; several numbers where runs or parts "
        "of them differ); and the area under the curve divided by its length, in %, with straight lines between tests."
    )
    return f"## {part.title}\n\n{to_markdown(header, lines)}\n{lead}\n\n{curves}"


def _curve_line(summary):
    needed = [_needed(kind[t], summary.labels) for t in THRESHOLDS for kind in (summary.first, summary.stays)]
    along = summary.along
    spread = f" ± {along.high - along.mean:.2f}" if along.n > 1 else ""
    area = f"{along.mean:.2f}{spread}" if along.n else "tested once"
    cell, steps = summary.cell, ", ".join(map(str, summary.steps))
    return [cell.arch, cell.acquisition, f"{cell.mu_init:g}", summary.error.n, steps, *needed, area]


def _needed(median_least_greatest, labels):
    texts = [f"> {labels}" if math.isinf(value) else f"{value:g}" for value in median_least_greatest]
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]} ({texts[1]} to {texts[2]})"


def latex_part(part, header, lines):
    """The LaTeX of a slice."""
    title = part.title.replace("_", r"\_")
    return f"% {part.title}\n\\textit{{{title}}}\n\n{to_latex(header, lines)}"


def slice_columns(part):
    """The columns of a CSV row that tell its slice."""
    mu = {} if part.mu_init is None else {"slice_mu_init": part.mu_init}
    return {**mu, "slice_kl_scale": part.kl_scale, "slice_loc_init": part.loc_init}


def csv_row(part, summary):
    """A CSV row of one cell."""
    row = {
        **slice_columns(part),
        "arch": summary.cell.arch,
        "acquisition": summary.cell.acquisition,
        "mu_init": summary.cell.mu_init,
        "n": summary.error.n,
        "wanted": summary.wanted,
        "labels": summary.labels,
        "epochs": summary.epochs,
        "error": summary.error.mean,
        "error_low": summary.error.low,
        "error_high": summary.error.high,
        "error_deviation": summary.error.deviation,
        "paper_error": summary.paper,
    }
    for t in THRESHOLDS:
        for word, kind in (("first", summary.first), ("stays", summary.stays)):
            row[f"labels_{100 * t:.0f}_{word}"] = kind[t][0] if t in kind else None
    steps = " ".join(map(str, summary.steps))
    return {**row, "tested_every": steps, "mean_error_along_curve": summary.along.mean}
