"""How an entry point begins and ends: flags to config, mistakes to one line, Ctrl-C to a clean stop."""

import contextlib
import os
import signal
import sys
import tempfile

import flags
from bayes_layers import processor
from bayes_layers.settings import SettingError
from experiments.errors import UserError

OUT_OF_MEMORY = "not enough memory; try a smaller --batch_size, --num_samples, or fewer images"
DIVERGED = "try a smaller --learning_rate, here or in the run whose network is trained further"
EXIT_USAGE, EXIT_FAILED, EXIT_INTERRUPTED = 2, 1, 130


def point(work, config_class, *, description, groups=None, presets=None, unit="cycle", first=None):
    """Makes the `main` of an entry point.

    Args:
      work: called with the config.
      config_class: the frozen config to make.
      description: the first paragraph of `--help`.
      groups: its groups of settings, in the order of `--help`; None for the config's class alone.
      presets: dict from a preset's name to its settings, or None.
      unit: what ends with a commit.
      first: the setting that a first argument without dashes is the value of, or None.

    Returns:
      A function of program name and arguments (None for `sys.argv`) that returns the exit code: 0; 2 for a mistake on
      the command line; 1 for a failure; 130 after Ctrl-C.
    """
    groups, presets = groups or (config_class,), presets or {}

    def main(argv=None):
        argv = list(sys.argv if argv is None else argv)
        if first and len(argv) > 1 and not argv[1].startswith("-"):
            argv[1] = f"--{first}={argv[1]}"
        try:
            values = flags.define(groups, presets)
            if not flags.parse(values, argv):
                print(flags.help_text(description, groups, presets), end="")
                return 0
            config = flags.config_from(config_class, values, presets)
        except SettingError as error:
            return _fail(error, EXIT_USAGE)
        return _guarded(work, config, unit)

    return main


def _guarded(work, config, unit):
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        work(config)
        return 0
    except KeyboardInterrupt:
        return _fail(f"interrupted; the same command goes on from the last finished {unit}", EXIT_INTERRUPTED)
    except SettingError as error:
        return _fail(error, EXIT_USAGE)
    except UserError as error:
        return _fail(error, EXIT_FAILED)
    except MemoryError:
        return _fail(OUT_OF_MEMORY, EXIT_FAILED)
    except OSError as error:
        advice = "nothing that was committed is lost; mend this and run the same command again"
        place = f" ({error.filename})" if error.filename else ""
        return _fail(f"cannot read or write: {error.strerror or error}{place}; {advice}", EXIT_FAILED)
    except Exception as error:
        if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's, which may not be loaded here
            return _fail(OUT_OF_MEMORY, EXIT_FAILED)
        if type(error).__name__ == "NonFiniteLossError":  # of the module of training, which loads TensorFlow
            return _fail(f"{error}; {DIVERGED}", EXIT_FAILED)
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)


def start_tensorflow():
    """Imports TensorFlow, with its fastest kernels, and finds the devices, without what its C++ code prints at that.

    The messages bypass `sys.stderr`, so the file descriptor is redirected; what was said is shown if the import fails.

    On a GPU TensorFlow is made deterministic, and float32 stays float32: by default the factors of its products are
    rounded to TF32's 11 significant bits there.

    Returns:
      The module `tensorflow`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    processor.switch_onednn_on()
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            import tensorflow as tf

            gpus = tf.config.list_physical_devices("GPU")
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    if gpus:  # on a CPU all that this package uses is deterministic; on a GPU TensorFlow has to be told
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return tf


def _interrupt(signum, frame):
    raise KeyboardInterrupt


def _fail(message, code):
    print(f"error: {message}", file=sys.stderr, flush=True)
    return code
