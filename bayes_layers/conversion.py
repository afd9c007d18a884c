"""Bayesian layers for anybody's tf_keras model: named layers get a posterior around the weights that they have.

    head = bayesian(model, layers=["logits"], num_examples=len(x))
    head.compile("adam", tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    head.fit(x, y)
    outputs = predict_samples(head, x_test, 100)  # [S, B, C]

Zeng, Lesnikowski & Alvarez 2018 found that a few Bayesian layers near the output are as good as, or better than, a
network of nothing else.
"""

import numpy as np
import tensorflow as tf
import tf_keras

from bayes_layers.inference.prediction import as_float
from bayes_layers.layers import randomness
from bayes_layers.layers.base import sharing_draws
from bayes_layers.models.bayesian_layers import ESTIMATORS
from bayes_layers.models.network import Network
from bayes_layers.streams import stream_key

REFUSED = ("kernel_regularizer", "bias_regularizer", "kernel_constraint", "bias_constraint")


def bayesian(model, layers, *, num_examples, estimator="flipout", mu_init=-5.0, sigma_init=0.1, **arguments):
    """A copy of a model in which named layers are Bayesian.

    The copy has the model's weights: as they are in the other layers, as posterior means in the named ones. It is not
    compiled. Each Bayesian layer adds its KL[q || p], divided by `num_examples`, to the loss: beside a loss that is a
    mean over examples, as Keras' losses are, that is the negative ELBO per example.

    Args:
      model: a functional or sequential `tf_keras.Model` with weights.
      layers: names of `Dense` and `Conv2D` layers.
      num_examples: training examples N, of the `fit` to come.
      estimator: how their noise is drawn in training: "flipout", "local_reparameterization" (of dense layers;
        convolutions: Flipout) or "local_reparameterization_all".
      mu_init: mean of the initial rho; the posterior standard deviation is softplus(rho), 0.0067 for -5.
      sigma_init: standard deviation of the initial rho.
      **arguments: further arguments of `bayes_layers.layers.base.MeanFieldLayer`, but for `variance="alpha"`: weights
        that are zero, which a trained network may have many of, could never be anything else. From a `seed` every
        layer gets one of its own.

    Returns:
      A `tf_keras.Model`.

    Raises:
      ValueError: if there is no such layer (the message names those there are), or one that cannot be converted.
      TypeError: if the model is neither functional nor sequential.
    """
    if isinstance(model, Network) or not isinstance(model, tf_keras.Sequential | _functional_class()):
        raise TypeError(f"bayesian takes a functional or sequential tf_keras model, got {type(model).__name__}")
    if not (isinstance(num_examples, int | np.integer) and num_examples > 0):
        raise ValueError(f"num_examples={num_examples} is not valid: it takes how many training examples there are")
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator={estimator} is not valid: it takes {', '.join(ESTIMATORS)}")
    if arguments.get("variance", "softplus") != "softplus":
        raise ValueError("bayesian takes variance=softplus only: with alpha, weights of 0 have no variance")
    if "kl_weight" in arguments:
        raise ValueError("bayesian takes no kl_weight: num_examples says it, 1 / num_examples")
    names = _checked_names(model, layers)
    arguments = {"mu_init": mu_init, "sigma_init": sigma_init, "kl_weight": 1.0 / float(num_examples), **arguments}

    def clone(layer):
        if layer.name not in names:
            return type(layer).from_config(layer.get_config())
        seed = arguments.get("seed")
        own = {} if seed is None else {"seed": stream_key(seed, f"layer {layer.name}")}
        return _bayesian_layer(layer, estimator, {**arguments, **own})

    copy = tf_keras.models.clone_model(model, clone_function=clone)
    if not copy.built:
        copy.build(model.input_shape)
    for layer in model.layers:
        if layer.name in names:
            _take_means(copy.get_layer(layer.name), layer)
        else:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def predict_samples(model, inputs, num_samples, *, seed=0, batch_size=256):
    """The model's outputs for draws from its posterior.

    A sample is one draw of all that is random in the model (Bayesian layers, and `MonteCarloDropout` that samples at
    prediction), the same for all inputs, so that it is one function.

    Args:
      model: a model of `bayesian`, a `Network`, or any `tf_keras.Model` with layers of this package.
      inputs: `[B, ...]`, as the model takes them; of a `Network`, uint8 are divided by 255.
      num_samples: S.
      seed: the draws follow from it; sample t is the same whatever S is.
      batch_size: inputs that are computed at once.

    Returns:
      float32 array `[S, B, C]`: logits if the model ends in logits, probabilities if it ends in a softmax.

    Raises:
      ValueError: if there is no input, or no sample is asked for.
    """
    inputs = as_float(inputs) if isinstance(model, Network) else np.asarray(inputs)
    if not len(inputs) or num_samples < 1:
        raise ValueError("predict_samples takes at least one input and one sample")
    key = stream_key(seed, "posterior samples")

    @tf.function(reduce_retracing=True)
    def sample(batch, seed):
        with sharing_draws(model, seed):
            return model(batch, training=False)

    batches = [tf.convert_to_tensor(inputs[i : i + batch_size]) for i in range(0, len(inputs), batch_size)]
    seeds = [randomness.make_seed(key, t) for t in range(num_samples)]
    return np.stack([np.concatenate([sample(batch, one).numpy() for batch in batches]) for one in seeds])


