"""Many calls of a function with randomness, in one loop of TensorFlow's."""

import tensorflow as tf

from bayes_layers.layers.randomness import make_seed


def over_seeds(function, key, count):
    """`[count, ...]`: the tensors that a function of a seed returns, with the first counters of a key."""
    first = function(make_seed(key))
    signature = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), first)

    @tf.function(autograph=False)
    def loop():
        return tf.map_fn(lambda t: function(make_seed(key, t)), tf.range(count), fn_output_signature=signature)

    return tf.nest.map_structure(lambda x: x.numpy(), loop())
