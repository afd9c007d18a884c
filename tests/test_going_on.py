"""Records that were kept without their checkpoint: what is kept of unfinished ones, and how their runs go on."""

import json
import os
import shutil
import types

import numpy as np
import pytest

from experiments import al_mnist, datasets, keep
from experiments.active_learning.config import ActiveLearningConfig
from experiments.active_learning.learner import ActiveLearner
from experiments.errors import RecordError
from experiments.records import checkpoint, files, record, tables
from experiments.records.kept import kept_state
from experiments.records.lock import RecordLock
from experiments.records.paths import record_path
from tests.conftest import TINY, content, the_record
from tests.fabricated import fabricate

PLACE = ("al_mnist", "digits")


def main(output_dir, *arguments):
    return al_mnist.main(["al_mnist", f"--output_dir={output_dir}", *TINY, *arguments])


def keep_all(records, results, *arguments):
    return keep.main(["keep", str(records), f"--results={results}", *arguments])


def without_checkpoint(path, target):
    """A copy of a record as `keep` makes it."""
    target.mkdir(parents=True)
    for file in [*path.glob("*.csv"), path / "config.json"]:
        shutil.copy(file, target)
    return target


@pytest.mark.parametrize("acquisition", ["max_entropy", "random"])
def test_a_kept_run_goes_on_as_if_it_had_its_checkpoint(acquisition, tmp_path, capsys):
    settings = ["--arch=BNN-2", f"--acquisition={acquisition}", "--test_every=2"]
    assert main(tmp_path / "whole", *settings, "--max_labels=25") == 0
    assert keep_all(tmp_path / "whole", tmp_path / "kept") == 0
    fits, fit = [], ActiveLearner.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ActiveLearner, "fit", lambda one, *how: fits.append(one.cycle) or fit(one, *how))
        for name in ("whole", "kept"):
            assert main(tmp_path / name, *settings, "--max_labels=35") == 0
    assert fits == [4, 5, *[3] * (acquisition != "random"), 4, 5]
    whole, gone_on = (the_record(tmp_path / name) for name in ("whole", "kept"))
    assert content(gone_on) == content(whole)
    assert json.loads((gone_on / "config.json").read_text())["history"] == []
    assert [r["test_error"] != "" for r in tables.from_text("metrics", (gone_on / "metrics.csv").read_text())] == [
        True, False, True, False, True, True]  # fmt: skip
    said = "the record was kept without its network: cycle 3 is fitted again"
    assert capsys.readouterr().err.count(said) == (acquisition != "random")


def test_a_complete_kept_run_is_complete(tmp_path, capsys):
    assert main(tmp_path / "runs", "--arch=CNN", "--max_labels=15") == 0
    assert keep_all(tmp_path / "runs", tmp_path / "kept") == 0
    before, path = content(the_record(tmp_path / "kept")), the_record(tmp_path / "kept")
    for labels in (15, 10):
        assert main(tmp_path / "kept", "--arch=CNN", f"--max_labels={labels}") == 0
        said = capsys.readouterr().out.splitlines()[-1]
        assert said.startswith("already complete: CNN") and said.endswith(
            f"see {path}, which was kept without its weights and pictures"
        )
    assert main(tmp_path / "kept", "--arch=CNN", "--max_labels=20", "--dry_run") == 0
    assert f"{path} (2 of 3 cycles are done)" in capsys.readouterr().out
    assert content(path) == before


def test_unfinished_records_are_kept_if_asked_for(tmp_path, capsys):
    place = tmp_path.joinpath("runs", *PLACE)
    part = fabricate(place / "part", cycles=3)
    begun = place / "begun"
    (begun / "checkpoint").mkdir(parents=True)
    shutil.copy(part / "config.json", begun)
    damaged = fabricate(place / "damaged", cycles=3, seed=2)
    (damaged / "metrics.csv").write_text("")
    assert keep_all(tmp_path / "runs", tmp_path / "kept") == 0
    assert "part: 40 of 60 labels" in capsys.readouterr().err and not (tmp_path / "kept").exists()
    assert keep_all(tmp_path / "runs", tmp_path / "kept", "--unfinished") == 0
    said = capsys.readouterr()
    assert said.out.endswith(": 1 record\n")
    assert "begun: no cycle is finished yet" in said.err and "damaged: metrics.csv is damaged" in said.err
    kept = tmp_path.joinpath("kept", *PLACE, "part")
    assert {p.name: p.read_bytes() for p in kept.iterdir()} == {
        p.name: p.read_bytes() for p in [*part.glob("*.csv"), part / "config.json"]
    }
    other = fabricate(tmp_path.joinpath("other", *PLACE, "part"), cycles=2)
    assert keep_all(tmp_path / "other", tmp_path / "kept", "--unfinished") == 0
    assert capsys.readouterr().err == f"left out: {other}: {kept} has gone farther\n"


