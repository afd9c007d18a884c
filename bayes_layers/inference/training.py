"""Fitting the ELBO: many minibatch steps inside one compiled loop."""

import time

import numpy as np
import tensorflow as tf
import tf_keras

from bayes_layers.inference.elbo import mean_nll, negative_elbo
from bayes_layers.inference.prediction import as_float
from bayes_layers.layers.randomness import fold_in, make_seed
from bayes_layers.streams import stream_generator, stream_key

CHUNK = 256  # the most steps between two looks of the host
SECONDS_BETWEEN_LOOKS = 1.0
SMALLEST_CAPACITY = 1024  # with XLA, so that runs to 300 and to 1,000 labels are one and the same program
IGNORED = ("kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint")
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7  # Adam (Kingma & Ba 2014) with Keras' epsilon


class NonFiniteLossError(ArithmeticError):
    """The loss was nan or infinite; `epoch` and `step` (within the epoch, both from 1) say where."""

    def __init__(self, epoch, step, loss):
        super().__init__(f"the loss is {loss} in epoch {epoch}, step {step}")
        self.epoch, self.step, self.loss = epoch, step, loss


def minibatches(seed, cycle, num_images, epochs, batch_size, first_epoch=0):
    """Which images are in which minibatch: every epoch a new permutation, from the host's generator.

    Args:
      seed: the run's seed.
      cycle: the active-learning cycle.
      num_images: labelled images N.
      epochs: passes over them.
      batch_size: images in a minibatch; the last of an epoch has fewer.
      first_epoch: number of the first epoch, from 0.

    Returns:
      int32 `[epochs * ceil(N / batch_size), batch_size]` of positions, padded with -1.
    """
    steps = -(-num_images // batch_size)
    order = np.full([epochs, steps * batch_size], -1, np.int32)
    for epoch in range(epochs):
        order[epoch, :num_images] = stream_generator(seed, "minibatches", cycle, first_epoch + epoch).permutation(
            num_images
        )
    return order.reshape(epochs * steps, batch_size)


class ElboTrainer:
    """Trains a network's weights by Adam on the negative ELBO.

    Built once per run. A chunk of steps is one call of a compiled function whose start and count are
    tensors, so a training set that grows causes no new trace. Adam starts anew in every `fit`, unless that
    goes on from an earlier epoch (`first_epoch`); `optimizer_arrays` is then what has to be kept besides the weights.
    """

    def __init__(
        self,
        network,
        *,
        learning_rate=0.001,
        weight_decay=0.0,
        mean_decay=0.0,
        batch_size=64,
        train_samples=1,
        jit_compile=False,
        nll=mean_nll,
        penalty=None,
    ):
        """Prepares training.

        Args:
          network: a `Network`.
          learning_rate: Adam's.
          weight_decay: factor of the sum of squared kernel weights of deterministic layers in the loss.
          mean_decay: factor of the sum of squared posterior means of Bayesian kernels in the loss.
          batch_size: images in a minibatch.
          train_samples: Monte-Carlo draws in each step, over which the loss is averaged (Shridhar 2019, eq. 6; its
            KL is a closed form here, so that only the likelihood is averaged).
          jit_compile: compile a chunk of steps as one XLA computation.
          nll: the likelihood, `elbo.mean_nll` of integer labels or `elbo.mean_normal_nll` of float targets.
          penalty: called with the network for a scalar that is added to the loss, e.g. an L1 norm; or None.

        Raises:
          ValueError: if a layer has what this training would not do: Keras regularisers and constraints, or batch
            normalisation (minibatches are filled up to their size).
        """
        for layer in network.stack:
            _check_layer(layer)
        self.network = network
        self._nll, self._extra_penalty = nll, penalty
        self._label_dtype = tf.int32 if nll is mean_nll else tf.float32
        self.batch_size = batch_size
        self.jit_compile = jit_compile
        self.traces = 0
        self._learning_rate = learning_rate
        self._train_samples = train_samples
        self._weight_decay = weight_decay
        self._mean_decay = mean_decay
        self._decayed = [w for w in network.trainable_weights if w.name.endswith("/kernel:0")]
        self._decayed_means = [w for w in network.trainable_weights if w.name.endswith("/kernel_posterior_loc:0")]
        self._variables = network.trainable_weights
        self._capacity = 0
        self._prepare(())

    def _prepare(self, replicas):
        """Compiles the loop for tensors with the axes `replicas` in front."""
        self._replicas = replicas
        self._momenta = [
            (tf.Variable(tf.zeros_like(w), trainable=False), tf.Variable(tf.zeros_like(w), trainable=False))
            for w in self._variables
        ]
        spec = tf.TensorSpec
        self._steps = tf.function(
            self._run_steps,
            autograph=False,
            jit_compile=self.jit_compile,
            input_signature=[
                spec([*replicas, None, *self.network.one_input_shape]),
                spec([*replicas, None], self._label_dtype),
                spec([None, *replicas, self.batch_size], tf.int32),
                spec([], tf.int32),
                spec([], tf.int32),
                spec([], tf.int32),
                spec([None]),
                spec(replicas, tf.int64),
            ],
        )

    def fit(self, images, labels, *, epochs, kl_weight, seed, cycle=0, first_epoch=0, capacity=0, progress=None):
        """Trains for some epochs.

        Args:
          images: `[N, ...]`, float32, or uint8 that is divided by 255.
          labels: integer `[N]`.
          epochs: passes over the images.
          kl_weight: the KL's factor (`elbo.kl_weight`), or that of every step (`elbo.kl_weights`).
          seed: the run's seed, from which minibatches and noise follow.
          cycle: the active-learning cycle.
          first_epoch: 0 to begin, or how many epochs came before: minibatches, noise and Adam go on as if all had been
            one call.
          capacity: with `jit_compile`, the most images that any call will bring (a larger number
            is compiled anew).
          progress: called as `progress(done_steps, total_steps)` every second or so, or None.

        Returns:
          dict of float64 arrays `[epochs]`: `nll` and `kl`, means over the steps of each epoch in nats, and
          `negative_elbo`, the mean of `nll + kl_weight * kl`.

        Raises:
          NonFiniteLossError: if the loss is nan or infinite.
          ValueError: if there are no images, not as many labels, or no epochs.
        """
        if not len(images) or len(labels) != len(images) or epochs < 1:
            raise ValueError(
                f"fit takes images, as many labels, and at least one epoch; got {len(images)} images, {len(labels)} "
                f"labels, epochs={epochs}"
            )
        order = minibatches(seed, cycle, len(images), epochs, self.batch_size, first_epoch)
        key = stream_key(seed, "noise", cycle)
        nll, kl = self._run(images, labels, order, epochs, kl_weight, key, first_epoch, capacity, progress)
        return curve_of(nll, kl, kl_weight, epochs)

    def optimizer_arrays(self):
        """Adam's moments as a dict of arrays, for a `fit` that goes on in another process."""
        return {
            f"adam/{moment}/{weight.name.split(':')[0]}": variable.numpy()
            for weight, pair in zip(self._variables, self._momenta, strict=True)
            for moment, variable in zip("mv", pair, strict=True)
        }

    def assign_optimizer_arrays(self, arrays):
        """Assigns what `optimizer_arrays` returned; other names are ignored."""
        for weight, pair in zip(self._variables, self._momenta, strict=True):
            for moment, variable in zip("mv", pair, strict=True):
                variable.assign(arrays[f"adam/{moment}/{weight.name.split(':')[0]}"])

    def _run(self, images, labels, order, epochs, kl_weight, noise_key, first_epoch, capacity, progress):
        """All steps of a fit, in portions of about a second; NLL and KL of each step, `[epochs * steps, ...]`."""
        steps = len(order) // epochs
        weights = np.broadcast_to(np.asarray(kl_weight, np.float32), [len(order)])
        images, labels, batches, weights = self._padded(images, labels, order, weights, epochs, capacity)
        noise_key = tf.constant(noise_key, tf.int64)
        before = first_epoch * steps
        if not first_epoch:
            for pair in self._momenta:
                for momentum in pair:
                    momentum.assign(tf.zeros_like(momentum))
        nll, kl = (np.zeros([len(order), *self._replicas]) for _ in range(2))
        start, count = 0, min(16, CHUNK)
        while start < len(order):
            count = min(count, len(order) - start, CHUNK)
            began = time.perf_counter()
            loss_part, nll_part, kl_part = (
                part.numpy()[:count]
                for part in self._steps(images, labels, batches, start, count, before, weights, noise_key)
            )
            self._check_losses(loss_part, before + start, steps)
            nll[start : start + count], kl[start : start + count] = nll_part, kl_part
            start += count
            if progress:
                progress(start, len(order))
            per_step = (time.perf_counter() - began) / count
            count = max(1, int(SECONDS_BETWEEN_LOOKS / per_step))
        return nll, kl

    def _check_losses(self, losses, start, steps):
        """Raises NonFiniteLossError for a loss `[count, ...]` that is nan or infinite; `start` is the first's step."""
        _check(losses, start, steps)

    def _padded(self, images, labels, order, weights, epochs, capacity):
        if not tf.is_tensor(images):  # a tensor is on the device already
            images = as_float(images)
        labels = np.asarray(labels, self._label_dtype.as_numpy_dtype)
        if self.jit_compile:  # XLA compiles for static shapes
            axis = len(self._replicas)
            needed = max(self._capacity, capacity, images.shape[axis], SMALLEST_CAPACITY)
            self._capacity = 2 ** int(np.ceil(np.log2(needed)))
            rows = epochs * -(-self._capacity // self.batch_size)
            images = _pad_rows(np.asarray(images), self._capacity, axis)
            labels = _pad_rows(labels, self._capacity, axis)
            order, weights = _pad_rows(order, rows), _pad_rows(weights, rows)
        return tuple(map(tf.convert_to_tensor, (images, labels, order, weights)))

    def _run_steps(self, images, labels, batches, start, count, before, kl_weights, noise_key):
        """Steps `start` to `start + count - 1` after `before` earlier ones; loss, nll, kl of each, `[CHUNK, ...]`."""
        self.traces += 1
        parts = tuple(tf.TensorArray(tf.float32, size=CHUNK, element_shape=self._replicas) for _ in range(3))
        axes = len(self._replicas)

        def body(i, parts):
            step = start + i
            positions = tf.gather(batches, step)  # XLA compiles a slice anew for every `start`
            mask = tf.cast(positions >= 0, tf.float32)
            positions = tf.maximum(positions, 0)
            values = self._one_step(
                tf.gather(images, positions, batch_dims=axes),
                tf.gather(labels, positions, batch_dims=axes),
                mask,
                tf.gather(kl_weights, step),
                make_seed(noise_key, before + step),
                before + step,
            )
            return i + 1, tuple(part.write(i, value) for part, value in zip(parts, values, strict=True))

        _, parts = tf.while_loop(lambda i, parts: i < count, body, (tf.constant(0), parts), parallel_iterations=1)
        return tuple(part.stack() for part in parts)

    def _one_step(self, images, labels, mask, kl_weight, seed, step):
        loss, nll, kl, gradients = self.gradients(images, labels, mask, kl_weight, seed)
        self._apply_adam(gradients, step)
        return loss, nll, kl

    def gradients(self, images, labels, mask, kl_weight, seed):
        """The loss and its parts, scalars, and the gradients by the trainable weights."""
        if self._train_samples > 1:
            return self._averaged_gradients(images, labels, mask, kl_weight, seed)
        with tf.GradientTape() as tape:
            loss, nll, kl = negative_elbo(self.network, images, labels, mask, seed, kl_weight, self._nll)
            loss += self._penalty()
        return loss, nll, kl, tape.gradient(loss, self.network.trainable_weights)

    def _averaged_gradients(self, images, labels, mask, kl_weight, seed):
        """`gradients` over several draws: one after the other, so that memory does not grow with their number."""
        weights = self.network.trainable_weights
        seeds = tf.stack([fold_in(seed, draw) for draw in range(self._train_samples)])

        def body(draw, nll, gradients):
            with tf.GradientTape() as tape:
                logits = self.network(images, training=True, seed=tf.gather(seeds, draw))
                one = self._nll(logits, labels, mask)
            new = tape.gradient(one, weights, unconnected_gradients="zero")
            # TensorFlow may turn a sum of more than two terms into a temporary variable, and those of a loop within a
            # loop collide. So there is none here: gradients are scaled before they are added, seeds are made outside.
            share = 1.0 / self._train_samples
            return draw + 1, nll + share * one, [old + share * g for old, g in zip(gradients, new, strict=True)]

        start = (tf.constant(0), tf.constant(0.0), [tf.zeros_like(w) for w in weights])
        _, nll, gradients = tf.while_loop(
            lambda draw, *_: draw < self._train_samples, body, start, parallel_iterations=1
        )
        with tf.GradientTape() as tape:
            kl = self.network.kl(seed)
            rest = kl_weight * kl + self._penalty()
        others = tape.gradient(rest, weights, unconnected_gradients="zero")
        return nll + rest, nll, kl, [one + other for one, other in zip(gradients, others, strict=True)]

    def _penalty(self):
        """All that is added to the negative ELBO; a Python 0 where there is nothing."""
        penalty = 0.0 if self._extra_penalty is None else self._extra_penalty(self.network)
        for factor, decayed in ((self._weight_decay, self._decayed), (self._mean_decay, self._decayed_means)):
            if factor:
                penalty += factor * tf.add_n([tf.reduce_sum(w**2) for w in decayed] or [0.0])
        return penalty

    def _apply_adam(self, gradients, step):
        """TensorFlow's fused Adam kernel: one pass over each weight."""
        count = tf.cast(step + 1, tf.float32)
        for weight, (m, v), gradient in zip(self._variables, self._momenta, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=m.handle,
                v=v.handle,
                grad=gradient,
                lr=self._learning_rate,
                beta1=BETA1,
                beta2=BETA2,
                epsilon=EPSILON,
                beta1_power=tf.pow(BETA1, count),
                beta2_power=tf.pow(BETA2, count),
            )


def curve_of(nll, kl, kl_weight, epochs):
    """The training curve `[epochs]` from NLL and KL of all steps and the KL's factor, or that of every step."""
    by_epoch = lambda values: values.reshape(epochs, -1).mean(axis=1)  # noqa: E731
    weighted = kl_weight * by_epoch(kl) if np.ndim(kl_weight) == 0 else by_epoch(kl_weight * kl)
    return {"nll": by_epoch(nll), "kl": by_epoch(kl), "negative_elbo": by_epoch(nll) + weighted}


def _check_layer(layer):
    if isinstance(layer, tf_keras.layers.BatchNormalization):
        raise ValueError(f"{layer.name} normalises batches, whose last rows here are fillings; leave it out")
    for name in IGNORED:
        if getattr(layer, name, None) is not None:
            raise ValueError(f"{layer.name} has a {name}, which is not applied here; see weight_decay and penalty")


def _check(losses, start, steps):
    bad = np.argwhere(~np.isfinite(losses))
    if len(bad):
        step = start + int(bad[0][0])
        raise NonFiniteLossError(step // steps + 1, step % steps + 1, float(losses[tuple(bad[0])]))


def _pad_rows(array, rows, axis=0):
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, rows - array.shape[axis])
    return np.pad(array, widths)
