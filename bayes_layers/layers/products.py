"""Convolutions and matrix products in a chosen precision; everything around them is float32.

In "bfloat16" the factors of a product are rounded to 8 significant bits, its sums are float32 inside the processor's
instruction, and the result is rounded once more and returned to float32. Weights, noise, biases, activations and
whatever else there is stay float32. A kernel mu + sigma * eps is never rounded as a whole, since two draws would then
agree in most of their weights where sigma is small: the mean and the perturbation are multiplied apart
(`bayes_layers.layers.base`).
"""

import tensorflow as tf

PRECISIONS = ("float32", "bfloat16")
THINNEST = 64  # products that sum over fewer terms move more memory than they compute: float32 is as fast


class Products:
    """Mixin: a layer whose product runs in `precision`, a public attribute that `Network.precision` sets."""

    precision = "float32"

    def product_dtype(self, kernel):
        """The dtype in which a kernel `[..., inputs, outputs]` is multiplied."""
        terms = int(kernel.shape[:-1].num_elements())
        return tf.bfloat16 if self.precision == "bfloat16" and terms >= THINNEST else tf.float32

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

    def _linear(self, inputs, kernel, dtype=None):
        dtype = dtype or self.product_dtype(kernel)
        return tf.matmul(tf.cast(inputs, dtype), tf.cast(kernel, dtype))


class ConvolutionProduct(Products):
    """Mixin: the product of a channels-last convolution, `[B, H, W, C] x [h, w, C, F] -> [B, H', W', F]`."""

    def _linear(self, inputs, kernel, dtype=None):
        dtype = dtype or self.product_dtype(kernel)
        return tf.nn.conv2d(
            tf.cast(inputs, dtype),
            tf.cast(kernel, dtype),
            strides=self.strides,
            padding=self.padding.upper(),
            dilations=self.dilation_rate,
        )
