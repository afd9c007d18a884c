"""Verdicts against errors made up so that the answer is known."""

import numpy as np
import pytest
from scipy import stats

from experiments.studies import claims, zeng
from experiments.studies.claims import Claim, compare, judge


def claim(*differences, is_sameness=False):
    """A claim whose comparisons have these differences a - b, one list of pairs each."""
    comparisons = [
        compare("a", "b", "here", {i: 5.0 + d for i, d in enumerate(pairs)}, dict.fromkeys(range(len(pairs)), 5.0))
        for pairs in differences
    ]
    return Claim("a claim", "a is better.", "nowhere", comparisons, is_sameness)


def words(*all_claims):
    return [verdict.word for verdict in judge(list(all_claims))]


@pytest.mark.parametrize("pairs", range(6))
def test_below_six_pairs_everything_is_undecided(pairs):
    assert words(claim([-3.0] * pairs)) == ["undecided"]
    assert words(claim([3.0] * pairs)) == ["undecided"]
    assert words(claim([-3.0] * 20, [-3.0] * pairs)) == ["undecided"]
    assert words(claim([3.0] * 20, [-3.0] * pairs)) == ["undecided"]
    assert words(claim([3.0] * pairs, is_sameness=True)) == ["undecided"]


def test_below_six_pairs_there_is_no_p_value_that_holm_could_use():
    (verdict,) = judge([claim([-3.0] * 5)])
    assert verdict.p_value == verdict.adjusted == 1.0
    assert words(claim([-3.0] * 5), claim([-3.0] * 7)) == ["undecided", "supported"]  # 2 x 2 / 128


def test_six_pairs_can_decide():
    assert words(claim([-1.0] * 6)) == ["supported"]  # p = 2 / 64
    assert words(claim([1.0] * 6)) == ["not supported"]
    assert words(claim([-1.0] * 5 + [1.0])) == ["undecided"]
    assert words(claim([0.0] * 10)) == ["undecided"]


def test_every_comparison_is_needed():
    assert words(claim([-1.0] * 10, [-1.0] * 10)) == ["supported"]
    assert words(claim([-1.0] * 10, [-1.0, 1.0] * 5)) == ["undecided"]
    assert words(claim([-1.0] * 10, [1.0] * 10)) == ["not supported"]


def test_one_contradiction_among_many_is_held_against_their_number():
    against = [1.0] * 8  # p = 2 / 256
    assert words(claim(against, *[[-1.0] * 8] * 5)) == ["not supported"]  # 6 x 0.0078 < 0.05
    assert words(claim(against, *[[-1.0] * 8] * 6)) == ["undecided"]


def test_sameness_can_only_be_refuted():
    assert words(claim([1.0] * 8, is_sameness=True)) == ["not supported"]
    assert words(claim([-1.0] * 8, is_sameness=True)) == ["not supported"]
    assert words(claim([-1.0, 1.0] * 8, is_sameness=True)) == ["undecided"]


def test_holm_runs_over_all_claims():
    assert words(claim([-1.0] * 6), claim([-1.0, 1.0] * 5)) == ["undecided", "undecided"]  # 2 x 0.031
    assert words(claim([-1.0] * 8), claim([-1.0, 1.0] * 5)) == ["supported", "undecided"]


def test_false_verdicts_are_rare():
    """Six claims about nothing: some verdict other than undecided in at most 5 % of the studies."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        family = [claim(rng.normal(size=10), rng.normal(size=10)) for _ in range(6)]
        wrong += set(words(*family)) != {"undecided"}
    assert wrong <= stats.binom.ppf(0.999, 200, 0.05)


class _Part:
    """Stands for a slice: errors by (arch, acquisition)."""

    def __init__(self, errors):
        self._errors = errors

    def errors(self, arch, acquisition, mu_init=None):
        return self._errors.get((arch, acquisition), {})


def test_the_claims_of_section_4():
    names = ("BNN", "BNN-1", "BNN-2", "BNN-3", "BNN1", "BNN2", "BNN3", "CNN")
    level = {"BNN-1": 2.0, "BNN-2": 2.5, "BNN-3": 3.0, "BNN": 4.0, "BNN1": 5.0, "BNN2": 5.0, "BNN3": 5.0, "CNN": 6.0}
    errors = {
        (arch, acquisition): {seed: level[arch] + 0.01 * seed for seed in range(10)}
        for arch in names
        for acquisition in zeng.UNCERTAIN
    }
    assert words(*zeng.position_claims(_Part(errors))) == ["supported"] * 4
    errors["CNN", "var_ratios"] = dict.fromkeys(range(10), 1.0)
    assert words(*zeng.position_claims(_Part(errors))) == ["supported"] * 3 + ["not supported"]
    assert words(*zeng.position_claims(_Part({}))) == ["undecided"] * 4


def test_the_papers_own_contradictions():
    near_input = zeng.position_claims(_Part({}))[3]
    holds = {(c.b, c.where): c.holds_in_paper for c in near_input.comparisons}
    assert not any(holds[arch, "var_ratios"] for arch in zeng.NEAR_INPUT) and holds["CNN", "var_ratios"]
    assert "for BNN1, BNN2, BNN3 in Table 2 and BNN1, BNN2 in Table 3" in near_input.note
    note = zeng._tuning_note()
    assert "7 cells are the same in both tables" in note and "from 6.48 to 6.29" in note


def test_least_pairs_is_where_a_sign_test_can_first_be_significant():
    assert (
        stats.binomtest(0, claims.LEAST_PAIRS).pvalue
        <= claims.LEVEL
        < stats.binomtest(0, claims.LEAST_PAIRS - 1).pvalue
    )