def _functional_class():
    """tf_keras' class of functional models, which has no public name."""
    inputs = tf_keras.Input((1,))
    return type(tf_keras.Model(inputs, inputs))


def _checked_names(model, layers):
    names = [layers] if isinstance(layers, str) else list(layers)
    known = [layer.name for layer in model.layers if type(layer) in (tf_keras.layers.Dense, tf_keras.layers.Conv2D)]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(
            f"layers={names} is not valid: it takes names of Dense and Conv2D layers, which are here "
            f"{', '.join(known) or 'none'}"
        )
    if not model.built:
        raise ValueError(f"{model.name} has no weights yet: build it, or give its first layer an input_shape")
    for name in names:
        _check(model, model.get_layer(name))
    return set(names)


def _check(model, layer):
    """Raises ValueError if a layer cannot be made Bayesian without changing what it does."""
    if _calls(model, layer) > 1:
        raise ValueError(
            f"{layer.name} is used {_calls(model, layer)} times in {model.name}: a shared layer would draw other "
            "weights, and count its KL, at each use"
        )
    for name in REFUSED:
        if getattr(layer, name) is not None:
            raise ValueError(f"{layer.name} has a {name}, which a Bayesian layer has not; its KL regularises it")
    if layer.dtype != "float32" or layer.compute_dtype != "float32":
        raise ValueError(f"{layer.name} computes in {layer.compute_dtype}; a Bayesian layer does in float32")
    if getattr(layer, "groups", 1) != 1 or getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ValueError(f"{layer.name} has groups or channels first, which a Bayesian convolution has not")


def _calls(model, layer):
    """How often a model calls a layer; other models that call it do not count."""
    nodes = [node for depth in (getattr(model, "_nodes_by_depth", None) or {}).values() for node in depth]
    return sum(node.layer is layer for node in nodes)


def _bayesian_layer(layer, estimator, arguments):
    shared = {
        "name": layer.name,
        "activation": layer.activation,
        "activity_regularizer": layer.activity_regularizer,
        "trainable": layer.trainable,
        **arguments,
    }
    if not layer.use_bias:
        shared["bias_posterior_fn"] = None
    convolution, dense = ESTIMATORS[estimator]
    if isinstance(layer, tf_keras.layers.Dense):
        return dense(layer.units, **shared)
    form = {name: getattr(layer, name) for name in ("strides", "padding", "dilation_rate")}
    return convolution(layer.filters, layer.kernel_size, **form, **shared)


def _take_means(new, old):
    """Sets a Bayesian layer's posterior means to a layer's weights."""
    new.kernel_loc.assign(old.kernel)
    if old.use_bias:
        new.bias_posterior.distribution.loc.assign(old.bias)
