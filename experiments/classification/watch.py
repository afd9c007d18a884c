"""What a person sees of a run: a progress bar with epoch, errors and time left."""

import time

from experiments.progress_bar import ProgressBar, duration


class EpochWatch(ProgressBar):
    """A progress bar over epochs on standard error."""

    def __init__(self, config, stream=None):
        """A bar for a run with this config, not yet shown."""
        super().__init__(config.epochs, "epoch", stream=stream)
        self._config = config
        self._epoch, self._seconds, self._row = 0, [], None

    def resumed(self, epoch):
        """Says from where a run goes on."""
        self.write(f"resuming after epoch {epoch}")

    def begin_epoch(self, epoch):
        """An epoch begins."""
        self.begin(epoch - 1)
        self._epoch, self._began = epoch, time.monotonic()
        self._describe("training")

    def progress(self, what, done, total):
        """A part of an epoch has come so far; shown once a second."""
        if self.is_due:
            self._describe(f"{what} {100 * done // total:3d}%")

    def end_epoch(self, row):
        """An epoch was committed; `row` is its row of metrics."""
        self._row = row
        self._seconds.append(time.monotonic() - self._began)
        self._describe("committed", refresh=False)
        self.advance()

    def _describe(self, doing, refresh=True):
        errors = ""
        if self._row:
            errors = f" · validation error {100 * float(self._row['val_error']):.2f} %"
            if self._row["test_error"]:
                errors += f" · test error {100 * float(self._row['test_error']):.2f} %"
        left = ""
        if self._seconds:
            known = self._seconds[1:] or self._seconds  # the first one traces
            epochs = self._config.epochs - self._epoch + 1
            left = max(0.0, epochs * sum(known) / len(known) - (time.monotonic() - self._began))
            left = f" · {duration(left)} left"
        self.describe(f"epoch {self._epoch}/{self._config.epochs}{errors} · {doing}{left}", refresh)
