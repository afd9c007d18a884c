"""One progress display for all runs of a sweep, from their records alone, wherever they are made."""

import sys
import time

from tqdm import tqdm

from experiments.launchers.time_left import seconds_left_of_all
from experiments.progress_bar import duration
from experiments.records import tables
from experiments.records.paths import text_of

SECONDS_BETWEEN_LINES = 300.0  # off a terminal


class Progress:
    """A bar over the training steps of all runs; off a terminal, a line for each run that ends, and now and then."""

    def __init__(self, paths, stream=None):
        """Begins the display.

        Args:
          paths: dict from the configs of the runs to be made to their records' directories.
          stream: where; standard error by default.
        """
        self._stream = stream or sys.stderr
        self._paths = paths
        self._is_terminal = self._stream.isatty()
        self._rows = {config: _rows(path) for config, path in paths.items()}
        self._over = set()
        self._said = time.monotonic()
        self._bar = tqdm(
            total=sum(config.training_steps() for config in paths),
            initial=self._steps_done(),
            file=self._stream,
            disable=not self._is_terminal,
            dynamic_ncols=True,
            bar_format="{percentage:3.0f}%|{bar}| {desc}",
        )

    def show(self, active):
        """Brings the display up to date; `active` are the configs that are being run."""
        is_due = time.monotonic() - self._said >= SECONDS_BETWEEN_LINES
        if not (self._is_terminal or is_due):
            return
        for config in active:
            self._read(config)
        idle = "all are over" if len(self._over) == len(self._paths) else "no run is being made here"
        texts = [self._described(config) for config in active] or [idle]
        more = f" + {len(texts) - 2} more" if len(texts) > 2 else ""
        seconds = seconds_left_of_all(self._rows, self._over, len(active)) if active else None
        left = "" if seconds is None else f" · about {duration(seconds)} left"
        if self._is_terminal:
            self._advance()
            self._bar.set_description_str(f"{self._count} runs · {'; '.join(texts[:2])}{more}{left}")
        else:
            self._said = time.monotonic()
            self.say(f"[{self._count}] {'; '.join(texts)}{left}")

    def ended(self, config, text):
        """A run ended; `text` says how."""
        self._read(config)
        self._over.add(config)
        self._advance()
        if not self._is_terminal:
            self.say(f"[{self._count}] {name_of(config)}: {text}")

    def say(self, line):
        """Shows a line above the bar."""
        tqdm.write(line, file=self._stream)

    def close(self):
        """Ends the display."""
        self._bar.close()

    @property
    def _count(self):
        return f"{len(self._over)}/{len(self._paths)}"

    def _read(self, config):
        self._rows[config] = _rows(self._paths[config])

    def _described(self, config):
        rows = self._rows[config]
        labels = rows[-1]["labels"] if rows else 0
        tested = next((row for row in reversed(rows) if row["test_error"]), None)
        if tested is None:
            return f"{name_of(config)}: {labels} labels"
        at = "" if tested["labels"] == labels else f" at {tested['labels']}"
        return f"{name_of(config)}: {labels} labels, {100 * float(tested['test_error']):.2f} %{at}"

    def _advance(self):
        self._bar.update(self._steps_done() - self._bar.n)

    def _steps_done(self):
        return sum(
            config.training_steps(last_cycle=config.last_cycle if config in self._over else _last_cycle(config, rows))
            for config, rows in self._rows.items()
        )


def name_of(config):
    """A run in a few words: what a study varies, the KL divisor and initial means where they are not the default."""
    others = {name: getattr(config, name) for name in ("kl_scale", "loc_init")}
    shown = [f"{name}={text_of(value)}" for name, value in others.items() if value != getattr(type(config), name)]
    words = [config.arch, config.acquisition, f"mu_init={text_of(config.mu_init)}", *shown, f"seed {config.seed}"]
    return ", ".join(words)


def last_error(path):
    """The last test error of a record in words."""
    rows = _rows(path)
    if not rows or not rows[-1]["test_error"]:
        return "done"
    return f"{100 * float(rows[-1]['test_error']):.2f} % test error at {rows[-1]['labels']} labels"


def _last_cycle(config, rows):
    return min(len(rows) - 1, config.last_cycle)  # a record may go further than the study


def _rows(path):
    """The rows of metrics of the committed cycles; none if they cannot be read. Never an error."""
    try:
        rows = tables.from_text("metrics", (path / "metrics.csv").read_text())
        for name in tables.COLUMNS["metrics"]:
            tables.column(rows, name)
        return rows
    except (OSError, ValueError):
        return []
