"""Flipout layers (Wen, Vicol, Ba, Tran & Grosse 2018) with stateless randomness.

For example b with random sign vectors r_b (inputs) and s_b (outputs), and one perturbation
dW = sigma * eps per call (eqs. 3 and 4 of the paper):

    y_b = x_b W_mean + ((x_b * r_b) dW) * s_b

Every example sees its own weights W_mean + dW * (r_b s_b^T), which has the posterior's marginal
distribution; two examples of one call share |dW| and are uncorrelated, not independent.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from bayes_layers.layers import randomness
from bayes_layers.layers.base import SIGN_IN, SIGN_OUT, MeanFieldLayer
from bayes_layers.layers.forms import Convolution2DForm, DenseForm


class _Flipout(MeanFieldLayer):
    def _sampled_outputs(self, inputs, seed):
        inputs = tf.cast(inputs, self.product_dtype(self.kernel_loc))  # signs are exact in every precision
        mean = self.mean_outputs(inputs)
        sign_in = tf.cast(_signs_like(inputs, randomness.fold_in(seed, SIGN_IN)), inputs.dtype)
        sign_out = _signs_like(mean, randomness.fold_in(seed, SIGN_OUT))
        perturbation = self._linear(inputs * sign_in, self._kernel_noise(seed))
        return mean + tf.cast(perturbation, tf.float32) * sign_out


def _signs_like(x, seed):
    """Signs per example and channel, `[B, 1, ..., 1, channels]`: the same at all positions."""
    return randomness.signs([tf.shape(x)[0], *[1] * (x.shape.rank - 2), x.shape[-1]], seed)


class DenseFlipout(DenseForm, _Flipout, tfp.layers.DenseFlipout):
    """A dense layer `[B, I] -> [B, units]` with Flipout; see `MeanFieldLayer` for its arguments."""


class Convolution2DFlipout(Convolution2DForm, _Flipout, tfp.layers.Convolution2DFlipout):
    """A convolution `[B, H, W, C] -> [B, H', W', filters]` with Flipout; see `MeanFieldLayer`.

    Signs are drawn per example and channel, as in the paper: within one example all positions see
    the same weights. Inputs are channels-last.
    """
