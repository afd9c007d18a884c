"""One progress display for all runs of a sweep, from their records alone, wherever they are made."""

import csv
import sys

from tqdm import tqdm

from experiments.records.paths import text_of


class Progress:
    """A bar over the training steps of all runs; off a terminal, a line for each run that ends."""

    def __init__(self, paths, stream=None):
        """Begins the display.

        Args:
          paths: dict from the configs of the runs to be made to their records' directories.
          stream: where; standard error by default.
        """
        self._stream = stream or sys.stderr
        self._paths = paths
        self._is_terminal = self._stream.isatty()
        self._done = {config: _steps(config, *_last_row(path)) for config, path in paths.items()}
        self._ended = 0
        self._bar = tqdm(
            total=sum(config.training_steps() for config in paths),
            initial=sum(self._done.values()),
            file=self._stream,
            disable=not self._is_terminal,
            dynamic_ncols=True,
            bar_format="{percentage:3.0f}%|{bar}| {desc} · {remaining} left",
        )

    def show(self, active):
        """Brings the display up to date; `active` are the configs that are being run."""
        if not self._is_terminal:
            return
        texts = []
        for config in active:
            cycles, row = _last_row(self._paths[config])
            self._advance(config, _steps(config, cycles, row))
            error = f", {100 * float(row['test_error']):.2f} %" if row and row["test_error"] else ""
            texts.append(f"{name_of(config)}: {row['labels'] if row else 0} labels{error}")
        more = f" + {len(texts) - 2} more" if len(texts) > 2 else ""
        self._bar.set_description_str(f"{self._ended}/{len(self._paths)} runs · {'; '.join(texts[:2])}{more}")

    def ended(self, config, text):
        """A run ended; `text` says how."""
        self._ended += 1
        self._advance(config, config.training_steps())
        if not self._is_terminal:
            self.say(f"[{self._ended}/{len(self._paths)}] {name_of(config)}: {text}")

    def say(self, line):
        """Shows a line above the bar."""
        tqdm.write(line, file=self._stream)

    def close(self):
        """Ends the display."""
        self._bar.close()

    def _advance(self, config, steps):
        self._bar.update(max(0, steps - self._done[config]))
        self._done[config] = max(steps, self._done[config])


def name_of(config):
    """A run in a few words."""
    return f"{config.arch}, {config.acquisition}, mu_init={text_of(config.mu_init)}, seed {config.seed}"


def last_error(path):
    """The last test error of a record in words."""
    _, row = _last_row(path)
    if not row or not row["test_error"]:
        return "done"
    return f"{100 * float(row['test_error']):.2f} % test error at {row['labels']} labels"


def _last_row(path):
    """The number of committed cycles and the last row of metrics (a dict, or None); never an error."""
    try:
        rows = list(csv.DictReader((path / "metrics.csv").read_text().splitlines()))
        return len(rows), rows[-1] if rows else None
    except (OSError, ValueError, csv.Error):
        return 0, None


def _steps(config, cycles, row):
    return config.training_steps() - config.training_steps(first_cycle=min(cycles, config.last_cycle + 1))
