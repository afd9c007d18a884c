"""Dense and convolutional layers without a posterior, beside the Bayesian ones.

They are tf_keras' own layers, with initialisers that follow from a seed (`bayes_layers.layers.initializers`) and with
the choice of precision that the Bayesian layers have.
"""

import tf_keras

from bayes_layers.layers import initializers
from bayes_layers.layers.masks import MaskedKernel
from bayes_layers.layers.products import ConvolutionProduct, DenseProduct


def _with_initializers(kwargs):
    ours = {"kernel_initializer": initializers.GlorotUniform(), "bias_initializer": initializers.Zeros()}
    return {**ours, **kwargs}


class DeterministicDense(MaskedKernel, DenseProduct, tf_keras.layers.Dense):
    """A dense layer `[B, I] -> [B, units]`; arguments as of `tf_keras.layers.Dense`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **_with_initializers(kwargs))

    def call(self, inputs, row_scale=None):
        """Applies the layer.

        Args:
          inputs: `[B, I]`.
          row_scale: `[1, I]`, by which the inputs are to be multiplied (a dropout mask that all of them
            share), or None. The kernel's rows are multiplied instead: it is smaller.

        Returns:
          `[B, units]`.
        """
        kernel = self.kept_kernel
        if row_scale is not None:
            kernel = kernel * row_scale[0][:, None]
        return self._finish(self._linear(inputs, kernel), self.bias)


class DeterministicConvolution2D(MaskedKernel, ConvolutionProduct, tf_keras.layers.Conv2D):
    """A channels-last convolution; arguments as of `tf_keras.layers.Conv2D`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **_with_initializers(kwargs))

    def call(self, inputs, pool=None):
        """Applies the layer to `[B, H, W, C]`, and a max-pooling layer to its outputs, if given."""
        return self._finish(self._linear(inputs, self.kept_kernel), self.bias, pool)
