"""The data sets: MNIST, CIFAR-10 and CIFAR-100 through TFDS, and the embedded digits that need no download."""

import contextlib
import dataclasses
import hashlib
import importlib
import logging
import os
import pathlib
import re
import socket
import sys
import threading

import numpy as np

from experiments.errors import DataError

# What a dry run states without loading anything: images to learn from, to test on, classes.
SIZES = {
    "mnist": (60000, 10000, 10),
    "cifar10": (50000, 10000, 10),
    "cifar100": (50000, 10000, 100),
    "digits": (1297, 500, 10),
}
RAREST_CLASS = {"mnist": 5421, "cifar10": 5000, "cifar100": 500, "digits": 121}  # images to learn from
IMAGE_SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3), "cifar100": (32, 32, 3), "digits": (28, 28, 1)}
TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}  # of those that TFDS has
DOWNLOAD_HOST, DOWNLOAD_PORT, CONNECT_SECONDS = "storage.googleapis.com", 443, 2.0
DIGITS_SPLIT_SEED = 20180703


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images `[N, H, W, C]` uint8 and labels `[N]` int64; an index into `train_*` is a data-set index."""

    name: str
    version: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    num_classes: int

    @property
    def fingerprint(self):
        """SHA-256 of all images and labels, so that a record is not continued on other data."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def resolve(name, data_dir="", download=True):
    """Decides what `--dataset=auto` is: mnist where it can be had, else digits, with a loud warning.

    Args:
      name: auto, or a key of `SIZES`.
      data_dir: TFDS's directory, or empty for its default.
      download: whether to download MNIST for auto, where it is not prepared but a network answers.

    Returns:
      A key of `SIZES`.

    Raises:
      DataError: if `data_dir` is given and is no directory.
    """
    if data_dir and not tfds_dir(data_dir).is_dir():
        raise DataError(f"--data_dir={data_dir} is not a directory; give one that TFDS uses, or leave it out")
    if name != "auto":
        return name
    if _prepared("mnist", data_dir):
        return "mnist"
    why = "MNIST is neither prepared here nor can it be downloaded (no network)"
    if _can_connect():
        if not download:
            return "mnist"
        try:
            load("mnist", data_dir)
            return "mnist"
        except DataError as error:
            why = str(error)
    _warn_about_digits(why)
    return "digits"


def load(name, data_dir=""):
    """Loads a data set.

    Args:
      name: a key of `SIZES`.
      data_dir: TFDS's directory, or empty for its default.

    Returns:
      A `Dataset`.

    Raises:
      DataError: if it cannot be had; the message says what to do.
    """
    return _load_digits() if name == "digits" else _load_tfds(name, data_dir)


def check_reachable(name, data_dir=""):
    """Raises DataError if a data set is neither prepared nor can be downloaded; loads nothing."""
    if name in TITLES and not _prepared(name, data_dir) and not _can_connect():
        raise _unreachable(name, tfds_dir(data_dir))


def _unreachable(name, directory):
    return DataError(
        f"{TITLES[name]} is not prepared in {directory} and there is no network to download it; give --data_dir of a "
        "prepared TFDS directory, or --dataset=digits, which needs no download"
    )


def tfds_dir(data_dir=""):
    """The directory that TFDS will use."""
    return pathlib.Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def _prepared(name, data_dir):
    return any(tfds_dir(data_dir).glob(f"{name}/*/dataset_info.json"))


def _can_connect():
    """Whether the download server answers; in `CONNECT_SECONDS` in all, name look-up and all addresses included."""
    answered = threading.Event()

    def connect():
        with contextlib.suppress(OSError), socket.create_connection((DOWNLOAD_HOST, DOWNLOAD_PORT), CONNECT_SECONDS):
            answered.set()

    threading.Thread(target=connect, daemon=True).start()
    return answered.wait(CONNECT_SECONDS)


def _warn_about_digits(why):
    bar = "=" * 78
    print(
        f"{bar}\nWARNING: {why}.\nThis run uses scikit-learn's DIGITS (1,797 small images) instead of MNIST; "
        f"its numbers are\nnot comparable with the paper's. --dataset=digits silences this warning.\n{bar}",
        file=sys.stderr,
        flush=True,
    )


def _load_tfds(name, data_dir):
    directory, title = tfds_dir(data_dir), TITLES[name]
    tfds = _import_tfds(title)
    try:
        tfds.disable_progress_bar()
        builder = tfds.builder(name, data_dir=str(directory))
        try:
            return _read_tfds(tfds, builder)
        except AssertionError:  # nothing is prepared there
            if not _can_connect():
                raise _unreachable(name, directory) from None
        print(f"downloading {title} to {directory} ...", file=sys.stderr, flush=True)
        return _prepare_and_read(tfds, builder, directory)
    except DataError:
        raise
    except Exception as error:  # TFDS, its file systems and TensorFlow raise many kinds
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        first_line = " ".join(re.sub(r"\{\{.*?\}\}|\[Op:.*?\]", "", first_line).split())
        raise DataError(
            f"{title} in {directory} cannot be read ({first_line[:200]}); delete that copy to have it made again, "
            "give another --data_dir, or --dataset=digits"
        ) from error


def _import_tfds(title):
    """TFDS, which logs what goes wrong while it is imported, and is then a module without content."""
    log = logging.getLogger("absl")
    before, log.disabled = log.disabled, True
    try:
        import tensorflow_datasets as tfds

        if not hasattr(tfds, "builder"):
            importlib.import_module("tensorflow_datasets.public_api")  # raises what was logged
            raise ImportError("it is without content")
        return tfds
    except Exception as error:
        raise DataError(
            f"{title} needs tensorflow-datasets, which cannot be imported ({' '.join(str(error).split())[:300]}); "
            "mend the installation, or give --dataset=digits"
        ) from error
    finally:
        log.disabled = before


def _prepare_and_read(tfds, builder, directory):
    """Prepares and reads a data set; another process may do the same at once, and be the first to give it its name."""
    try:
        builder.download_and_prepare()
    except Exception:
        with contextlib.suppress(Exception):
            return _read_tfds(tfds, tfds.builder(builder.name, data_dir=str(directory)))
        raise
    return _read_tfds(tfds, builder)


def _read_tfds(tfds, builder):
    """Reads both splits in TFDS's order; raises AssertionError if nothing is prepared."""
    arrays = {}
    for split in ("train", "test"):
        batches = list(tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False).batch(1000)))
        for name in ("image", "label"):
            arrays[split, name] = np.concatenate([batch[name] for batch in batches])
    return Dataset(
        builder.name,
        str(builder.version),
        arrays["train", "image"],
        arrays["train", "label"].astype(np.int64),
        arrays["test", "image"],
        arrays["test", "label"].astype(np.int64),
        SIZES[builder.name][2],
    )


def _load_digits():
    """scikit-learn's copy of the UCI handwritten digits, 8x8 with values 0-16, as 28x28 uint8.

    The split is fixed: 1,297 images to learn from and 500 to test on, a seeded permutation.
    """
    from scipy import ndimage
    from sklearn.datasets import load_digits

    small = load_digits()
    zoomed = ndimage.zoom(small.images / 16.0, (1, 3.5, 3.5), order=1)
    images = np.round(np.clip(zoomed, 0, 1) * 255).astype(np.uint8)[..., None]
    order = np.random.Generator(np.random.PCG64(DIGITS_SPLIT_SEED)).permutation(len(images))
    train, test = order[: SIZES["digits"][0]], order[SIZES["digits"][0] :]
    labels = small.target.astype(np.int64)
    return Dataset("digits", "1", images[train], labels[train], images[test], labels[test], 10)
