"""The display of a sweep: how far it is, what it says off a terminal, and the time that is left."""

import io

import pytest

from experiments.active_learning.config import ActiveLearningConfig
from experiments.launchers import progress
from experiments.launchers.progress import Progress
from experiments.launchers.time_left import seconds_left_of_all
from experiments.records import tables

# 200 epochs of one minibatch at 20 labels, and of two at 70 and 120
CONFIG = ActiveLearningConfig(initial_labels=20, query_size=50, max_labels=120, epochs=200, batch_size=64)
RANDOM = CONFIG.replace(acquisition="random")
OTHER = CONFIG.replace(seed=1)
CNN = CONFIG.replace(arch="CNN")


def row(cycle, per_step=0.1, test=30.0, score=50.0, error=0.25):
    """The row of metrics of a cycle that took a known time."""
    seconds = per_step * CONFIG.training_steps(cycle, cycle)
    return tables.row(
        "metrics", cycle=cycle, labels=CONFIG.labels_at(cycle), test_error=error, train_seconds=seconds,
        test_seconds=test, score_seconds=score,
    )  # fmt: skip


def test_a_run_is_reckoned_from_its_own_cycles_or_from_those_of_its_kind():
    assert CONFIG.training_steps() == 200 + 400 + 400
    assert seconds_left_of_all({CONFIG: [], CNN: []}, (), 1) is None
    own = 40.0 + 40.0 + 2 * 30.0 + 50.0  # two trainings, two tests, one pass
    assert seconds_left_of_all({CONFIG: [row(0)]}, (), 1) == pytest.approx(own)
    first = (20.0 + 30.0 + 50.0) / 200  # seconds of the first cycle for each of its steps
    assert seconds_left_of_all({CONFIG: [row(0)], OTHER: []}, (), 1) == pytest.approx(own + 1000 * first)
    cheap = row(0, 0.05, 5.0, 0.0)
    left = seconds_left_of_all({CONFIG: [row(0)], CNN: [cheap], OTHER: [], CNN.replace(seed=1): []}, (), 2)
    assert left == pytest.approx((own + (20.0 + 20.0 + 10.0) + 1000 * first + 1000 * 15.0 / 200) / 2)


def test_other_kinds_have_the_mean_pace_and_ended_runs_are_over():
    left = seconds_left_of_all({CONFIG: [row(0), row(1), row(2)], RANDOM: []}, {CONFIG}, 1)
    assert left == pytest.approx(1000 * (100.0 + 3 * 80.0) / 1000)


def test_an_empty_cell_is_no_time_taken():
    empty = tables.row("metrics", cycle=0, labels=20, test_error=0.5)
    assert seconds_left_of_all({CONFIG: [empty]}, (), 1) == 0.0


def written(path, *rows):
    path.mkdir(exist_ok=True)
    (path / "metrics.csv").write_text(tables.to_text("metrics", rows))


def test_off_a_terminal_it_speaks_now_and_then_and_when_a_run_ends(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    said = io.StringIO()
    display = Progress({CONFIG: tmp_path / "a", OTHER: tmp_path / "b"}, said)
    written(tmp_path / "a", row(0))
    display.show([CONFIG])
    clock[0] = progress.SECONDS_BETWEEN_LINES - 1
    display.show([CONFIG])
    assert said.getvalue() == ""
    clock[0] += 1
    display.show([CONFIG])
    expected = "[0/2] BNN, var_ratios, mu_init=-3, seed 0: 20 labels, 25.00 % · about 12 min left\n"
    assert said.getvalue() == expected
    display.show([CONFIG])
    assert said.getvalue() == expected
    written(tmp_path / "a", row(0), row(1), row(2))
    display.ended(CONFIG, progress.last_error(tmp_path / "a"))
    assert said.getvalue().splitlines()[1:] == [
        "[1/2] BNN, var_ratios, mu_init=-3, seed 0: 25.00 % test error at 120 labels"
    ]
    clock[0] += progress.SECONDS_BETWEEN_LINES
    display.show([OTHER])
    assert said.getvalue().splitlines()[-1] == "[1/2] BNN, var_ratios, mu_init=-3, seed 1: 0 labels · about 6 min left"
    display.close()


def test_on_a_terminal_there_is_a_bar(tmp_path, monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    display = Progress({CONFIG: tmp_path / "a", OTHER: tmp_path / "b"}, terminal)
    written(tmp_path / "a", row(0), row(1))
    display.show([CONFIG])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "metrics.csv").write_text("")  # being written elsewhere: no error
    display.show([CONFIG, OTHER])
    display.close()
    shown = terminal.getvalue()
    assert " 30%|" in shown  # 600 of 2,000 steps
    assert "0/2 runs · BNN, var_ratios, mu_init=-3, seed 0: 70 labels, 25.00 % · about" in shown


def test_an_error_stands_beside_the_labels_that_it_was_measured_at(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    said = io.StringIO()
    display = Progress({CONFIG: tmp_path / "a"}, said)
    written(tmp_path / "a", row(0), row(1, error=None))
    display.show([CONFIG])
    display.close()
    assert "seed 0: 70 labels, 25.00 % at 20 · about" in said.getvalue()


@pytest.mark.parametrize("column", ["test_error", "labels", "train_seconds"])
def test_a_table_that_cannot_be_read_stops_nothing(column, tmp_path, monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    written(tmp_path / "a", row(0), {**row(1), column: "0.4x8"})
    display = Progress({CONFIG: tmp_path / "a"}, terminal)
    display.show([CONFIG])
    display.ended(CONFIG, progress.last_error(tmp_path / "a"))
    display.close()
    assert "seed 0: 0 labels" in terminal.getvalue()


def test_it_waits_for_others_and_takes_no_record_for_more_than_the_study_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    terminal, said = io.StringIO(), io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    written(tmp_path / "a", *[row(cycle) for cycle in range(9)])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "metrics.csv").write_text("cycle,labels\n0,20\n")  # no table of metrics
    for stream in (terminal, said):
        display = Progress({CONFIG: tmp_path / "a", OTHER: tmp_path / "b"}, stream)
        display.show([])
        display.show([OTHER])
        display.ended(OTHER, "failed: it did")
        display.show([])
        display.ended(CONFIG, "done")
        display.show([])
        display.close()
    # the longer record took 0.1 s for each of 7,000 steps and 80 s for each of 9 cycles: 203 s for 1,000 steps
    assert said.getvalue().splitlines() == [
        "[0/2] no run is being made here",
        "[0/2] BNN, var_ratios, mu_init=-3, seed 1: 0 labels · about 3 min left",
        "[1/2] BNN, var_ratios, mu_init=-3, seed 1: failed: it did",
        "[1/2] no run is being made here",
        "[2/2] BNN, var_ratios, mu_init=-3, seed 0: done",
        "[2/2] all are over",
    ]
    assert " 50%|" in terminal.getvalue() and "100%|" in terminal.getvalue()
