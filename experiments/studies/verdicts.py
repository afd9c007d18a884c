"""Claims about sizes: "about twenty times", "6 points more", "within 2 points", and the verdicts on them.

A claim comes down to estimates, each a number per seed whose mean the claim says to lie between two bounds. By
Student's t-tests over seeds, p(inside) is the greatest p-value of the means being beyond a bound (two one-sided tests,
Schuirmann 1987; all estimates of a claim have to hold), and p(outside) the least of their being within, times the
number of bounds. Unlike a sign test this decides with few seeds, if the differences between them are small; it takes
them as Normal.
"""

import dataclasses
import math

import numpy as np
from scipy import stats

from experiments.studies.claims import LEVEL, NOT_SUPPORTED, SUPPORTED, UNDECIDED
from experiments.studies.render import to_csv, to_markdown
from experiments.studies.statistics import holm, mean_interval

LEAST_SEEDS = 3

HOW = f"""## How this was decided

- An estimate is a number per seed; where two networks are compared, both runs have the same seed. Its mean is shown
  with Student's 95 % confidence interval over seeds; ratios are averaged as logarithms.
- The bounds are what the claim was taken to mean; `about` a factor is from half of it to twice it, `comparable` within
  2 points.
- p(inside), p(outside): one-sided t-tests against the bounds; all estimates of a claim must lie inside, and one
  outside refutes it. The p-value of a claim is twice the lesser, and Holm's correction runs over all claims on this
  page. Supported: at most {LEVEL} after the correction, inside. Not supported: the same, outside. Undecided: everything
  else, and always below {LEAST_SEEDS} seeds (a claim of several estimates can be refuted by one that has them).
- Rank correlations are far from Normal, and often all alike: they have a one-sided sign test over seeds instead.
"""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number per seed, and where its mean lies if the claim is right.

    Attributes:
      name: what it is, in words.
      values: dict from seed to number; of a ratio, which is positive.
      low, high: the bounds; infinite where there is none.
      unit: "points", "ratio", "rank" (of a rank correlation) and the like.
      thesis: the thesis's own number, or None.
    """

    name: str
    values: dict
    low: float = -math.inf
    high: float = math.inf
    unit: str = "points"
    thesis: float | None = None

    @property
    def interval(self):
        """The mean's `Interval`, in the unit."""
        found = mean_interval(self._scaled)
        if self.unit != "ratio":
            return found
        low, mean, high = (math.exp(x) for x in (found.low, found.mean, found.high))
        return dataclasses.replace(found, mean=mean, low=low, high=high)

    @property
    def _scaled(self):
        values = np.round(np.array(list(self.values.values()), float), 9)  # equal errors, made percentages apart
        return np.log(values) if self.unit == "ratio" else values

    def p_values(self):
        """`(p(inside), p(outside))`; 1 below `LEAST_SEEDS` seeds."""
        values = self._scaled
        if len(values) < LEAST_SEEDS:
            return 1.0, 1.0
        p_value = _sign_p_value if self.unit == "rank" else _p_value
        bounds = [
            (math.log(bound) if self.unit == "ratio" else bound, side)
            for bound, side in ((self.low, "greater"), (self.high, "less"))
            if math.isfinite(bound) and (self.unit != "ratio" or bound > 0)
        ]
        inside = max(p_value(values, bound, side) for bound, side in bounds)
        other = {"greater": "less", "less": "greater"}
        outside = min(p_value(values, bound, other[side]) for bound, side in bounds) * len(bounds)
        return inside, min(1.0, outside)


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence of the thesis, and the estimates that it comes down to."""

    name: str
    sentence: str
    source: str
    estimates: list
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the runs say to a claim: supported, not supported or undecided, and why."""

    claim: Claim
    word: str
    adjusted: float
    why: str


def judge(claims):
    """The verdicts on all claims, Holm's correction over them together: a list in the same order."""
    pairs = [_claim_p_values(claim) for claim in claims]
    adjusted = holm([min(1.0, 2 * min(pair)) for pair in pairs])
    return [_verdict(*each) for each in zip(claims, pairs, adjusted, strict=True)]


