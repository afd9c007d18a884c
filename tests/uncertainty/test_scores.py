"""Acquisition scores against closed forms and an independent NumPy implementation."""

import numpy as np
import pytest
from scipy import stats

from bayes_layers.uncertainty import acquisition_score, scores
from bayes_layers.uncertainty.acquisitions import ACQUISITIONS, MOMENTS_OF_SCORE

P = np.random.default_rng(0).dirichlet(np.full(5, 0.3), size=(40, 30))


def independent(name, p):
    """Loops and scipy, image by image."""
    result = []
    for i in range(p.shape[1]):
        samples = p[:, i]
        mean = samples.mean(0)
        votes = np.bincount(samples.argmax(1), minlength=p.shape[2])
        result.append(
            {
                "max_entropy": stats.entropy(mean),
                "var_ratios": 1 - mean.max(),
                "hard_var_ratios": 1 - votes.max() / len(samples),
                "bald": stats.entropy(mean) - np.mean([stats.entropy(s) for s in samples]),
                "mean_std": np.mean(samples.std(0)),
            }[name]
        )
    return np.array(result)


@pytest.mark.parametrize("name", MOMENTS_OF_SCORE)
def test_against_an_independent_implementation(name):
    np.testing.assert_allclose(acquisition_score(name, P), independent(name, P), atol=1e-12)
    np.testing.assert_allclose(acquisition_score(name, P.astype(np.float32)), independent(name, P), atol=1e-6)


def test_opposite_one_hots():
    p = np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
    expected = {
        "max_entropy": np.log(2),
        "var_ratios": 0.5,
        "hard_var_ratios": 0.5,
        "bald": np.log(2),
        "mean_std": 1 / 3,
    }
    for name, value in expected.items():
        assert acquisition_score(name, p)[0].numpy() == pytest.approx(value, abs=1e-15)


def test_uniform_samples_are_uncertain_but_agree():
    p = np.full((6, 1, 4), 0.25)
    expected = {"max_entropy": np.log(4), "var_ratios": 0.75, "hard_var_ratios": 0.0, "bald": 0.0, "mean_std": 0.0}
    for name, value in expected.items():
        assert acquisition_score(name, p)[0].numpy() == pytest.approx(value, abs=1e-12)


def test_max_entropy_is_of_the_mean_not_the_mean_of_entropies():
    confident_but_opposed = np.array([[1.0, 0.0], [0.0, 1.0]])[:, None]
    unsure = np.array([[0.8, 0.2], [0.8, 0.2]])[:, None]
    first, second = acquisition_score("max_entropy", np.concatenate([confident_but_opposed, unsure], axis=1)).numpy()
    assert first > second  # by the mean of entropies it would be the other way round


def test_soft_and_hard_variation_ratios_differ():
    p = np.array([[[0.6, 0.4]]] * 10)
    assert acquisition_score("var_ratios", p)[0].numpy() == pytest.approx(0.4)
    assert acquisition_score("hard_var_ratios", p)[0].numpy() == 0.0


@pytest.mark.parametrize("name", ["bald", "mean_std", "hard_var_ratios"])
def test_one_sample_knows_no_disagreement(name):
    np.testing.assert_array_equal(acquisition_score(name, P[:1].astype(np.float32)), np.zeros(30))


def test_streamed_moments_equal_those_in_one_go():
    needs = ("mean", "expected_entropy", "votes", "variance")
    accumulators = scores.empty_accumulators(needs, 30, 5)
    for t, sample in enumerate(P):
        accumulators = scores.accumulate(accumulators, sample, t)
    streamed, together = scores.finish(accumulators, len(P)), scores.moments_of(P)
    for name in together:
        np.testing.assert_allclose(streamed[name], together[name], atol=1e-13)


def test_narrow_spread_is_not_lost_to_cancellation():
    p = 0.5 + 1e-7 * np.array([[[1.0, -1.0]], [[-1.0, 1.0]]])
    accumulators = scores.empty_accumulators(("variance",), 1, 2)
    for t, sample in enumerate(p):
        accumulators = scores.accumulate(accumulators, sample, t)
    assert scores.score_from_moments("mean_std", scores.finish(accumulators, 2))[0].numpy() == pytest.approx(1e-7)
    assert acquisition_score("bald", p)[0].numpy() == pytest.approx(2e-14, rel=0.02)


def test_names():
    assert ACQUISITIONS == ("random", "max_entropy", "var_ratios", "hard_var_ratios", "bald", "mean_std")
    with pytest.raises(ValueError, match=r"acquisition=entropy is not valid.*max_entropy"):
        acquisition_score("entropy", P)
    with pytest.raises(ValueError, match=r"\[S, B, C\]"):
        acquisition_score("bald", P[0])


def test_no_sample_is_no_score():
    with pytest.raises(ValueError, match="S at least 1"):
        acquisition_score("bald", np.zeros((0, 2, 3)))
