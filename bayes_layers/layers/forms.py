"""What is dense and what is a convolution, whatever draws the noise of a Bayesian layer."""

from bayes_layers.layers.products import ConvolutionProduct, DenseProduct


class DenseForm(DenseProduct):
    """Mixin, in front of a `MeanFieldLayer`: a dense layer `[B, I] -> [B, units]`."""

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Convolution2DForm(ConvolutionProduct):
    """Mixin, in front of a `MeanFieldLayer`: a channels-last convolution `[B, H, W, C] -> [B, H', W', filters]`."""

    def build(self, input_shape):
        if self.data_format != "channels_last":
            raise ValueError(f"{self.name} takes data_format='channels_last', got {self.data_format!r}")
        super().build(input_shape)

    def get_config(self):
        own = ("filters", "kernel_size", "strides", "padding", "dilation_rate")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
