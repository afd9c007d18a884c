"""`claims.md` and `claims.csv`: the paper's claims, what the runs say to them, and how that was decided."""

import itertools
import math

from experiments.records.paths import text_of
from experiments.studies.claims import LEAST_PAIRS, LEVEL, judge
from experiments.studies.collect import COMPLETE, MISSING
from experiments.studies.grid import Cell
from experiments.studies.published import QUOTED, TABLE2, TABLE3
from experiments.studies.render import to_csv, to_markdown
from experiments.studies.summaries import arithmetic_words


def _against_gal():
    """What the paper's tables say to its own sentence on MC Dropout."""
    cells = [(table, *cell) for table in (TABLE2, TABLE3) for cell in table if cell[0] != QUOTED]
    below = sum(table[arch, name] < table[QUOTED, name] for table, arch, name in cells)
    return f"In the paper's own tables,\n  {below} of {len(cells)} errors are below MC Dropout's."


HOW = f"""## How this was decided

- A pair is two runs of the same seed. What a seed makes them share: across architectures the initial labels only;
  across `mu_init` also the initial means and the noise; across acquisitions the initial labels and weights. Nothing
  more is claimed.
- The claim is always that a has the lower error. Differences are of the final test error, in percentage points, with
  Student's 95 % confidence interval over pairs.
- p is of the two-sided sign test (ties left out). A claim with several comparisons needs all of them: its p is the
  greatest of theirs when all point its way, else the least of those that point against it, times the number of
  comparisons.
- Holm's correction runs over all claims on this page. Supported: an adjusted p of at most 0.05, all comparisons the
  claimed way. Not supported: an adjusted p of at most 0.05 against it. Undecided: everything else, and always below
  {LEAST_PAIRS} pairs.
- A claim that nothing differs can be refuted by these tests, never supported.
- That BNN-1 "maintains the speed and accuracy performance" of a CNN (section 4.1) names no margin and is not judged:
  `cost.csv` has the seconds, which compare only between runs of the same acquisitions on one machine that did nothing
  else, and the tables have both errors. That under variation ratios the Bayesian-ness of the initialization has a
  greater effect than the architecture (section 4.1) names no measure of an effect and is not judged either: the
  `table3.csv` of `experiments.init_study` has the errors of both. That the test errors are "slightly lower" than those
  of Gal et al. 2017 (section 4) is not judged, since those runs had another protocol. {_against_gal()}
"""


def write(title, results, claims_of_parts, tables_of_parts):
    """The page of a study.

    Args:
      title: its heading.
      results: the `Results`.
      claims_of_parts: list of (`Slice`, list of `Claim`).
      tables_of_parts: list of (heading, list of `Comparison`): differences that no claim rests on.

    Returns:
      Dict from a file's name to its text.
    """
    verdicts = judge([claim for _, claims in claims_of_parts for claim in claims])
    owners = [part for part, claims in claims_of_parts for _ in claims]
    lines = [f"# {title}", "", *_summary(results), ""]
    lines += [line for words in arithmetic_words(results) for line in (words, "")]
    lines += ["## Verdicts", ""]
    told = [
        [verdict.claim.sentence, part.title, f"**{verdict.word}**"]
        for part, verdict in zip(owners, verdicts, strict=True)
    ]
    lines.append(to_markdown(["claim", "slice", "verdict"], told))
    for part, verdict in zip(owners, verdicts, strict=True):
        lines += _claim(part, verdict)
    for heading, comparisons in tables_of_parts:
        lines += [f"## {heading}", "", comparison_table(comparisons)]
    lines += [HOW + _least_pairs(len(verdicts)), *_lacking(results)]
    return {"claims.md": "\n".join(lines).rstrip() + "\n", "claims.csv": to_csv(_csv_rows(owners, verdicts))}


