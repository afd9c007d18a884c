"""The independent judge: NUTS on the toy model, and full-rank ADVI beside the mean-field fits of the study.

References: Hoffman & Gelman 2014 (NUTS); Gelman & Rubin 1992 (R-hat, as in `tfp.mcmc`); Kucukelbir et al. 2016
(full-rank ADVI). All of it is TensorFlow Probability's, compiled by XLA.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from experiments.priors.joint import ToyModel

tfd, tfb = tfp.distributions, tfp.bijectors

MAX_TREE_DEPTH = 9  # shorter trajectories walk at random along the ridges of this posterior: R-hat stays above 1.02
TARGET_ACCEPT = 0.85


@dataclasses.dataclass(frozen=True)
class Chains:
    """What a sampler returned: positions `[S, chains, size]`, the share of divergent steps, leapfrog steps per draw."""

    positions: np.ndarray
    divergent: float
    leapfrogs: float


class Nuts:
    """NUTS on the toy model of one prior and hyperprior; compiled once for all data sets and scales."""

    def __init__(self, prior, hyperprior, draws, burn_in):
        """Prepares the sampler.

        Args:
          prior, hyperprior: their names.
          draws: kept draws of each chain.
          burn_in: draws before them, in which the step size adapts.
        """
        self._cell, self._draws, self._burn_in = (prior, hyperprior), draws, burn_in
        self._run = tf.function(self._sample, autograph=False, jit_compile=True)

    def __call__(self, x, y, scale, starts, seed):
        """Runs chains side by side.

        Args:
          x: `[N, 2]`; y: int `[N]`; scale: the prior's, where it is fixed.
          starts: `[chains, size]`.
          seed: two ints.

        Returns:
          `Chains`.
        """
        data = tf.constant(x, tf.float32), tf.constant(y, tf.int32), tf.constant(scale, tf.float32)
        positions, (divergent, leapfrogs) = self._run(
            *data, tf.constant(starts, tf.float32), tf.constant(seed, tf.int32)
        )
        return Chains(positions.numpy(), float(np.mean(divergent)), float(np.mean(leapfrogs)))

    def _sample(self, x, y, scale, starts, seed):
        model = ToyModel(x, y, *self._cell, scale)
        inner = tfp.mcmc.NoUTurnSampler(model.log_joint, step_size=0.05, max_tree_depth=MAX_TREE_DEPTH)
        kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
            inner, num_adaptation_steps=int(0.8 * self._burn_in), target_accept_prob=TARGET_ACCEPT
        )
        return tfp.mcmc.sample_chain(
            self._draws,
            starts,
            kernel=kernel,
            num_burnin_steps=self._burn_in,
            trace_fn=lambda _, results: (results.inner_results.has_divergence, results.inner_results.leapfrogs_taken),
            seed=seed,
        )


def rhat(probabilities):
    """The greatest potential scale reduction over predictions `[S, chains, B]`, of split chains."""
    values = tfp.mcmc.potential_scale_reduction(
        tf.constant(probabilities), independent_chain_ndims=1, split_chains=True
    )
    return float(np.max(values))


def effective_draws(probabilities):
    """The least effective sample size over predictions `[S, chains, B]`, of all chains together."""
    values = tfp.mcmc.effective_sample_size(tf.constant(probabilities), cross_chain_dims=1)
    return float(np.min(values))


def full_rank(model, start, spread, steps, learning_rate, draws, seed):
    """Fits N(m, L L^T) to the posterior of all unconstrained numbers, and draws from it.

    Args:
      model: a `ToyModel`.
      start: `[size]`, the initial m.
      spread: `[size]`, the initial diagonal of L.
      steps: of Adam, whose rate falls to a hundredth by a cosine.
      learning_rate: Adam's.
      draws: how many.
      seed: two ints.

    Returns:
      `(positions [draws, size], elbo)`, the ELBO in nats, the mean over the last tenth of the steps.
    """
    loc = tf.Variable(tf.constant(start, tf.float32))
    chain = tfb.FillScaleTriL(diag_bijector=tfb.Softplus(), diag_shift=None)
    tril = tfp.util.TransformedVariable(tf.linalg.diag(tf.constant(spread, tf.float32)), chain)
    q = tfd.MultivariateNormalTriL(loc, tril)
    rate = tf_keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=0.01)
    losses = tfp.vi.fit_surrogate_posterior(
        model.log_joint,
        q,
        optimizer=tf_keras.optimizers.legacy.Adam(rate),
        num_steps=steps,
        sample_size=8,
        seed=seed,
        jit_compile=True,
    )
    return q.sample(draws, seed=seed).numpy(), -float(np.mean(losses[-max(1, steps // 10) :]))
