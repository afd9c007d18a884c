"""Streams, seeds, bits and the floats made from them."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from bayes_layers import streams
from bayes_layers.layers import randomness
from bayes_layers.layers.randomness import fold_in, make_seed


def test_keys_differ_by_seed_stream_and_counter():
    keys = {
        streams.stream_key(seed, name, *counters)
        for seed in (0, 1)
        for name in ("noise", "weights")
        for counters in ((), (0,), (1,), (0, 0), (0, 1))
    }
    assert len(keys) == 20


def test_keys_are_the_same_for_ever():
    assert streams.stream_key(0, "noise", 3) == streams.stream_key(np.int64(0), "noise", np.int32(3))
    assert streams.stream_key(0, "noise", 3) == -5751129491728993642


@pytest.mark.parametrize("draw", [randomness.bits, randomness.uniform, randomness.normal, randomness.signs])
def test_same_draws_with_and_without_xla(draw):
    seed = make_seed(streams.stream_key(7, "noise"), 12345)
    plain = draw([33, 7], seed).numpy()
    compiled = tf.function(lambda s: draw([33, 7], s), jit_compile=True)(seed).numpy()
    if draw is randomness.normal:  # the same bits, but XLA has its own logarithm and cosine
        np.testing.assert_allclose(plain, compiled, atol=2e-6)
    else:
        np.testing.assert_array_equal(plain, compiled)


def test_normals_are_standard_normal():
    z = randomness.normal([200_001], make_seed(1)).numpy()
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / len(z))
    assert abs(np.corrcoef(z[:100_000], z[100_001:])[0, 1]) < 4 / np.sqrt(1e5)  # the two of one Box-Muller pair


def test_uniforms_are_uniform_and_open():
    u = randomness.uniform([200_000], make_seed(2)).numpy()
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert u.min() > 0 and u.max() < 1


def test_signs_are_balanced_and_uncorrelated():
    s = randomness.signs([400, 500], make_seed(3)).numpy()
    assert set(np.unique(s)) == {-1.0, 1.0}
    assert abs(s.mean()) < 4 / np.sqrt(s.size)
    assert abs((s[:, 1:] * s[:, :-1]).mean()) < 4 / np.sqrt(s.size)
    assert abs((s[1:] * s[:-1]).mean()) < 4 / np.sqrt(s.size)


def test_folded_seeds_never_meet():
    base = make_seed(9, 4)
    seeds = (
        [base]
        + [fold_in(base, i) for i in range(40)]
        + [fold_in(fold_in(base, i), j) for i in range(40) for j in (0, 39)]
    )
    assert len({tuple(s.numpy()) for s in seeds}) == len(seeds)
    with pytest.raises(ValueError, match="from 0 to 1023"):
        fold_in(base, 1024)


def test_neighbouring_counters_are_independent():
    draws = np.stack([randomness.normal([5000], make_seed(1, step)).numpy() for step in range(20)])
    correlation = np.corrcoef(draws) - np.eye(20)
    assert np.abs(correlation).max() < 5 / np.sqrt(5000)


def test_hash_uniform_is_uniform_and_a_function_of_the_index_alone():
    key = streams.stream_key(3, "ties", 5)
    u = streams.hash_uniform(key, np.arange(60_000))
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert len(np.unique(u)) == len(u)
    np.testing.assert_array_equal(streams.hash_uniform(key, [17, 5]), u[[17, 5]])
    assert abs(np.corrcoef(u, streams.hash_uniform(key + 1, np.arange(60_000)))[0, 1]) < 0.02
