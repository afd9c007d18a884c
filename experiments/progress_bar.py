"""A progress bar over what a run commits, on standard error."""

import sys
import time

from tqdm import tqdm


class ProgressBar:
    """A bar that appears when the work begins."""

    def __init__(self, total, unit, label="", position=None, stream=None):
        """A bar over `total` units, not yet shown; at a `position` among others, or alone."""
        self._total, self._unit, self._label, self._position = total, unit, label, position
        self._stream = stream or sys.stderr
        self._bar = None
        self._shown = 0.0

    def write(self, message):
        """Shows a line above the bar."""
        tqdm.write(f"{self._label}{message}", file=self._stream)

    def warn(self, message):
        """Shows a warning."""
        tqdm.write(f"warning: {self._label}{message}", file=self._stream)

    def begin(self, done):
        """Shows the bar, if it is not yet there."""
        if self._bar is None:
            self._bar = tqdm(
                total=self._total,
                initial=done,
                file=self._stream,
                unit=self._unit,
                dynamic_ncols=True,
                position=self._position,
                bar_format="{percentage:3.0f}%|{bar}| {desc}",
            )

    @property
    def is_due(self):
        """Whether the bar is there and was last described more than a second ago."""
        return self._bar is not None and time.monotonic() - self._shown > 1.0

    def describe(self, text, refresh=True):
        """Writes behind the bar."""
        self._shown = time.monotonic()
        self._bar.set_description_str(f"{self._label}{text}", refresh=refresh)

    def advance(self):
        """One more unit is done."""
        self._bar.update(1)

    def close(self):
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()


def duration(seconds):
    """Seconds, minutes or hours, in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
