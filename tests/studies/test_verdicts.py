"""Verdicts on claims about sizes, against SciPy and by hand."""

import csv
import math

import pytest
from scipy import stats

from experiments.studies.verdicts import Claim, Estimate, judge, page


def seeds(*values):
    return dict(enumerate(values))


def one(estimate, *more):
    return judge([Claim("name", "sentence", "source", [estimate, *more])])[0]


def test_p_values_are_those_of_one_sided_t_tests():
    values = [1.0, 2.0, 2.5, 4.0]
    inside, outside = Estimate("x", seeds(*values), low=0.5).p_values()
    assert inside == pytest.approx(stats.ttest_1samp(values, 0.5, alternative="greater").pvalue)
    assert outside == pytest.approx(stats.ttest_1samp(values, 0.5, alternative="less").pvalue)
    both = Estimate("x", seeds(*values), low=0.5, high=9).p_values()
    above = stats.ttest_1samp(values, 9, alternative="less").pvalue
    assert both == pytest.approx((max(inside, above), min(1, 2 * min(outside, 1 - above))))
    assert Estimate("x", seeds(1.0, 1.0), low=0).p_values() == (1.0, 1.0)  # too few
    assert Estimate("x", seeds(1.0, 1.0, 1.0), low=0).p_values() == (0.0, 1.0)  # no spread


def test_words():
    assert one(Estimate("x", seeds(5.9, 6.0, 6.1), low=0)).word == "supported"
    assert one(Estimate("x", seeds(-5.9, -6.0, -6.1), low=0)).word == "not supported"
    assert one(Estimate("x", seeds(-5.0, 6.0, 1.0), low=0)).word == "undecided"
    few = one(Estimate("x", seeds(5.0, 6.0), low=0))
    assert few.word == "undecided" and "2 seeds; 3 are needed" in few.why
    assert one(Estimate("x", {}, low=0)).word == "undecided"


def test_all_estimates_must_hold_and_one_refutes():
    good, bad = Estimate("x", seeds(5.9, 6.0, 6.1), low=0), Estimate("y", seeds(-5.9, -6.0, -6.1), low=0)
    unknown = Estimate("z", {}, low=0)
    assert one(good, good).word == "supported"
    assert one(good, bad).word == "not supported"
    assert one(good, unknown).word == "undecided"
    assert one(bad, unknown).word == "not supported"


def test_ratios_are_averaged_as_logarithms():
    estimate = Estimate("r", seeds(10.0, 20.0, 40.0), low=10, high=40, unit="ratio")
    assert estimate.interval.mean == pytest.approx(20)
    assert estimate.interval.low * estimate.interval.high == pytest.approx(400)
    assert one(Estimate("r", seeds(19.0, 20.0, 21.0), low=10, high=40, unit="ratio")).word == "supported"
    assert one(Estimate("r", seeds(1.9, 2.0, 2.1), low=10, high=40, unit="ratio")).word == "not supported"


def test_holm_runs_over_all_claims():
    weak = Claim("weak", "s", "s", [Estimate("x", seeds(1.0, 1.3, 1.6), low=0)])
    alone = judge([weak])[0]
    assert alone.word == "supported"
    crowd = judge([weak, *[Claim("c", "s", "s", [Estimate("y", seeds(0.9, 1.2, 1.7), low=0)]) for _ in range(9)]])
    assert {verdict.word for verdict in crowd} == {"undecided"} and crowd[0].adjusted > alone.adjusted


def test_the_page():
    claims = [
        Claim("a", "It is about twenty times.", "section 1",
              [Estimate("r", seeds(19.0, 20.0, 21.0), low=10, high=40, unit="ratio", thesis=20)]),
        Claim("b", "It is more.", "section 2", [Estimate("d", {}, low=0)], note="A note."),
    ]  # fmt: skip
    files = page("Title", "3 of 3 runs.", claims)
    text = files["claims.md"]
    assert "| It is about twenty times. | **supported** |" in text and "A note." in text
    assert "| d | 0 | not run | above 0 |  |" in text and "19.98 [17.6" in text and "x | 10 to 40 | 20 |" in text
    rows = list(csv.DictReader(files["claims.csv"].splitlines()))
    assert [row["verdict"] for row in rows] == ["supported", "undecided"]
    assert math.isclose(float(rows[0]["mean"]), 19.98, abs_tol=0.01) and rows[1]["mean"] == ""


def test_rank_correlations_have_a_sign_test():
    alike = Estimate("r", dict.fromkeys(range(3), -1.0), high=0, unit="rank")
    assert alike.p_values() == (1 / 8, 1.0) and one(alike).word == "undecided"
    assert one(Estimate("r", dict.fromkeys(range(6), -1.0), high=0, unit="rank")).word == "supported"
    assert one(Estimate("r", dict.fromkeys(range(6), 0.1), high=0, unit="rank")).word == "not supported"
    assert Estimate("r", seeds(-1.0, -0.5, 0.5), high=0, unit="rank").p_values() == (0.5, 7 / 8)
    assert Estimate("r", seeds(0.0, 0.0, 0.0), high=0, unit="rank").p_values() == (1.0, 1.0)