def test_of_a_record_in_use_what_is_committed_is_kept(tmp_path, capsys):
    path = fabricate(tmp_path / "runs" / "one", cycles=3)
    committed = {p.name: p.read_bytes() for p in path.glob("*.csv")}
    state = record.inspect(fabricate(tmp_path / "later", cycles=4))
    (path / "lock").write_text("{}")
    assert keep_all(tmp_path / "runs", tmp_path / "kept", "--unfinished") == 0
    kept = tmp_path / "kept" / "one"
    assert {p.name: p.read_bytes() for p in kept.glob("*.csv")} == committed
    checkpoint.write(path / "checkpoint", state)  # a commit whose tables are not yet written
    assert (path / "metrics.csv").read_bytes() == committed["metrics.csv"]
    assert keep_all(tmp_path / "runs", tmp_path / "kept", "--unfinished") == 0
    assert (kept / "metrics.csv").read_text() == state.texts["metrics"]
    (kept / "lock").write_text("{}")  # a run is about to go on from it
    assert keep_all(tmp_path / "kept", tmp_path / "again", "--unfinished") == 0
    assert (tmp_path / "again" / "one" / "metrics.csv").read_text() == state.texts["metrics"]
    assert keep_all(tmp_path / "kept", tmp_path / "never") == 0
    assert "50 of 60 labels; a process is at work" in capsys.readouterr().err and not (tmp_path / "never").exists()


SPOILED = {
    "another image's label": ("acquisitions", "label", -1, "7", "acquisitions.csv is damaged (it has images that"),
    "no such image": ("acquisitions", "index", -1, "99999", "acquisitions.csv is damaged (it has images that"),
    "a pick of another cycle": ("acquisitions", "cycle", -1, "0", "acquisitions.csv is damaged (its cycles have not"),
    "other labels": ("metrics", "labels", 0, "9", "metrics.csv is damaged (it has labels that no such run has"),
    "a gap": ("metrics", "cycle", 1, "7", "csv is damaged (it"),
}


@pytest.mark.parametrize("what", [*SPOILED, "warm_start", "no calibration.csv", "other images", "other settings"])
def test_what_a_run_cannot_go_on_from_stays_as_it_is(what, tmp_path, capsys):
    settings = ["--arch=CNN", "--acquisition=random", f"--warm_start={str(what == 'warm_start').lower()}"]
    assert main(tmp_path / "runs", *settings, "--max_labels=15") == 0
    assert keep_all(tmp_path / "runs", tmp_path / "kept") == 0
    path = the_record(tmp_path / "kept")
    config = json.loads((path / "config.json").read_text())
    if what in SPOILED:
        table, column, row, value, words = SPOILED[what]
        rows = tables.from_text(table, (path / f"{table}.csv").read_text())
        assert rows[row][column] != value
        rows[row][column] = value
        (path / f"{table}.csv").write_text(tables.to_text(table, rows))
    elif what == "warm_start":
        words = "was kept without its checkpoint/, and cannot be continued"
    elif what == "no calibration.csv":
        (path / "calibration.csv").unlink()
        words = "calibration.csv is damaged (it is missing)"
    elif what == "other images":
        config["dataset"]["sha256"] = "0"
        words = "was made with other images than this digits"
    else:
        config["settings"]["arch"] = "BNN"
        words = "holds a run of another configuration (arch=BNN there, CNN here)"
    (path / "config.json").write_text(json.dumps(config))
    before = {p.name: p.read_bytes() for p in path.iterdir()}
    capsys.readouterr()
    assert main(tmp_path / "kept", *settings, "--max_labels=20") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and words in error
    assert {p.name: p.read_bytes() for p in path.iterdir()} == before


class Killed(BaseException):
    """The end of the process, as far as the code under test can tell."""


