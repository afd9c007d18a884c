"""Claims as data: a sentence of the paper, the comparisons that it comes down to, and the verdict on it.

A claim that errors are lower holds if *each* of its comparisons does, so its p-value is the greatest of theirs
(intersection-union test) when all point its way; when some point the other way, the least p-value of those, times
the number of comparisons. A claim of sameness can only be refuted: absence of a difference is no evidence of sameness
without a margin, and the paper names none. Holm's correction runs over all claims of a study.
"""

import dataclasses

from experiments.studies.statistics import PairedDifference, holm, paired_difference

LEAST_PAIRS, LEVEL = 6, 0.05
SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Test errors of two kinds of runs, paired by seed; the claim is that `a` is lower.

    Attributes:
      a, b: what is compared, in words.
      where: under which acquisition, and so on.
      difference: the `PairedDifference` of a - b in percentage points.
      paper: the paper's own two numbers in %, or None.
    """

    a: str
    b: str
    where: str
    difference: PairedDifference
    paper: tuple | None = None

    @property
    def pairs(self):
        """The number of pairs."""
        return self.difference.interval.n

    @property
    def holds_in_paper(self):
        """Whether the paper's own numbers agree with the claim."""
        return self.paper[0] < self.paper[1]


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence of the paper.

    Attributes:
      name: a short name.
      sentence: what it says.
      source: where.
      comparisons: list of `Comparison`.
      is_sameness: whether it says that nothing differs (else: that each `a` has the lower error).
      note: what else is to be known, such as a contradiction within the paper.
      measure: what is compared.
    """

    name: str
    sentence: str
    source: str
    comparisons: list
    is_sameness: bool = False
    note: str = ""
    measure: str = "the error"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A claim's verdict: supported, not supported or undecided, the p-values, and why."""

    claim: Claim
    word: str
    p_value: float
    adjusted: float
    why: str


def compare(a, b, where, errors_a, errors_b, paper=None):
    """A `Comparison` of two dicts from seed to error in %."""
    paper = None if paper is None or None in paper else paper
    return Comparison(a, b, where, paired_difference(errors_a, errors_b), paper)


def judge(claims):
    """The verdicts on all claims of a study, Holm's correction over them together.

    Args:
      claims: list of `Claim`.

    Returns:
      A list of `Verdict`, in the same order.
    """
    p_values = [_p_value(claim) for claim in claims]
    return [_verdict(*each) for each in zip(claims, p_values, holm(p_values), strict=True)]


def _fewest(claim):
    return min((comparison.pairs for comparison in claim.comparisons), default=0)


def _points_its_way(claim):
    return not claim.is_sameness and all(c.difference.lower > c.difference.higher for c in claim.comparisons)


def _p_value(claim):
    if _fewest(claim) < LEAST_PAIRS:
        return 1.0
    if _points_its_way(claim):
        return max(c.difference.p_value for c in claim.comparisons)
    against = [c.difference for c in claim.comparisons if claim.is_sameness or c.difference.higher > c.difference.lower]
    return min([1.0, *(len(claim.comparisons) * difference.p_value for difference in against)])


def _verdict(claim, p_value, adjusted):
    fewest = _fewest(claim)
    if fewest < LEAST_PAIRS:
        pairs = f"{fewest} pair{'' if fewest == 1 else 's'}"
        return Verdict(
            claim, UNDECIDED, p_value, adjusted, f"the least covered comparison has {pairs}; {LEAST_PAIRS} are needed"
        )
    evidence = f"p = {p_value:.2g}, {adjusted:.2g} after Holm's correction"
    lower = sum(c.difference.lower > c.difference.higher for c in claim.comparisons)
    count = f"{claim.measure} is lower, as claimed, in {lower} of {len(claim.comparisons)} comparisons ({evidence})"
    if claim.is_sameness:
        if adjusted <= LEVEL:
            return Verdict(claim, NOT_SUPPORTED, p_value, adjusted, f"there is a difference ({evidence})")
        return Verdict(claim, UNDECIDED, p_value, adjusted, f"no difference was shown, nor its absence ({evidence})")
    if adjusted > LEVEL:
        return Verdict(claim, UNDECIDED, p_value, adjusted, f"{count}: too little to tell")
    return Verdict(claim, SUPPORTED if _points_its_way(claim) else NOT_SUPPORTED, p_value, adjusted, count)
