"""What a run was made with: versions, commit, device, for `config.json`."""

import functools
import importlib.metadata
import os
import pathlib
import platform
import subprocess

import bayes_layers
from bayes_layers import processor

PACKAGES = ("tensorflow", "tf_keras", "tensorflow-probability", "numpy")


def facts(dataset):
    """What `config.json` says besides the settings.

    Args:
      dataset: the `Dataset` of the run.

    Returns:
      dict of versions, commit, device and data set.
    """
    return {
        "versions": versions(),
        "git_commit": git_commit(),
        "device": device(),
        "threads": threads(),
        "dataset": {
            "name": dataset.name,
            "version": dataset.version,
            "train_images": len(dataset.train_images),
            "test_images": len(dataset.test_images),
            "sha256": dataset.fingerprint,
        },
    }


def versions():
    """Versions of Python, this package and what its numbers depend on."""
    found = {"python": platform.python_version(), "bayes_layers": bayes_layers.__version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


@functools.cache
def git_commit():
    """The commit of the source tree, with `-dirty` behind it if files were changed; None outside of git."""
    root = pathlib.Path(bayes_layers.__file__).resolve().parent.parent
    try:
        if not (root / ".git").exists():
            return None
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=20,
        )
        return answer.stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def device():
    """The GPU's name, or the processor's with what decides on its kernels, hence on the bits: "AMD EPYC (AVX2)".

    Virtual machines call processors of different instructions by one name. `TF_ENABLE_ONEDNN_OPTS` is stated where
    it is set.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    asked = os.environ.get(processor.ONEDNN, "")
    kernels = ", ".join(filter(None, [processor.instructions(), asked and f"{processor.ONEDNN}={asked}"]))
    return processor.name() + (f" ({kernels})" if kernels else "")


def threads():
    """The threads that one TensorFlow operation may use: another number sums in another order, hence other bits."""
    import tensorflow as tf

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = os.environ.get("TF_NUM_INTRAOP_THREADS", "")  # which TensorFlow itself obeys
    return tf.config.threading.get_intra_op_parallelism_threads() or (int(asked) if asked.isdecimal() else 0) or allowed
