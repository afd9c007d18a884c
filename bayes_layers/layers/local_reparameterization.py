"""Layers by local reparameterisation (Kingma, Salimans & Welling 2015; Shridhar 2019, section 4.1).

For independent Normal weights an output is Normal as well, so that it can be sampled itself (eq. 6 of Kingma et al.):

    y_bj ~ N( sum_i x_bi mu_ij,  sum_i x_bi^2 sigma_ij^2 )

so one draw per output replaces one per weight, every example has its own, and the gradient's variance is lower than
with Flipout, whose examples share |dW|. Mean and variance are two products, of x and mu and of x^2 and sigma^2; of a
convolution they are two convolutions (Shridhar's eq. 7, with sigma^2 = alpha mu^2 if variance="alpha").

Outputs of a dense layer are independent of each other, as the columns of its kernel are. Outputs of a convolution at
two positions are not: they share weights, and Cov[y_p, y_q] = sum_i x_pi x_qi sigma_i^2 where their fields are x_p
and x_q. The convolutional form ignores that covariance and draws positions independently. The marginal distribution of
every output is right, the joint one is that of a layer whose weights are drawn anew at every position.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from bayes_layers.layers import randomness
from bayes_layers.layers.base import KERNEL, MeanFieldLayer
from bayes_layers.layers.forms import Convolution2DForm, DenseForm

SMALLEST_VARIANCE = 1e-30  # the root's gradient at 0, where all inputs are 0, is infinite


class _LocalReparameterization(MeanFieldLayer):
    def _sampled_outputs(self, inputs, seed):
        mean = self.mean_outputs(inputs)
        squares = tf.square(tf.cast(inputs, tf.float32))
        variance = tf.cast(self._linear(squares, tf.square(self.kernel_scale)), tf.float32)
        noise = randomness.normal(tf.shape(mean), randomness.fold_in(seed, KERNEL))
        return mean + tf.sqrt(tf.maximum(variance, SMALLEST_VARIANCE)) * noise


class DenseLocalReparameterization(DenseForm, _LocalReparameterization, tfp.layers.DenseLocalReparameterization):
    """A dense layer `[B, I] -> [B, units]` whose outputs are sampled; see `MeanFieldLayer` for its arguments.

    With one draw for all inputs (`draw`, `apply_draw`) it is the same as `DenseFlipout`: the weights are drawn.
    """


class Convolution2DLocalReparameterization(
    Convolution2DForm, _LocalReparameterization, tfp.layers.Convolution2DReparameterization
):
    """A convolution `[B, H, W, C] -> [B, H', W', filters]` whose outputs are sampled; see `MeanFieldLayer`.

    Called, it ignores the covariance between positions (see above). With one draw for all inputs (`draw`,
    `apply_draw`; posterior prediction) it ignores nothing: the weights are drawn, as in `Convolution2DFlipout`.
    Inputs are channels-last.
    """
