"""Exported programs, compiled and run by JAX's XLA (`experiments.run_programs`)."""

import hashlib
import json
import os
import statistics
import time
import zipfile

import numpy as np

from experiments.errors import UserError
from experiments.speed.stored import ARRAYS, LISTED

WARM_UP = 2
TRIED = "it is tried with 0.10.2"
INSTALL = "python -m pip install '.[jax]', and on an NVIDIA GPU 'jax[cuda13]'"


class Runtime:
    """The programs of one directory on JAX's first device."""

    def __init__(self, directory):
        """Reads the list and finds the device.

        Raises:
          UserError: if JAX is not installed, or the list cannot be read.
        """
        try:
            import jax
        except ImportError as error:
            raise UserError(f"programs run with JAX, which is not installed ({error}); {INSTALL}") from None
        jax.config.update("jax_enable_x64", True)  # seeds are 64-bit integers
        self._jax = jax
        self._directory = directory
        self._device = jax.devices()[0]
        self.device = f"{self._device.device_kind}, jaxlib {jax.lib.__version__}, {os.environ.get('XLA_FLAGS', '')}"
        self.listed = self._read(LISTED, lambda path: json.loads(path.read_text()))
        self._arrays = self._read(ARRAYS, _arrays_of)

    def check(self, listed):
        """Compiles a program and compares its outputs.

        Args:
          listed: an entry of `programs.json`.

        Returns:
          A dict: `arch`, `work`, `precision`, `replicas`, `compile_s`, `error` (the largest difference from
          TensorFlow's outputs over the largest value of the same output, or None where there are none) and `digest`,
          of all outputs' bits.
        """
        start = time.perf_counter()
        self._program = self._read(listed["program"], lambda path: self._compiled(path.read_bytes()))
        seconds = time.perf_counter() - start
        self._inputs = [self._array(name) for name in listed["inputs"]]
        self._buffers = [self._put(array) for array in self._inputs]
        outputs = [np.asarray(output) for output in self._run()]
        expected = [self._array(name) for name in listed["outputs"]]
        digest = hashlib.sha256()
        for output in outputs:
            digest.update(output.tobytes())
        return {
            "arch": listed["arch"],
            "work": listed["work"],
            "precision": listed["precision"],
            "replicas": listed.get("replicas", 1),
            "compile_s": seconds,
            "error": max(map(difference, outputs, expected), default=None),
            "digest": digest.hexdigest()[:16],
        }

    def time(self, listed, repeats):
        """Times the program that was last checked, with the count that the package passes.

        Returns:
          A dict: `seconds`, the median of a call, `least` and `most`; `unit_s`, the median over steps and replicas, or
          over samples and images.
        """
        count = listed.get("time", 1)
        if "count_argument" in listed:
            position = listed["count_argument"]
            self._inputs[position] = np.full_like(self._inputs[position], count)
            self._buffers[position] = self._put(self._inputs[position])
        seconds = []
        for _ in range(WARM_UP + repeats):
            self._renew_donated()
            start = time.perf_counter()
            self._jax.block_until_ready(self._run())
            seconds.append(time.perf_counter() - start)
        seconds = seconds[WARM_UP:]
        median = statistics.median(seconds)
        units = count * listed.get("images", 1) * listed.get("replicas", 1)
        return {"seconds": median, "least": min(seconds), "most": max(seconds), "unit_s": median / units}

    def rates(self, size=8192):
        """Operations per second of matrix products, float32 and bfloat16, and bytes per second of a copy, both ways."""
        jax, jnp = self._jax, self._jax.numpy
        product = jax.jit(lambda a, b: jnp.matmul(a, b, precision="highest"))
        size = size if self._device.platform != "cpu" else 1024
        random = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
        found = {}
        for name in ("float32", "bfloat16"):
            a, b = (jnp.asarray(x, name) for x in random)
            found[name] = 2 * size**3 / self._median(lambda a=a, b=b: product(a, b))
        block, copy = jnp.asarray(np.resize(random, 8 * size * size)), jax.jit(lambda x: x + 1)
        found["copy"] = 2 * block.nbytes / self._median(lambda: copy(block))
        return found

    def _median(self, function, repeats=8):
        seconds = []
        for _ in range(WARM_UP + repeats):
            start = time.perf_counter()
            self._jax.block_until_ready(function())
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds[WARM_UP:])

    def _compiled(self, code):
        """JAX has no public way from a StableHLO module to a program; this is what its own compiler does."""
        try:
            from jax._src.interpreters import mlir
            from jax._src.lib import xla_client
            from jax.extend.mlir import deserialize_portable_artifact

            with mlir.make_ir_context():
                module = deserialize_portable_artifact(code)
                devices = xla_client.DeviceList((self._device,))
                return self._device.client.compile_and_load(module, devices, xla_client.CompileOptions())
        except RuntimeError as error:
            raise ValueError(str(error).splitlines()[0]) from None
        except (ImportError, AttributeError, TypeError) as error:
            raise UserError(f"JAX {self._jax.__version__} compiles in another way ({error}); {TRIED}") from None

    def _run(self):
        results = self._program.execute_sharded(self._buffers)
        return [output[0] for output in results.disassemble_into_single_device_arrays()]

    def _run_anew(self):
        self._renew_donated()
        return self._run()

    def _renew_donated(self):
        """Puts the inputs anew whose memory the last call has given to its outputs."""
        for i, buffer in enumerate(self._buffers):
            if buffer.is_deleted():
                self._buffers[i] = self._put(self._inputs[i])
        self._jax.block_until_ready(self._buffers)

    def _put(self, array):
        return self._jax.device_put(array, self._device)

    def _array(self, name):
        name, _, times = name.partition("*")
        array = self._read(ARRAYS, lambda _: self._arrays[name])
        return np.broadcast_to(array, (int(times), *array.shape)) if times else array

    def _read(self, name, read):
        path = self._directory / name
        try:
            return read(path)
        except FileNotFoundError:
            raise UserError(f"{path} is missing; write the directory again") from None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path} is damaged ({error}); write the directory again") from None


def _arrays_of(path):
    with open(path, "rb") as file, np.load(file) as arrays:
        return dict(arrays)


def difference(output, expected):
    """The largest absolute difference over the largest absolute value that is expected; nan never passes."""
    if output.shape != expected.shape:
        return float("inf")
    output, expected = output.astype(np.float64), expected.astype(np.float64)
    largest = float(np.max(np.abs(expected), initial=0.0))
    found = float(np.max(np.abs(output - expected), initial=0.0))
    relative = found / largest if largest else found
    return relative if np.isfinite(relative) else float("inf")
