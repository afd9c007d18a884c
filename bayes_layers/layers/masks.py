"""Kernels some of whose weights are pruned."""

import numpy as np
import tensorflow as tf


class MaskedKernel:
    """Mixin: a layer whose kernel may have pruned weights: exactly 0, with no variance, in every draw.

    The layer's variables keep what they held when a weight was pruned; whatever is computed from them goes through the
    mask. A pruned weight has no posterior, so it has no part in the KL either.
    """

    _kernel_mask = None

    @property
    def kernel_mask(self):
        """Bool array of the kernel's shape, true where a weight is kept; None if nothing was ever pruned.

        A layer is given its first mask before anything is compiled that uses it (trainers, predictions); later masks
        take effect at once.
        """
        return None if self._kernel_mask is None else self._kernel_mask.numpy().astype(bool)

    @kernel_mask.setter
    def kernel_mask(self, mask):
        shape, mask = self.kernel_shape, np.asarray(mask)
        if mask.shape != shape or mask.dtype != bool:
            raise ValueError(f"{self.name}'s mask is a bool array {shape}, got {mask.dtype} {mask.shape}")
        if self._kernel_mask is None:
            self._kernel_mask = tf.Variable(mask.astype(np.float32), trainable=False, name=f"{self.name}/kernel_mask")
        else:
            self._kernel_mask.assign(mask.astype(np.float32))

    @property
    def kernel_shape(self):
        """The kernel's shape, a tuple of ints."""
        name = "kernel_posterior" if hasattr(self, "kernel_posterior") else "kernel"
        kernel = getattr(self, name)
        return tuple(int(size) for size in getattr(kernel, "event_shape", None) or kernel.shape)

    @property
    def kept_kernel(self):
        """The kernel of a layer without a posterior; 0 where a weight is pruned."""
        return self._kept(self.kernel)

    def _kept(self, values):
        """Values of the kernel's shape, 0 where a weight is pruned."""
        return values if self._kernel_mask is None else values * self._kernel_mask
