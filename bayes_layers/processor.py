"""What the processor can do, and what `auto` makes of it. Light: no TensorFlow unless a GPU may be there."""

import functools
import os
import pathlib
import platform
import sys

CPUINFO = "/proc/cpuinfo"
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
INSTRUCTIONS = {  # the first that it has names a processor; the first four switch TensorFlow's oneDNN kernels on
    "amx_bf16": "AMX",
    "avx512_bf16": "AVX-512 BF16",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
}
SMALLEST_MU = -6.0  # below, two draws may differ by less than bfloat16 can show in what follows them


@functools.cache
def features(path=CPUINFO):
    """The processor's feature flags, as Linux names them; empty where they cannot be read."""
    return frozenset(_stated("flags", path).split())


def name(path=CPUINFO):
    """What the processor is called."""
    return _stated("model name", path) or platform.processor() or platform.machine()


def _stated(field, path):
    """What Linux states first under this name, "" where it cannot be read."""
    try:
        lines = pathlib.Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")


def instructions():
    """The first of `INSTRUCTIONS` that the processor has, "" where none is known of it."""
    return next((instruction for flag, instruction in INSTRUCTIONS.items() if flag in features()), "")


def switch_onednn_on():
    """Has TensorFlow take oneDNN's kernels where it would not, though they are faster, before it is imported.

    That is measured of processors with AVX2 alone (`docs/benchmarks.md`). A variable that is set stays as it is.
    """
    if instructions() == "AVX2" and "tensorflow" not in sys.modules:
        os.environ.setdefault(ONEDNN, "1")


def has_bfloat16():
    """Whether products of bfloat16 numbers are instructions of this processor (AMX or AVX-512)."""
    return bool({"amx_bf16", "avx512_bf16"} & features())


def multiplies_bfloat16():
    """Whether TensorFlow's kernels of bfloat16 products run on instructions here, a processor's or a GPU's."""
    return has_bfloat16() or has_gpu()


def has_matrix_units():
    """Whether products of bfloat16 numbers are several times faster than those of float32 (AMX, or a GPU)."""
    return "amx_bf16" in features() or has_gpu()


def has_gpu():
    """Whether TensorFlow sees a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def resolve_precision(name, network):
    """The precision that `--precision` means here.

    Args:
      name: "auto", "float32" or "bfloat16".
      network: its `NetworkSettings`: the narrower a posterior, the less of it a rounded activation shows.

    Returns:
      "float32" or "bfloat16".
    """
    if name != "auto":
        return name
    is_wide = network.mu_init >= SMALLEST_MU or not network.is_bayesian
    return "bfloat16" if has_bfloat16() and is_wide and not has_gpu() else "float32"


def resolve_jit_compile(name):
    """Whether `--jit_compile` means XLA here, as "true" or "false"."""
    return name if name != "auto" else str(has_gpu()).lower()
