"""LeNet-5, AlexNet and AlexNetHalf as Shridhar's thesis (2019) has them: Tables 5, 11, 12 and 13.

    LeNet-5       conv 5x5, 6 - pool - conv 5x5, 16 - pool - dense 120 - dense 84 - dense C
    AlexNet       conv 11x11/4, 64 - pool - conv 5x5, 192 - pool - conv 3x3, 384 - conv 3x3, 256 - conv 3x3, 128 - pool
                  - dense 128 - dense C
    AlexNetHalf   the same with half of the filters and units

Pools are 2x2 maxima of stride 2, hidden layers are softplus (section 5.1.1), images are 32x32. Where the thesis
contradicts itself or leaves something open:

- AlexNet's stated input shapes (32, 15, 15, 7, 7, 7) are impossible. An 11x11 convolution of stride 4 and padding 5
  makes 8x8 of 32x32, and what follows is 8, 4, 4, 2, 2, 2, 2, 1: the last feature map is 1x1x128, which explains
  why the dense layer has 128 inputs. LeNet-5's shapes (32, 28, 14, 10, 400) are right.
- AlexNet's table ends in a dense layer of width 128 (64) for 10 or 100 classes: the output layer is missing. We add
  it. That makes the layer before it a hidden one, and hidden layers are softplus, though its cell of "nonlinearity" is
  empty, like that of LeNet-5's output layer.
- "Three layers of dropout after the first, fourth and sixth layers" (section 5.5, of AlexNet) fits the layers with
  weights, the missing one included: behind convolutions 1 and 4 and the dense layer 6. Where a convolution is pooled,
  dropout is behind the pool. LeNet-5 has no sixth hidden layer: its three are behind layers 1, 3 and 4. Where the one
  of "1 dropout layer" is, is not said: here the last of the three, in front of the output. Nor is the rate: 0.5.
- MNIST's 28x28 become 32x32; how, is not said. Here by a border of zeros, as in LeCun et al. 1998.
- "Original configurations" (captions of Tables 11 and 12) they are not: LeNet-5 has no such softplus and pools by
  trained averages, AlexNet has 96-256-384-384-256 filters and two dense layers of 4,096.
- Softplus activations are said to keep the variance alpha mu^2 from zero (section 5.1.1). They keep a layer's inputs
  from zero; the variance of a weight is zero wherever mu is (see `bayes_layers.layers.posteriors`).
"""

from typing import NamedTuple

import tf_keras

from bayes_layers.layers import deterministic, dropout, initializers
from bayes_layers.models.bayesian_layers import bayesian_layers, description_of
from bayes_layers.models.network import Network

IMAGE_SIZE = 32
DROPOUT_RATE = 0.5


class Convolution(NamedTuple):
    """A row of the tables; `padding` on each side, and whether a pool follows."""

    filters: int
    size: int
    stride: int = 1
    padding: int = 0
    pooled: bool = False


class Plan(NamedTuple):
    """Convolutions, units of the hidden dense layers, and the layers (from 1) behind which three dropouts are."""

    convolutions: tuple
    units: tuple
    dropouts: tuple


LENET5 = Plan((Convolution(6, 5, pooled=True), Convolution(16, 5, pooled=True)), (120, 84), (1, 3, 4))


def _alexnet(share):
    widths = [width // share for width in (64, 192, 384, 256, 128)]
    convolutions = (
        Convolution(widths[0], 11, stride=4, padding=5, pooled=True),
        Convolution(widths[1], 5, padding=2, pooled=True),
        Convolution(widths[2], 3, padding=1),
        Convolution(widths[3], 3, padding=1),
        Convolution(widths[4], 3, padding=1, pooled=True),
    )
    return Plan(convolutions, (128 // share,), (1, 4, 6))


PLANS = {"lenet5": LENET5, "alexnet": _alexnet(1), "alexnet_half": _alexnet(2)}


def build_network(settings, input_shape=(28, 28, 1), num_classes=10):
    """Builds one of the networks: all layers Bayesian, or none, perhaps with dropout.

    Args:
      settings: a `bayes_layers.config.NetworkSettings`; `inference` and `dropout_layers` say what the layers are.
      input_shape: shape of one image, at most 32x32; smaller ones get a border of zeros.
      num_classes: number of classes C.

    Returns:
      A `Network` with logits `[B, C]`.

    Raises:
      ValueError: if images are larger than 32x32.
    """
    plan = PLANS[settings.arch]
    convolution, dense = _constructors(settings)
    dropouts = _dropout_places(settings, plan)
    layers = _border(input_shape)
    for number, row in enumerate(plan.convolutions, start=1):
        layers += _convolution(convolution, number, row)
        if number in dropouts:
            layers.append(_dropout(number, settings))
    layers.append(tf_keras.layers.Flatten(name="Flatten"))
    for number, units in enumerate(plan.units, start=1):
        layers.append(dense(units, activation="softplus", name=f"Dense{number}"))
        if len(plan.convolutions) + number in dropouts:
            layers.append(_dropout(len(plan.convolutions) + number, settings))
    layers.append(dense(num_classes, name=f"Dense{len(plan.units) + 1}"))
    return Network(layers, input_shape, description_of(settings), name=settings.arch)


def _constructors(settings):
    if settings.inference == "variational":
        return bayesian_layers(settings)

    def with_init(kind):
        def make(*args, **kwargs):
            values = initializers.Normal(0.0, 1.0) if settings.weight_init == "normal" else initializers.GlorotUniform()
            return kind(*args, kernel_initializer=values, **kwargs)

        return make

    return with_init(deterministic.DeterministicConvolution2D), with_init(deterministic.DeterministicDense)


def _dropout_places(settings, plan):
    """The numbers of the layers with weights, from 1, behind which dropout is."""
    hidden = range(1, len(plan.convolutions) + len(plan.units) + 1)
    choice = settings.dropout_layers
    if choice == "auto":
        choice = "all" if settings.inference == "dropout" else "0"
    return {"0": (), "1": plan.dropouts[-1:], "3": plan.dropouts, "all": tuple(hidden)}[choice]


def _border(input_shape):
    height, width, _ = input_shape
    if max(height, width) > IMAGE_SIZE:
        raise ValueError(f"images are at most {IMAGE_SIZE}x{IMAGE_SIZE}, these are {height}x{width}")
    missing = [IMAGE_SIZE - size for size in (height, width)]
    if not any(missing):
        return []
    return [tf_keras.layers.ZeroPadding2D([(m // 2, m - m // 2) for m in missing], name="Border")]


def _convolution(make, number, row):
    """The layers of one row. Keras' "same" pads 3 and 4 pixels for a stride of 4, not 5: there the padding is apart."""
    layers, padding = [], "same" if row.padding else "valid"
    if row.padding and row.stride > 1:
        layers, padding = [tf_keras.layers.ZeroPadding2D(row.padding, name=f"Padding{number}")], "valid"
    layers.append(
        make(row.filters, row.size, strides=row.stride, padding=padding, activation="softplus", name=f"Conv{number}")
    )
    return layers + ([tf_keras.layers.MaxPooling2D(2, name=f"Pool{number}")] if row.pooled else [])


def _dropout(number, settings):
    return dropout.MonteCarloDropout(DROPOUT_RATE, settings.dropout_samples, name=f"Dropout{number}")
