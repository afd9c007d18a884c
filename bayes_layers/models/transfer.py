"""A trained posterior as the prior of the next model (transfer learning; Zharikov et al., introduction)."""

from bayes_layers.layers.priors import PosteriorPrior
from bayes_layers.models.network import Network


def posterior_as_prior(network):
    """A network of the same layers whose priors are the posteriors of this one.

    It starts at the trained posterior, where its KL is zero, with the masks of pruned weights;
    `assign(initial_values(seed))` starts it anew. Only the
    Normal posteriors become priors: a bias that is a point estimate is its starting value, no more. A scale that was
    learned under a hyperprior has done its work and is left out.

    Args:
      network: a trained `Network`.

    Returns:
      A `Network`, which saves its priors with it.
    """
    layers = [_with_prior_of(layer) for layer in network.stack]
    following = Network(layers, network.one_input_shape, network.description)
    trained = network.weight_arrays()
    following.assign_arrays({name: trained[name] for name in following.weight_arrays()})
    for layer in network.pruned_layers:
        following.get_layer(layer.name).kernel_mask = layer.kernel_mask
    following.precision = network.precision
    return following


def _with_prior_of(layer):
    if not hasattr(layer, "kl"):
        return type(layer).from_config(layer.get_config())
    with layer.without_prior():
        config = layer.get_config()
    return type(layer).from_config({**config, "prior": PosteriorPrior(layer)})
