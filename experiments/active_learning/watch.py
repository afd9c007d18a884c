"""What a person sees of a run: a progress bar with cycle, labels, error and time left."""

import time

from experiments.progress_bar import ProgressBar, duration


class Watch(ProgressBar):
    """A progress bar over cycles on standard error."""

    def __init__(self, config, stream=None, position=None):
        """A bar for a run with this config, not yet shown; at a `position` among those of other seeds, or alone."""
        label = "" if position is None else f"seed {config.seed} · "
        super().__init__(config.last_cycle + 1, "cycle", label, position, stream)
        self._config = config
        self._error = None
        self._cycle, self._labels = 0, config.initial_labels
        self._cycle_seconds = []  # (training steps, seconds in all) of the finished cycles

    def resumed(self, cycle, labels):
        """Says from where a run goes on."""
        self.write(f"resuming after cycle {cycle} ({labels} labels)")
        self._cycle = cycle

    def begin_cycle(self, cycle, labels):
        """A cycle begins."""
        self.begin(cycle)
        self._cycle, self._labels = cycle, labels
        self._began = time.monotonic()
        self._describe("training")

    def progress(self, what, done, total):
        """A part of a cycle has come so far; shown once a second."""
        if self.is_due:
            self._describe(f"{what} {100 * done // total:3d}%")

    def end_cycle(self, cycle, error):
        """A cycle was committed; `error` is the test error, or None."""
        self._error = self._error if error is None else error
        steps = self._steps(cycle)
        self._cycle_seconds.append((steps, time.monotonic() - self._began))
        self._describe("committed", refresh=False)
        self.advance()

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
        error = "" if self._error is None else f" · test error {100 * self._error:.2f} %"
        left = self._seconds_left()
        left = "" if left is None else f" · {duration(max(0.0, left))} left"
        self.describe(
            f"cycle {self._cycle}/{self._config.last_cycle} · {self._labels} labels{error} · {doing}{left}",
            refresh,
        )