def test_a_kill_at_any_instant_of_the_first_commit_loses_nothing(tmp_path, monkeypatch):
    config = ActiveLearningConfig(dataset="digits", max_labels=60, output_dir=str(tmp_path / "runs"))
    whole = fabricate(tmp_path / "whole", cycles=4)
    facts = json.loads((whole / "config.json").read_text())
    facts["dataset"]["sha256"] = "0"
    goal = record.inspect(whole)
    kept = without_checkpoint(fabricate(tmp_path / "short", cycles=3), tmp_path / "kept")
    for name in ("metrics", "acquisitions", "posterior", "calibration"):
        rows = [row for row in goal.rows[name] if int(row["cycle"]) < 3]
        (kept / f"{name}.csv").write_text(tables.to_text(name, rows))
    (kept / "config.json").write_text(json.dumps(facts))
    labels = np.arange(1000) % 10
    dataset = types.SimpleNamespace(train_labels=labels, name="digits")
    order = np.array(record.acquired_order(goal))
    acquired = {"image": np.zeros([len(order), 1]), "label": labels[order], "index": order, "cycle": order}

    def go_on(path):
        with RecordLock(path) as lock:
            book = record.Record(path, lock)
            before = kept_state(path, config, dataset, facts) if record.is_kept(path) else None
            state = book.open(facts, before)
            assert state.cycle in (2, 3)
            if state.cycle == 2:
                book.commit(goal, acquired)
            else:
                book.publish(goal, acquired)

    steps, step, death = [], files._step, None

    def count_or_die(path):
        steps.append(path)
        if len(steps) == death:
            raise Killed
        step(path)

    monkeypatch.setattr(files, "_step", count_or_die)
    expected = None
    for death in [None, *range(1, 100)]:
        steps.clear()
        path = tmp_path / f"record{death}"
        shutil.copytree(kept, path)
        try:
            go_on(path)
            done = True
        except Killed:
            done = False
            assert record.is_kept(path) or record.inspect(path).cycle == 3
            death = None
            shutil.rmtree(path / "lock", ignore_errors=True)
            go_on(path)
        found = {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}
        expected = expected or found
        assert found == expected
        assert sorted(found) == sorted(
            ["config.json", "acquired.npz", "checkpoint/000003.npz", "checkpoint/latest",
             *(f"{name}.csv" for name in tables.COLUMNS)]
        )  # fmt: skip
        if done and path.name != "recordNone":
            break
    assert len(steps) > 30


def test_a_state_is_what_the_tables_say(tmp_path):
    path = without_checkpoint(fabricate(tmp_path / "whole", cycles=4), tmp_path / "kept")
    config = ActiveLearningConfig(dataset="digits", max_labels=100, epochs=7, batch_size=20)
    facts = json.loads((path / "config.json").read_text())
    facts["dataset"]["sha256"] = None
    dataset = types.SimpleNamespace(train_labels=np.arange(1000) % 10, name="digits")
    state = kept_state(path, config, dataset, facts)
    whole = record.inspect(tmp_path / "whole")
    assert (state.cycle, state.rows, state.pending, state.network) == (3, whole.rows, [], {})
    assert state.global_step == 7 * (1 + 2 + 2 + 3)  # 20, 30, 40 and 50 labels in batches of 20
    with pytest.raises(RecordError, match="cannot be continued"):
        kept_state(path, config.replace(warm_start=True), dataset, facts)


def test_the_restored_learner_fits_when_it_must():
    digits = datasets.load("digits")
    first, again = (ActiveLearner(digits.train_images[:60], 10, arch="BNN-1", epochs=2, num_samples=3, query_size=4)
                    for _ in range(2))  # fmt: skip
    first.tell(np.arange(10), digits.train_labels[:10])
    again.restore(np.arange(10), digits.train_labels[:10], 0, {})
    assert not again.is_fitted and again.ask().tolist() == first.ask().tolist() and again.is_fitted


def test_the_place_of_a_kept_record_is_that_of_its_run(tmp_path):
    config = ActiveLearningConfig(dataset="digits", output_dir=str(tmp_path / "runs"))
    path = fabricate(record_path(config, "digits"))
    assert keep_all(tmp_path / "runs", tmp_path / "kept") == 0
    kept = record_path(config.replace(output_dir=str(tmp_path / "kept")), "digits")
    assert record.is_kept(kept) and not record.is_kept(path) and os.path.exists(path / "checkpoint")
