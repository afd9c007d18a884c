"""Which images are labelled. Everything speaks of data-set indices, never of positions in the pool."""

import numpy as np


class Pool:
    """The labelled images, in order, and the unlabelled rest."""

    def __init__(self, size):
        """A pool of `size` images, none labelled."""
        self._is_labelled = np.zeros(size, bool)
        self._indices, self._labels = [], []

    @property
    def labelled(self):
        """Data-set indices of the labelled images in the order of labelling, int64 `[N]`."""
        return np.array(self._indices, np.int64)

    @property
    def labels(self):
        """Labels of `labelled`, int64 `[N]`."""
        return np.array(self._labels, np.int64)

    @property
    def unlabelled(self):
        """Data-set indices of the other images, ascending."""
        return np.flatnonzero(~self._is_labelled)

    def add(self, indices, labels):
        """Records labels.

        Args:
          indices: data-set indices `[n]`.
          labels: their labels `[n]`.

        Raises:
          ValueError: if an index is unknown, repeated or labelled already; nothing is recorded then.
        """
        indices, labels = np.asarray(indices), np.asarray(labels)
        if any(len(part) and not np.issubdtype(part.dtype, np.integer) for part in (indices, labels)):
            raise ValueError(f"indices and labels are whole numbers, got {indices.dtype} and {labels.dtype}")
        indices, labels = indices.astype(np.int64), labels.astype(np.int64)
        if indices.ndim != 1 or indices.shape != labels.shape:
            raise ValueError(f"needs as many labels as indices, got {labels.shape} and {indices.shape}")
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self._is_labelled)):
            raise ValueError(f"indices are from 0 to {len(self._is_labelled) - 1}, got {indices.tolist()}")
        if len(np.unique(indices)) < len(indices) or self._is_labelled[indices].any():
            raise ValueError(f"some of the images {indices.tolist()} are labelled already, or named twice")
        self._is_labelled[indices] = True
        self._indices += indices.tolist()
        self._labels += labels.tolist()
