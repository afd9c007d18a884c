"""Stateless randomness: every draw is a pure function of a key and of counters.

A *key* is 64 bits hashed on the host from the run's seed, a stream's name and the cycle
(`bayes_layers.streams`). A *seed* is an int64 tensor `[2]` that holds
the key and a counter; `fold_in` extends the counter by a digit (the layer, then the use within the
layer). Nothing depends on how many draws came before.

Floats are made here from the integer bits of Philox (Salmon et al. 2011), because TensorFlow's own
`stateless_normal` gives other values inside XLA than outside, while the bits agree. Normals
are Box-Muller's (1958): one logarithm and one root for two values.
"""

import math

import tensorflow as tf

DIGITS = 1024  # a counter is extended by digits of this base


def make_seed(key, counter=0):
    """The seed tensor int64 `[2]` of a key and a counter; each a Python int or an int64 scalar tensor.

    Keys `[K]` give seeds `[K, 2]`.
    """
    key = tf.cast(key, tf.int64)
    return tf.stack([key, tf.broadcast_to(tf.cast(counter, tf.int64), tf.shape(key))], axis=-1)


def fold_in(seed, digit):
    """Extends the counter of `seed` by one digit.

    The digits 0 ... 1023 are those of a bijective numeral system, so no two sequences of digits
    of the same first counter give the same seed.

    Args:
      seed: int64 tensor `[2]`.
      digit: int, or scalar tensor, from 0 to 1023.

    Returns:
      int64 tensor `[2]`.

    Raises:
      ValueError: if a Python `digit` is out of range.
    """
    if isinstance(digit, int) and not 0 <= digit < DIGITS:
        raise ValueError(f"a digit is from 0 to {DIGITS - 1}, got {digit}")
    return tf.stack([seed[0], seed[1] * DIGITS + tf.cast(digit, tf.int64) + 1])


def bits(shape, seed):
    """Uniform int32 bits of `shape`, equal with and without XLA."""
    return tf.random.stateless_uniform(shape, seed=seed, minval=None, maxval=None, dtype=tf.int32, alg="philox")


def uniform(shape, seed):
    """Uniform float32 in the open interval (0, 1), of `shape`: 23 random bits and a half."""
    return _unit_interval(bits(shape, seed))


def _unit_interval(random_bits):
    top = tf.bitwise.right_shift(tf.bitcast(random_bits, tf.uint32), tf.constant(9, tf.uint32))
    return (tf.cast(tf.bitcast(top, tf.int32), tf.float32) + 0.5) * 2.0**-23


def normal(shape, seed):
    """Standard Normal float32 of `shape` by Box-Muller.

    |z| is at most sqrt(-2 ln 2^-24) = 5.77: a value beyond that has probability 8e-9.
    """
    shape = tf.convert_to_tensor(shape, tf.int32)
    size = tf.reduce_prod(shape)
    half = (size + 1) // 2
    pair = bits(tf.stack([2, half]), seed)
    radius = tf.sqrt(-2.0 * tf.math.log(_unit_interval(pair[0])))
    angle = tf.cast(pair[1], tf.float32) * (math.pi * 2.0**-31)
    both = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)
    return tf.reshape(both[:size], shape)


def signs(shape, seed):
    """Random signs, float32 -1 or +1, of `shape`: one bit each."""
    shape = tf.convert_to_tensor(shape, tf.int32)
    size = tf.reduce_prod(shape)
    words = bits(tf.expand_dims((size + 31) // 32, 0), seed)
    spread = tf.bitwise.right_shift(words[:, None], tf.range(32, dtype=tf.int32)[None, :])
    one_bit = tf.bitwise.bitwise_and(tf.reshape(spread, [-1])[:size], 1)
    return tf.reshape(1.0 - 2.0 * tf.cast(one_bit, tf.float32), shape)
