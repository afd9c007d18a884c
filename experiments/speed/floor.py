"""The least time that this machine needs for a work: operations over their rate, bytes over theirs."""

import statistics
import time


def machine_rates(precision, size=2048, repeats=8):
    """Measured rates of this machine.

    Args:
      precision: the works', "float32", "bfloat16" or "auto".
      size, repeats: the matrices' rows and columns, and how often each product and copy is timed.

    Returns:
      dict: `float32`, and `bfloat16` if that is asked for or has instructions here, operations per second of a
      square matrix product as the layers make it, and `copy`, bytes per second read and written by a copy of 256 MiB.
    """
    import tensorflow as tf

    from bayes_layers.layers.products import multiplied
    from bayes_layers.processor import multiplies_bfloat16

    rates = {}
    for dtype in (tf.float32, tf.bfloat16) if precision == "bfloat16" or multiplies_bfloat16() else (tf.float32,):
        a = tf.cast(tf.random.stateless_normal([size, size], [1, 2]), dtype)
        product = tf.function(lambda a, dtype=dtype: multiplied(tf.matmul, a, a, dtype))
        rates[dtype.name] = 2 * size**3 / _median_seconds(lambda a=a, product=product: product(a), repeats)
    block, copy = tf.zeros([2**26]), tf.function(lambda x: x + 1.0)
    rates["copy"] = 2 * 4 * 2**26 / _median_seconds(lambda: copy(block), repeats)
    return rates


def _median_seconds(function, repeats):
    function()[0].numpy()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()[0].numpy()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def prediction_operations(network, image_samples, images):
    """Operations of prediction: the layers before the split once per image, the others once per image and sample."""
    from bayes_layers.models.network import operations

    counts = operations(network)
    return images * sum(counts[: network.split]) + image_samples * sum(counts[network.split :])


def training_operations(network, batch_size):
    """Operations of a training step: forward, and backward by inputs and by weights; twice that for Flipout."""
    from bayes_layers.models.network import operations

    counts = operations(network)
    factors = [6 if hasattr(layer, "kl") else 3 for layer in network.stack]
    return batch_size * sum(count * factor for count, factor in zip(counts, factors, strict=True))


def weight_bytes(network):
    """Bytes that Adam reads and writes in a step: weight, gradient and two momenta in, weight and momenta out."""
    return 7 * 4 * sum(int(weight.shape.num_elements()) for weight in network.trainable_weights)


def floor_seconds(rates, precision, count, size):
    """The longer of `count` operations and `size` bytes at the machine's rates."""
    return max(count / rates[precision], size / rates["copy"])
