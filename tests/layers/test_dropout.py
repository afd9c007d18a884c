"""Monte-Carlo dropout."""

import numpy as np
import pytest
import tensorflow as tf

from bayes_layers.layers import MonteCarloDropout
from bayes_layers.layers.randomness import make_seed


def built(rate=0.25, **arguments):
    layer = MonteCarloDropout(rate, **arguments)
    layer.build((None, 40, 50))
    return layer


def test_moments_in_training():
    y = built()(tf.ones([100, 40, 50]), training=True, seed=make_seed(1)).numpy()
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / y.size)
    assert abs(np.corrcoef(y[0].ravel(), y[1].ravel())[0, 1]) < 5 / np.sqrt(2000)


def test_identity_at_prediction_unless_it_samples():
    x = tf.ones([3, 40, 50])
    assert not built().is_stochastic
    np.testing.assert_array_equal(built()(x, training=False, seed=make_seed(1)), x)
    sampling = built(sample_at_prediction=True)
    assert sampling.is_stochastic
    assert np.mean(sampling(x, training=False, seed=make_seed(1)).numpy() == 0) == pytest.approx(0.25, abs=0.03)


def test_a_draw_is_one_mask_for_all_inputs():
    layer = built(sample_at_prediction=True)
    y = layer.apply_draw(tf.ones([3, 40, 50]), layer.draw(make_seed(1))).numpy()
    np.testing.assert_array_equal(y[0], y[1])
    assert np.mean(y[0] == 0) == pytest.approx(0.25, abs=0.05)


def test_rate_zero_is_not_random_and_bad_rates_are_named():
    assert not built(0.0, sample_at_prediction=True).is_stochastic
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match="rate="):
            MonteCarloDropout(rate)


def test_own_seeds_differ_from_call_to_call():
    layer, x = built(), tf.ones([1, 40, 50])
    assert np.abs(layer(x, training=True).numpy() - layer(x, training=True).numpy()).max() > 0
