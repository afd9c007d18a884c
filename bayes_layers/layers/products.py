"""Convolutions and matrix products in a chosen precision; everything around them is float32.

In "bfloat16" the factors of a product are rounded to 8 significant bits, its sums are float32, inside the processor's
instruction where it has one, and the result is rounded once more and returned to float32. Weights, noise, biases,
activations and whatever else there is stay float32. A kernel mu + sigma * eps is never rounded as a whole, since two
draws would then agree in most of their weights where sigma is small: the mean and the perturbation are multiplied apart
(`bayes_layers.layers.base`).
"""

import tensorflow as tf

from bayes_layers.processor import multiplies_bfloat16

PRECISIONS = ("float32", "bfloat16")
THINNEST = 64  # products that sum over fewer terms move more memory than they compute: float32 is as fast


def multiplied(product, inputs, kernel, dtype):
    """A product of two tensors in `dtype`, its sums in float32 or better, its result and its gradients rounded once.

    TensorFlow's kernels for processors without bfloat16 instructions cut the result of a matrix product off instead of
    rounding it, so that outputs are too small by 0.3 % on average, and round the partial sums of a convolution's
    gradients, which are then wrong by 2 to 3 %. There the rounded factors are multiplied in float32.

    Args:
      product: function of the two.
      inputs, kernel: tensors of any floating-point dtype.
      dtype: tf.float32 or tf.bfloat16.

    Returns:
      What `product` returns, in `dtype`.
    """
    inputs, kernel = tf.cast(inputs, dtype), tf.cast(kernel, dtype)
    if dtype == tf.bfloat16 and not multiplies_bfloat16():
        return tf.cast(product(tf.cast(inputs, tf.float32), tf.cast(kernel, tf.float32)), dtype)
    return product(inputs, kernel)


class Products:
    """Mixin: a layer whose product runs in `precision`, a public attribute that `Network.precision` sets."""

    precision = "float32"

    def product_dtype(self, kernel):
        """The dtype in which a kernel `[..., inputs, outputs]` is multiplied."""
        terms = int(kernel.shape[:-1].num_elements())
        return tf.bfloat16 if self.precision == "bfloat16" and terms >= THINNEST else tf.float32

    def _linear(self, inputs, kernel, dtype=None):
        return multiplied(self._product, inputs, kernel, dtype or self.product_dtype(kernel))

    def _finish(self, outputs, bias, pool=None):
        """Pools, adds the bias and activates, in float32.

        Max pooling commutes with adding a bias and with a monotone activation; done first, it leaves them a
        fraction of the work, and the same values.
        """
        if pool is not None:
            outputs = pool(outputs)
        outputs = tf.cast(outputs, tf.float32)
        if bias is not None:
            outputs = tf.nn.bias_add(outputs, bias)
        return outputs if self.activation is None else self.activation(outputs)


class DenseProduct(Products):
    """Mixin: the product of a dense layer, `[B, I] x [I, O] -> [B, O]`."""

    def _product(self, inputs, kernel):
        return tf.matmul(inputs, kernel)


class ConvolutionProduct(Products):
    """Mixin: the product of a channels-last convolution, `[B, H, W, C] x [h, w, C, F] -> [B, H', W', F]`."""

    def _product(self, inputs, kernel):
        return tf.nn.conv2d(
            inputs, kernel, strides=self.strides, padding=self.padding.upper(), dilations=self.dilation_rate
        )
