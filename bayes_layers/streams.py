"""Named streams of randomness: what the host draws, and the keys of what the device draws.

Everything random in a run follows from its seed by the name of a stream ("noise", "weights", "posterior",
"ties", ...) and counters such as the cycle. Light: no TensorFlow.
"""

import hashlib

import numpy as np


def stream_key(seed, stream, *counters):
    """The key of a named stream.

    Args:
      seed: int, the run's seed.
      stream: str, the stream's name.
      *counters: ints, e.g. the cycle.

    Returns:
      int, 64 bits with sign.
    """
    text = repr((int(seed), str(stream), *map(int, counters))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little", signed=True)


def stream_generator(seed, stream, *counters):
    """A NumPy generator for a named stream, for draws that the host makes."""
    return np.random.Generator(np.random.Philox(key=stream_key(seed, stream, *counters) % 2**64))


def hash_uniform(key, indices):
    """A number in [0, 1) per data-set index that depends on nothing but the key and the index.

    Args:
      key: int from `stream_key`.
      indices: integer array `[N]`.

    Returns:
      float64 array `[N]`; SplitMix64's finaliser (Steele, Lea & Flood 2014) of index and key.
    """
    with np.errstate(over="ignore"):
        x = (np.asarray(indices).astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = x ^ np.uint64(key % 2**64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
        x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
