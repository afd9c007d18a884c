"""What a person sees of a run: a progress bar with cycle, labels, error and time left."""

import sys
import time

from tqdm import tqdm


class Watch:
    """A progress bar over cycles on standard error."""

    def __init__(self, config, stream=None, position=None):
        """A bar for a run with this config, not yet shown; at a `position` among those of other seeds, or alone."""
        self._config = config
        self._position = position
        self._label = "" if position is None else f"seed {config.seed} · "
        self._stream = stream or sys.stderr
        self._bar = None
        self._error = None
        self._cycle, self._labels = 0, config.initial_labels
        self._cycle_seconds = []  # (training steps, seconds in all) of the finished cycles
        self._shown = 0.0

    def warn(self, message):
        """Shows a warning."""
        tqdm.write(f"warning: {self._label}{message}", file=self._stream)

    def resumed(self, cycle, labels):
        """Says from where a run goes on."""
        tqdm.write(f"{self._label}resuming after cycle {cycle} ({labels} labels)", file=self._stream)
        self._cycle = cycle

    def begin_cycle(self, cycle, labels):
        """A cycle begins."""
        if self._bar is None:
            self._bar = tqdm(
                total=self._config.last_cycle + 1,
                initial=cycle,
                file=self._stream,
                unit="cycle",
                dynamic_ncols=True,
                position=self._position,
                bar_format="{percentage:3.0f}%|{bar}| {desc}",
            )
        self._cycle, self._labels = cycle, labels
        self._began = time.monotonic()
        self._describe("training")

    def progress(self, what, done, total):
        """A part of a cycle has come so far; shown once a second."""
        if self._bar is not None and time.monotonic() - self._shown > 1.0:
            self._describe(f"{what} {100 * done // total:3d}%")

    def end_cycle(self, cycle, error):
        """A cycle was committed; `error` is the test error, or None."""
        self._error = self._error if error is None else error
        steps = self._steps(cycle)
        self._cycle_seconds.append((steps, time.monotonic() - self._began))
        self._describe("committed", refresh=False)
        self._bar.update(1)

    def close(self):
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()

    def _steps(self, cycle):
        return self._config.epochs * -(-self._config.labels_at(cycle) // self._config.batch_size)

    def _seconds_left(self):
        """Remaining cycles by a line through (training steps, seconds) of the last finished ones."""
        known = self._cycle_seconds[1:][-10:] or self._cycle_seconds  # the first one traces
        if not known:
            return None
        per_step = sum(seconds for _, seconds in known) / sum(steps for steps, _ in known)
        few, many = min(known), max(known)
        slope, fixed = per_step, 0.0
        if many[0] > few[0]:
            slope = min(per_step, max(0.0, (many[1] - few[1]) / (many[0] - few[0])))
            fixed = max(0.0, known[-1][1] - slope * known[-1][0])
        return sum(fixed + slope * self._steps(cycle) for cycle in range(self._cycle, self._config.last_cycle + 1)) - (
            time.monotonic() - self._began
        )

    def _describe(self, doing, refresh=True):
        self._shown = time.monotonic()
        error = "" if self._error is None else f" · test error {100 * self._error:.2f} %"
        left = self._seconds_left()
        left = "" if left is None else f" · {_duration(max(0.0, left))} left"
        self._bar.set_description_str(
            f"{self._label}cycle {self._cycle}/{self._config.last_cycle} · {self._labels} labels"
            f"{error} · {doing}{left}",
            refresh=refresh,
        )


def _duration(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