def _least_pairs(claims):
    """How many pairs Holm's correction takes on a page of so many claims, if all of them point one way."""
    pairs = next(n for n in itertools.count(LEAST_PAIRS) if claims * 2.0 ** (1 - n) <= LEVEL)
    return f"- With the {claims} claims of this page, at least {pairs} pairs that all point one way decide the first.\n"


def _summary(results):
    complete = sum(row.state == COMPLETE for row in results.rows)
    study = results.study
    return [
        f"{complete} of {len(results.rows)} runs are complete. {results.dataset}, {results.labels} labels at the end, "
        f"{study.epochs} epochs, {study.num_samples} samples, seeds {study.seed} to {study.seed + study.seeds - 1}."
    ]


def _claim(part, verdict):
    claim = verdict.claim
    lines = [f"### {claim.name} ({part.title})", "", f"> {claim.sentence} ({claim.source})", ""]
    lines += [f"**{verdict.word.capitalize()}**: {verdict.why}.", "", comparison_table(claim.comparisons)]
    return [*lines, *[f"{text}\n" for text in (_paper(claim), claim.note) if text]]


def _paper(claim):
    """What the paper's own numbers say to its claim."""
    known = [comparison for comparison in claim.comparisons if comparison.paper]
    if not known:
        return "The paper shows curves for this, no numbers."
    against = [f"{c.where}: {c.a} {c.paper[0]:.2f}, {c.b} {c.paper[1]:.2f}" for c in known if not c.holds_in_paper]
    text = f"In the paper's own tables it holds in {len(known) - len(against)} of {len(known)} comparisons"
    return f"{text} (not in {'; '.join(against)})." if against else f"{text}."


def comparison_table(comparisons):
    """The Markdown table of comparisons: pairs, differences with their interval, and the sign test."""
    header = ["a", "b", "where", "pairs", "a - b (points)", "a lower/higher/equal", "p"]
    return to_markdown(header, [_line(comparison) for comparison in comparisons])


def _line(comparison):
    difference = comparison.difference
    interval = difference.interval
    if not interval.n:
        return [comparison.a, comparison.b, comparison.where, 0, "missing", "", ""]
    text = f"{interval.mean:+.2f}"
    if not math.isnan(interval.low):
        text += f" [{interval.low:+.2f}, {interval.high:+.2f}]"
    counts = f"{difference.lower}/{difference.higher}/{difference.ties}"
    return [comparison.a, comparison.b, comparison.where, interval.n, text, counts, f"{difference.p_value:.3g}"]


def _lacking(results):
    """The runs that are not complete: those with something on disk one by one, the others as a number."""
    if not results.lacking:
        return []
    begun = [row for row in results.lacking if row.state != MISSING]
    lines, others = ["## Runs that are missing\n"], len(results.lacking) - len(begun)
    lines += [f"{others} {'is' if others == 1 else 'are'} not begun (`runs.csv` names them)."] * bool(others)
    rows = [[row.state, *map(text_of, row.cell), row.config.seed, row.why] for row in begun]
    table = to_markdown(["state", *Cell._fields, "seed", "why"], rows)
    return [*lines, *([f"\n{table}" if others else table] if begun else [])]


def _csv_rows(owners, verdicts):
    rows = []
    for part, verdict in zip(owners, verdicts, strict=True):
        for comparison in verdict.claim.comparisons:
            difference = comparison.difference
            rows.append(
                {
                    "claim": verdict.claim.name,
                    "slice": part.title,
                    "verdict": verdict.word,
                    "claim_p": verdict.p_value,
                    "claim_p_holm": verdict.adjusted,
                    "a": comparison.a,
                    "b": comparison.b,
                    "where": comparison.where,
                    "pairs": comparison.pairs,
                    "difference": difference.interval.mean,
                    "low": difference.interval.low,
                    "high": difference.interval.high,
                    "lower": difference.lower,
                    "higher": difference.higher,
                    "equal": difference.ties,
                    "p": difference.p_value,
                }
            )
    return rows
