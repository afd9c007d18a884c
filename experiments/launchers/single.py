"""One run of a sweep, in whatever process it is made; its end as a dict that travels between processes.

The keys of an answer: `state` (done, in use, failed, lost), `message` (one line; empty when done), `notes` (warnings,
one line each) and `details` (a traceback, for a failure that no user can mend).
"""

import functools
import os
import traceback

from bayes_layers.settings import SettingError
from experiments import datasets, entry
from experiments.active_learning.config import ActiveLearningConfig
from experiments.errors import RecordInUse, UserError

DONE, IN_USE, FAILED, LOST = "done", "in use", "failed", "lost"


def answer(state, message="", notes=(), details=""):
    """An answer."""
    return {"state": state, "message": message, "notes": list(notes), "details": details}


def make(settings, dataset):
    """Runs, or continues, one run to its end.

    Args:
      settings: dict of all fields of its `ActiveLearningConfig`.
      dataset: "mnist" or "digits".

    Returns:
      An answer; only KeyboardInterrupt and the end of the process are not caught.
    """
    notes = []
    try:
        _run(ActiveLearningConfig(**settings), dataset, notes)
        return answer(DONE, notes=notes)
    except RecordInUse as error:
        return answer(IN_USE, str(error), notes)
    except (UserError, SettingError) as error:
        return answer(FAILED, str(error), notes)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return answer(FAILED, f"cannot read or write: {error.strerror or error}{place}", notes)
    except Exception as error:
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
            return answer(FAILED, entry.OUT_OF_MEMORY, notes)
        line = (str(error).strip() or "no message").splitlines()[0]
        return answer(FAILED, f"{type(error).__name__}: {line}", notes, traceback.format_exc())


def _run(config, dataset, notes):
    from experiments.active_learning.loop import is_complete, prepare_directory, run

    path = prepare_directory(config, dataset)
    if is_complete(config, path):
        return
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # several runs may share a GPU
    entry.start_tensorflow()
    from experiments.active_learning.watch import Watch

    class Silent(Watch):
        """Shows nothing, and keeps the warnings."""

        def warn(self, message):
            notes.append(message)

    with open(os.devnull, "w") as nowhere:
        watch = Silent(config, nowhere)
        try:
            run(config, lambda: _load(dataset, config.data_dir), path, watch)
        finally:
            watch.close()


@functools.lru_cache(maxsize=1)
def _load(dataset, data_dir):
    return datasets.load(dataset, data_dir)
