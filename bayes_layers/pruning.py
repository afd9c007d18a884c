"""Pruning: weights that are fixed to 0, with no variance, in every draw of a network.

Which weights say least is a matter of a score per kernel weight:

- `magnitudes`, |mu|: Shridhar 2019, sections 4.3 and 5.7.2, removes weights whose absolute value is below a threshold,
  after the L1 norm of the weights has pulled many of them there (`l1_norm`, as a penalty in training);
- `signal_to_noise`, |mu| / sigma: Blundell, Cornebise, Kavukcuoglu & Wierstra 2015, section 5.1 (after Graves 2011),
  removes those whose posterior hides their mean.

A score gives masks (`masks_above` a threshold, or `masks_of_sparsity`), and masks are put on a network by `prune`. They
are saved and loaded with it, hold through all further training, and are undone by `prune` with other masks: the
network's variables keep what they held. Biases are never pruned. A network is pruned before trainers and predictions
are built for it.
"""

import numpy as np
import tensorflow as tf

from bayes_layers.layers.base import state_of
from bayes_layers.layers.masks import MaskedKernel


def prunable_layers(network):
    """The layers with a kernel that can be pruned, in order."""
    return [layer for layer in network.stack if isinstance(layer, MaskedKernel)]


def magnitudes(network):
    """|w| of the kernels, or |mu| where they have a posterior.

    Args:
      network: a `Network`.

    Returns:
      dict from each prunable layer's name to a float64 array of its kernel's shape.
    """
    return {layer.name: np.abs(_location(layer)) for layer in prunable_layers(network)}


def signal_to_noise(network):
    """|mu| / sigma of the kernels that have a posterior (Blundell et al. 2015, section 5.1).

    Args:
      network: a `Network`.

    Returns:
      dict from each Bayesian layer's name to a float64 array of its kernel's shape. Layers without a posterior have
      no noise, and are left out: they are not pruned by this score.

    Raises:
      ValueError: if the network has no Bayesian layer.
    """
    layers = [layer for layer in prunable_layers(network) if _is_bayesian(layer)]
    if not layers:
        raise ValueError("the network has no Bayesian layer, so its weights have no signal-to-noise ratio")
    return {layer.name: np.abs(_location(layer)) / _deviation(layer) for layer in layers}


SCORES = {"magnitude": magnitudes, "snr": signal_to_noise}


def masks_above(scores, threshold):
    """Masks that keep the weights with a score of at least the threshold.

    Args:
      scores: dict from layer names to arrays.
      threshold: a number.

    Returns:
      dict from layer names to bool arrays, true where a weight is kept.
    """
    return {name: values >= threshold for name, values in scores.items()}


def masks_of_sparsity(scores, sparsity):
    """Masks that prune a share of all weights together: those with the lowest scores in any layer.

    Args:
      scores: dict from layer names to arrays.
      sparsity: share of the weights to prune, from 0 to 1; rounded to whole weights, equal scores in their order.

    Returns:
      dict from layer names to bool arrays, true where a weight is kept.

    Raises:
      ValueError: if the share is not from 0 to 1.
    """
    if not 0.0 <= sparsity <= 1.0:
        raise ValueError(f"sparsity={sparsity} is not valid: it is from 0 to 1")
    joined = np.concatenate([values.ravel() for values in scores.values()])
    kept = np.ones(len(joined), bool)
    kept[np.argsort(joined, kind="stable")[: round(sparsity * len(joined))]] = False
    ends = np.cumsum([values.size for values in scores.values()])
    parts = np.split(kept, ends[:-1])
    return {name: part.reshape(values.shape) for (name, values), part in zip(scores.items(), parts, strict=True)}


def prune(network, masks):
    """Fixes weights to 0; what was pruned before and is kept by these masks lives again.

    Args:
      network: a `Network`.
      masks: dict from layer names to bool arrays of the kernels' shapes, true where a weight is kept. Layers that are
        not named stay as they are.

    Raises:
      ValueError: if a name is not of a prunable layer, or a mask has another shape or dtype.
    """
    layers = {layer.name: layer for layer in prunable_layers(network)}
    unknown = sorted(set(masks) - set(layers))
    if unknown:
        raise ValueError(f"no prunable layer is called {', '.join(unknown)}; there are {', '.join(layers)}")
    for name, mask in masks.items():
        layers[name].kernel_mask = mask


def sparsity(network):
    """How many weights are pruned, layer by layer.

    Args:
      network: a `Network`.

    Returns:
      A list of dicts, one for each layer with a kernel and `all` last: `layer`; `weights` and `kept`, of the kernel;
      `sparsity`, the share that is pruned; `parameters`, how many numbers the layer stores without the pruned
      weights (two for a weight with a posterior; biases included).
    """
    rows = [_count(layer) for layer in prunable_layers(network)]
    total = {name: sum(row[name] for row in rows) for name in ("weights", "kept", "parameters")}
    rows.append({"layer": "all", **total})
    return [
        {
            "layer": row["layer"],
            "weights": row["weights"],
            "kept": row["kept"],
            "sparsity": 1.0 - row["kept"] / row["weights"] if row["weights"] else 0.0,
            "parameters": row["parameters"],
        }
        for row in rows
    ]


def l1_norm(network):
    """Sum |w| over the kernels that can be pruned, |mu| where they have a posterior: a scalar tensor.

    Its gradient is 0 at 0 and for pruned weights (Shridhar 2019, section 2.5).
    """
    kernels = [layer.kernel_loc if _is_bayesian(layer) else layer.kept_kernel for layer in prunable_layers(network)]
    return tf.add_n([tf.reduce_sum(tf.abs(kernel)) for kernel in kernels] or [tf.constant(0.0)])


def _count(layer):
    weights = int(np.prod(layer.kernel_shape))
    kept = weights if layer.kernel_mask is None else int(layer.kernel_mask.sum())
    stored = sum(int(np.prod(weight.shape)) for weight in state_of(layer))
    numbers = 2 if _is_bayesian(layer) else 1
    return {"layer": layer.name, "weights": weights, "kept": kept, "parameters": stored - numbers * (weights - kept)}


def _is_bayesian(layer):
    return hasattr(layer, "kernel_posterior")


def _location(layer):
    """The kernel, or its posterior means, also of weights that are pruned."""
    kernel = layer.kernel_posterior.distribution.loc if _is_bayesian(layer) else layer.kernel
    return tf.convert_to_tensor(kernel).numpy().astype(np.float64)


def _deviation(layer):
    return tf.convert_to_tensor(layer.kernel_posterior.distribution.scale).numpy().astype(np.float64)