def page(title, summary, claims):
    """`claims.md` and `claims.csv`.

    Args:
      title: the heading.
      summary: a line about the runs.
      claims: list of `Claim`.

    Returns:
      Dict from a file's name to its text.
    """
    verdicts = judge(claims)
    lines = [f"# {title}", "", summary, "", "## Verdicts", ""]
    lines.append(to_markdown(["claim", "verdict"], [[v.claim.sentence, f"**{v.word}**"] for v in verdicts]))
    for verdict in verdicts:
        claim = verdict.claim
        lines += [f"### {claim.name}", "", f"> {claim.sentence} ({claim.source})", ""]
        lines += [f"**{verdict.word.capitalize()}**: {verdict.why}.", ""]
        header = ["estimate", "seeds", "mean [95 %]", "claimed", "thesis"]
        lines.append(to_markdown(header, [_line(estimate) for estimate in claim.estimates]))
        if claim.note:
            lines += [claim.note, ""]
    return {"claims.md": "\n".join([*lines, HOW]), "claims.csv": to_csv(_rows(verdicts))}


def _p_value(values, bound, side):
    if np.ptp(values) == 0:
        is_beyond = values[0] > bound if side == "greater" else values[0] < bound
        return 0.0 if is_beyond else 1.0
    t = (values.mean() - bound) / (values.std(ddof=1) / math.sqrt(len(values)))
    return float(stats.t.sf(t if side == "greater" else -t, len(values) - 1))


def _sign_p_value(values, bound, side):
    beyond, short = np.sum(values > bound), np.sum(values < bound)
    count = beyond if side == "greater" else short
    if not beyond + short:
        return 1.0
    return float(stats.binomtest(int(count), int(beyond + short), alternative="greater").pvalue)


def _claim_p_values(claim):
    pairs = [estimate.p_values() for estimate in claim.estimates] or [(1.0, 1.0)]
    fewest = min((len(estimate.values) for estimate in claim.estimates), default=0)
    inside = max(inside for inside, _ in pairs) if fewest >= LEAST_SEEDS else 1.0
    return inside, min(1.0, min(outside for _, outside in pairs) * len(pairs))


def _verdict(claim, pair, adjusted):
    inside, outside = pair
    evidence = f"p = {min(inside, outside):.2g}, {adjusted:.2g} two-sided and after Holm's correction"
    if adjusted <= LEVEL:
        word = SUPPORTED if inside < outside else NOT_SUPPORTED
        what = "all estimates lie where they should" if word == SUPPORTED else "an estimate lies elsewhere"
        return Verdict(claim, word, adjusted, f"{what} ({evidence})")
    fewest = min((len(estimate.values) for estimate in claim.estimates), default=0)
    if fewest < LEAST_SEEDS:
        seeds = f"{fewest} seed{'s' * (fewest != 1)}"
        return Verdict(claim, UNDECIDED, adjusted, f"the least covered estimate has {seeds}; {LEAST_SEEDS} are needed")
    return Verdict(claim, UNDECIDED, adjusted, f"too little to tell ({evidence})")


def _line(estimate):
    thesis = "" if estimate.thesis is None else f"{estimate.thesis:g}"
    return [estimate.name, len(estimate.values), _text(estimate), _bounds(estimate), thesis]


def _text(estimate):
    interval = estimate.interval
    if not interval.n:
        return "not run"
    unit = {"ratio": "x", "points": " points"}.get(estimate.unit, "")
    between = "" if math.isnan(interval.low) else f" [{interval.low:.2f}, {interval.high:.2f}]"
    return f"{interval.mean:.2f}{between}{unit}"


def _bounds(estimate):
    if math.isinf(estimate.low):
        return f"below {estimate.high:g}"
    return f"above {estimate.low:g}" if math.isinf(estimate.high) else f"{estimate.low:g} to {estimate.high:g}"


def _rows(verdicts):
    rows = []
    for verdict in verdicts:
        for estimate in verdict.claim.estimates:
            interval, (inside, outside) = estimate.interval, estimate.p_values()
            rows.append(
                {
                    "claim": verdict.claim.name,
                    "verdict": verdict.word,
                    "claim_p_holm": verdict.adjusted,
                    "estimate": estimate.name,
                    "unit": estimate.unit,
                    "seeds": interval.n,
                    "mean": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "claimed_low": estimate.low,
                    "claimed_high": estimate.high,
                    "p_inside": inside,
                    "p_outside": outside,
                    "thesis": estimate.thesis,
                }
            )
    return rows
