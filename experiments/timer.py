"""Wall time of a part of a run."""

import time


class Timer:
    """A context manager that measures wall time; `text` has milliseconds."""

    def __enter__(self):
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exception):
        self.text = f"{time.perf_counter() - self._start:.3f}"
