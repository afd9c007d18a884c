"""What a person sees of a run: a progress bar with cycle, labels, error and time left."""

import time

from experiments.progress_bar import ProgressBar, duration

RECENT = 4  # measurements that the time left is reckoned from


class Watch(ProgressBar):
    """A progress bar over cycles on standard error."""

    def __init__(self, config, stream=None, position=None):
        """A bar for a run with this config, not yet shown; at a `position` among those of other seeds, or alone."""
        label = "" if position is None else f"seed {config.seed} · "
        super().__init__(config.last_cycle + 1, "cycle", label, position, stream)
        self._config = config
        self._rows = []  # of the table of metrics, for the committed cycles
        self._began = time.monotonic()

    def resumed(self, rows):
        """Says from where a run goes on; `rows` are those of metrics for the committed cycles."""
        self._rows = list(rows)
        self.write(f"resuming after cycle {rows[-1]['cycle']} ({rows[-1]['labels']} labels)")

    def begin_cycle(self):
        """The first cycle that is not committed begins."""
        self.begin(len(self._rows))
        self._began = time.monotonic()
        self._describe(len(self._rows), "training")

    def progress(self, what, done, total):
        """A part of a cycle has come so far; shown once a second."""
        if self.is_due:
            self._describe(len(self._rows), f"{what} {100 * done // total:3d}%")

    def end_cycle(self, row):
        """A cycle was committed; `row` is its row of metrics."""
        self._rows.append(row)
        self._began = time.monotonic()
        self._describe(len(self._rows) - 1, "committed", refresh=False)
        self.advance()

    def _describe(self, cycle, doing, refresh=True):
        errors = [row["test_error"] for row in self._rows if row["test_error"]]
        error = f" · test error {100 * float(errors[-1]):.2f} %" if errors else ""
        left = seconds_left(self._config, self._rows)
        left = "" if left is None else f" · {duration(max(0.0, left - (time.monotonic() - self._began)))} left"
        self.describe(
            f"cycle {cycle}/{self._config.last_cycle} · {self._config.labels_at(cycle)} labels{error} · {doing}{left}",
            refresh,
        )


def seconds_left(config, rows):
    """Seconds that the cycles without a row will take.

    Training is reckoned by its steps, whose number grows with the labels; a test and a scoring pass are as long as the
    last ones were.

    Args:
      config: an `ActiveLearningConfig`.
      rows: those of metrics (dicts of texts) for the committed cycles, from the first on.

    Returns:
      Seconds, or None before the first commit.
    """
    if not rows:
        return None
    known = range(len(rows))[-RECENT:]
    training = sum(float(rows[cycle]["train_seconds"] or 0) for cycle in known)
    rate = training / sum(config.training_steps(cycle, cycle) for cycle in known)
    left = range(len(rows), config.last_cycle + 1)
    tests = sum(config.is_tested(cycle) for cycle in left)
    passes = max(0, len(left) - 1)  # the last cycle is followed by none
    return (
        rate * config.training_steps(len(rows))
        + tests * _recent_mean(rows, "test_seconds")
        + passes * _recent_mean(rows, "score_seconds")
    )


def _recent_mean(rows, column):
    known = [float(row[column]) for row in rows if row[column]][-RECENT:]
    return sum(known) / len(known) if known else 0.0
