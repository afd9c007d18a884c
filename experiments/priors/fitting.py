"""Mean-field fits of the report's 5-5-2 network, by the package's layers and its trainer."""

import numpy as np

from bayes_layers import ElboTrainer, Network, PosteriorPredictive
from bayes_layers.inference.training import NonFiniteLossError
from bayes_layers.layers import DenseLocalReparameterization
from bayes_layers.layers.randomness import make_seed
from bayes_layers.streams import stream_key
from experiments.errors import UserError
from experiments.priors.config import smaller
from experiments.priors.toy import TRAIN

UNITS = (5, 5, 2)
TAIL = 0.1  # the share of the last steps whose mean is a fit's ELBO


def toy_network(prior, hyperprior, scale=1.0, kl_samples=16):
    """Dense 5 tanh - dense 5 tanh - dense 2 (softmax), 57 weights: biases have posterior and prior too.

    Args:
      prior, hyperprior: their names.
      scale: the prior's scale; under a hyperprior, where the learned scale starts.
      kl_samples: draws per weight where the KL has no closed form.

    Returns:
      A `Network` of points `[B, 2]` with logits `[B, 2]`.
    """
    arguments = {
        "prior": prior,
        "hyperprior": hyperprior,
        "prior_scale": scale,
        "kl_samples": kl_samples,
        "variational_bias": True,
        "loc_init": "glorot",
    }
    activations = ("tanh", "tanh", None)
    names = ("Hidden1", "Hidden2", "Output")
    layers = [
        DenseLocalReparameterization(units, activation=activation, name=name, **arguments)
        for units, activation, name in zip(UNITS, activations, names, strict=True)
    ]
    return Network(layers, (2,), {"prior": prior, "hyperprior": hyperprior})


class Fitter:
    """One prior, hyperprior and scale: its network and compiled functions, for any number of fits."""

    def __init__(self, config, prior, hyperprior, scale=1.0):
        """Builds the network.

        Args:
          config: a `PriorStudyConfig`.
          prior, hyperprior, scale: as of `toy_network`.
        """
        self.config = config
        self.network = toy_network(prior, hyperprior, scale, config.kl_samples)
        self.trainer = ElboTrainer(self.network, learning_rate=config.learning_rate, batch_size=TRAIN, jit_compile=True)
        self.predictive = PosteriorPredictive(self.network, config.num_samples)
        self._is_proper = self.network.stack[0].prior.is_proper

    def fit(self, x, y, number, restarts):
        """Fits the points from several initial weights and keeps the best fit.

        Args:
          x: `[N, 2]`; y: `[N]`.
          number: the split.
          restarts: how many fits. With a proper prior the one with the largest ELBO is kept; an improper prior's has
            no maximum, so there the least NLL of the training points decides.

        Returns:
          dict `elbo`, `nll`, `kl` of the kept fit: nats for all points, means over the last tenth of the steps.

        Raises:
          UserError: if a fit diverges.
        """
        best, values = None, None
        for restart in range(restarts):
            key = stream_key(self.config.seed, "weights", number, restart)
            self.network.assign(self.network.initial_values(make_seed(key)))
            curve = self._curve(x, y, number, restart)
            last = max(1, int(TAIL * self.config.steps))
            nll, kl = (float(curve[name][-last:].mean()) for name in ("nll", "kl"))
            found = {"elbo": -(nll * len(x) + kl), "nll": nll * len(x), "kl": kl}
            loss = -found["elbo"] if self._is_proper else found["nll"]
            if best is None or loss < best[0]:
                best, values = (loss, found), [weight.numpy() for weight in self.network.trainable_weights]
        self.network.assign(values)
        return best[1]

    def _curve(self, x, y, number, restart):
        """One fit from the weights that are assigned; what `ElboTrainer.fit` returns."""
        config = self.config
        seed = stream_key(config.seed, "fit", number)
        try:
            return self.trainer.fit(x, y, epochs=config.steps, kl_weight=1 / len(x), seed=seed, cycle=restart)
        except NonFiniteLossError as error:
            raise UserError(f"{error}; {smaller(config, 'learning_rate')}") from error

    def probabilities(self, x, number):
        """Posterior samples of the probability of class 1, `[S, N]`, of points `[N, 2]`."""
        key = stream_key(self.config.seed, "posterior", number)
        return self.predictive.probabilities(np.asarray(x, np.float32), key)[..., 1].astype(np.float64)
