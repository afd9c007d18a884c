"""The progress bar of a run, and the time that it says is left."""

import io

import pytest

from experiments.active_learning import watch as watching
from experiments.active_learning.config import ActiveLearningConfig
from experiments.active_learning.watch import Watch, seconds_left
from experiments.records import tables

CONFIG = ActiveLearningConfig(max_labels=300, epochs=200, batch_size=64, test_every=4)


def row(cycle, per_step=0.05, test=200.0, score=300.0):
    """The row of metrics of a cycle that took a known time."""
    return tables.row(
        "metrics",
        cycle=cycle,
        labels=CONFIG.labels_at(cycle),
        test_error=0.5 if CONFIG.is_tested(cycle) else None,
        train_seconds=per_step * CONFIG.training_steps(cycle, cycle),
        score_seconds=score,
        test_seconds=test if CONFIG.is_tested(cycle) else None,
    )


def test_the_time_left_is_that_of_steps_tests_and_passes():
    assert seconds_left(CONFIG, []) is None
    # one step per epoch to 64 labels, two to 128, ...: 5, 6, 6, 7 and 5 cycles
    steps = 200 * (1 * 5 + 2 * 6 + 3 * 7 + 4 * 6 + 5 * 5)
    assert CONFIG.training_steps() == steps
    expected = 0.05 * (steps - 200) + 7 * 200 + 27 * 300  # tests of cycles 4, 8, ..., 28; no pass after the last
    assert seconds_left(CONFIG, [row(0)]) == pytest.approx(expected)
    assert seconds_left(CONFIG, [row(cycle) for cycle in range(28)]) == pytest.approx(0.05 * 1000 + 200)
    assert seconds_left(CONFIG, [row(cycle) for cycle in range(29)]) == 0.0


def test_the_last_measurements_count():
    slow_then_fast = [row(0, 1.0, 1000, 1000)] + [row(cycle, 0.05, 100, 10) for cycle in range(1, 21)]
    left = seconds_left(CONFIG, slow_then_fast)
    steps = 200 * (4 * 3 + 5 * 5)
    assert CONFIG.training_steps(21) == steps
    assert left == pytest.approx(0.05 * steps + 2 * 100 + 7 * 10)


def test_the_bar_says_cycle_labels_error_and_time_left(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock[0])
    said = []
    bar = Watch(CONFIG, io.StringIO())
    monkeypatch.setattr(bar, "describe", lambda text, refresh=True: said.append(text))
    bar.resumed([row(cycle) for cycle in range(27)])
    bar.begin_cycle()
    assert said[-1] == "cycle 27/28 · 290 labels · test error 50.00 % · training · 10 min left"  # 100 + 200 + 300 s
    clock[0] = 310.0
    bar.progress("scoring", 1, 2)
    assert said[-1] == "cycle 27/28 · 290 labels · test error 50.00 % · scoring  50% · 5 min left"
    clock[0] = 400.0
    bar.end_cycle(row(27))
    assert said[-1] == "cycle 27/28 · 290 labels · test error 50.00 % · committed · 4 min left"
    bar.begin_cycle()
    assert said[-1].startswith("cycle 28/28 · 300 labels")
    clock[0] = 700.0
    bar.end_cycle(row(28))
    assert said[-1] == "cycle 28/28 · 300 labels · test error 50.00 % · committed · 0 s left"
    bar.close()
