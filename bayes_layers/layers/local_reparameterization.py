"""Dense layers by local reparameterisation (Kingma, Salimans & Welling 2015).

For independent Normal weights the outputs are Normal as well, and independent across units (eq. 6 of the paper):

    y_bj ~ N( sum_i x_bi mu_ij,  sum_i x_bi^2 sigma_ij^2 )

so one draw per output replaces one per weight, every example has its own, and the gradient's variance is lower than
with Flipout, whose examples share |dW|.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from bayes_layers.layers import randomness
from bayes_layers.layers.base import KERNEL, MeanFieldLayer
from bayes_layers.layers.products import DenseProduct

SMALLEST_VARIANCE = 1e-30  # the root's gradient at 0, where all inputs are 0, is infinite


class DenseLocalReparameterization(MeanFieldLayer, DenseProduct, tfp.layers.DenseLocalReparameterization):
    """A dense layer `[B, I] -> [B, units]` whose outputs are sampled; see `MeanFieldLayer` for its arguments.

    With one draw for all inputs (`draw`, `apply_draw`) it is the same as `DenseFlipout`: the weights are drawn.
    """

    def _sampled_outputs(self, inputs, seed):
        mean = self.mean_outputs(inputs)
        squares = tf.square(tf.cast(inputs, tf.float32))
        variance = tf.cast(self._linear(squares, tf.square(self.kernel_scale)), tf.float32)
        noise = randomness.normal(tf.shape(mean), randomness.fold_in(seed, KERNEL))
        return mean + tf.sqrt(tf.maximum(variance, SMALLEST_VARIANCE)) * noise

    def get_config(self):
        return {**super().get_config(), "units": self.units}
