"""Records that were kept without their checkpoint: what is kept of unfinished ones, and how their runs go on."""

import errno
import json
import os
import shutil
import types

import numpy as np
import pytest

from experiments import al_mnist, datasets, keep, sweep
from experiments.active_learning.config import ActiveLearningConfig
from experiments.active_learning.learner import ActiveLearner
from experiments.errors import RecordError
from experiments.launchers.single import FAILED, answer
from experiments.records import checkpoint, files, record, tables
from experiments.records.kept import is_kept_to, kept_state
from experiments.records.load import load_either
from experiments.records.paths import record_path
from experiments.studies import grid
from experiments.studies.config import StudyConfig
from tests.conftest import TINY, content, the_record
from tests.fabricated import fabricate
from tests.launchers.test_sweep import Scripted
from tests.studies.written import curve, write

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


def test_a_run_that_was_stopped_goes_on_with_other_tests_as_if_it_had_its_checkpoint(tmp_path, capsys):
    settings, fit = ["--arch=CNN", "--acquisition=max_entropy", "--max_labels=25"], ActiveLearner.fit

    def fit_or_stop(one, *how):
        if one.cycle == 2:
            raise KeyboardInterrupt
        return fit(one, *how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ActiveLearner, "fit", fit_or_stop)
        assert main(tmp_path / "whole", *settings) == 130
    assert keep_all(tmp_path / "whole", tmp_path / "kept", "--unfinished") == 0
    for name in ("whole", "kept"):
        assert main(tmp_path / name, *settings, "--test_every=3") == 0
    whole, gone_on = (the_record(tmp_path / name) for name in ("whole", "kept"))
    assert content(gone_on) == content(whole)
    rows = tables.from_text("metrics", (gone_on / "metrics.csv").read_text())
    assert [row["test_error"] != "" for row in rows] == [True, True, False, True]


def test_what_keep_does_not_replace(tmp_path, capsys):
    part = fabricate(tmp_path / "runs" / "a", cycles=5, max_labels=80)
    in_use = "is a record with its checkpoint, or in use"
    for name, words in {"whole": in_use, "busy": in_use, "finished": "is finished, and this is not"}.items():
        target = fabricate(tmp_path / name / "a", cycles=5)
        if name != "whole":
            shutil.rmtree(target / "checkpoint")
        if name == "busy":
            (target / "lock").write_text("{}")
        before = {p: p.read_bytes() for p in target.rglob("*") if p.is_file()}
        assert keep_all(tmp_path / "runs", tmp_path / name, "--unfinished") == 0
        assert capsys.readouterr().err == f"left out: {part}: {target} {words}\n"
        assert {p: p.read_bytes() for p in target.rglob("*") if p.is_file()} == before


def test_a_checkpoint_that_is_out_of_reach_is_no_kept_record(tmp_path):
    path = fabricate(tmp_path / "record")
    (path / "checkpoint").rename(tmp_path / "elsewhere")
    (path / "checkpoint").symlink_to(tmp_path / "elsewhere")
    assert record.inspect(path).cycle == 4
    (tmp_path / "elsewhere").rename(tmp_path / "unmounted")
    assert not record.is_kept(path)
    with pytest.raises(RecordError, match="latest is damaged"):
        load_either(path)


def test_tables_that_another_process_is_writing_are_not_called_damaged(tmp_path):
    path = without_checkpoint(fabricate(tmp_path / "whole"), tmp_path / "kept")
    settings = json.loads((path / "config.json").read_text())["settings"]
    assert [is_kept_to(path, settings, cycle) for cycle in (4, 5)] == [True, False]
    (path / "metrics.csv").write_text("")
    with pytest.raises(RecordError, match=r"metrics\.csv is damaged"):
        is_kept_to(path, settings, 4)
    (path / "lock").write_text("{}")
    assert not is_kept_to(path, settings, 4)


SPOILED = {  # table, column, row, what is written there, what is said
    "another image's label": ("acquisitions", "label", -1, "another", "it has images that digits does not have"),
    "no such image": ("acquisitions", "index", -1, "99999", "it has images that digits does not have"),
    "a negative image": ("acquisitions", "index", -1, "-1", "it has images that digits does not have"),
    "half an image": ("acquisitions", "index", -1, "3.5", "invalid literal for int()"),
    "an image too far": ("acquisitions", "index", -1, "9" * 20, "index has a cell that is empty, or no such number"),
    "no image": ("acquisitions", "index", -1, "", "index has a cell that is empty, or no such number"),
    "a label with a point": ("acquisitions", "label", -1, "5.0", "invalid literal for int()"),
    "a pick of another cycle": ("acquisitions", "cycle", -1, "0", "its cycles have not the images that such a run"),
    "a bin with a point": ("calibration", "cycle", 0, "0.0", "invalid literal for int()"),
    "other labels": ("metrics", "labels", 0, "9", "it has labels that no such run has"),
    "a gap": ("metrics", "cycle", 1, "7", "its cycles are not 0, 1, 2, ..."),
}


@pytest.fixture(scope="module")
def kept_runs(tmp_path_factory):
    """Directories of a small record each, by `warm_start`: CNN by random, three cycles, the second without a test."""
    found = {}
    for warm_start in ("false", "true"):
        directory = tmp_path_factory.mktemp("kept")
        settings = ["--arch=CNN", "--acquisition=random", "--test_every=2", f"--warm_start={warm_start}"]
        assert main(directory / "runs", *settings, "--max_labels=20") == 0
        assert keep_all(directory / "runs", directory / "kept") == 0
        found[warm_start] = (directory / "kept", settings)
    return found


@pytest.mark.parametrize(
    "what", [*SPOILED, "warm_start", "no calibration.csv", "no config.json", "other images", "other settings"]
)
def test_what_a_run_cannot_go_on_from_stays_as_it_is(what, kept_runs, tmp_path, capsys):
    kept, settings = kept_runs["true" if what == "warm_start" else "false"]
    shutil.copytree(kept, tmp_path / "kept")
    path = the_record(tmp_path / "kept")
    config = json.loads((path / "config.json").read_text())
    if what in SPOILED:
        table, column, row, value, words = SPOILED[what]
        words = f"{table}.csv is damaged ({words}"
        rows = tables.from_text(table, (path / f"{table}.csv").read_text())
        value = str((int(rows[row][column]) + 1) % 10) if value == "another" else value
        assert rows[row][column] != value
        rows[row][column] = value
        (path / f"{table}.csv").write_text(tables.to_text(table, rows))
    elif what == "warm_start":
        words = "was kept without its checkpoint/, and cannot be continued"
    elif what == "no calibration.csv":
        (path / "calibration.csv").unlink()
        words = "calibration.csv is damaged (it is missing)"
    elif what == "no config.json":
        words = "config.json is damaged (it is missing)"
    elif what == "other images":
        config["dataset"]["sha256"] = "0"
        words = "was made with other images than this digits"
    else:
        config["settings"]["arch"] = "BNN"
        words = "holds a run of another configuration (arch=BNN there, CNN here)"
    (path / "config.json").write_text(json.dumps(config))
    if what == "no config.json":
        (path / "config.json").unlink()
    before = {p.name: p.read_bytes() for p in path.iterdir()}
    assert main(tmp_path / "kept", *settings, "--max_labels=25") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and words in error
    assert {p.name: p.read_bytes() for p in path.iterdir()} == before


class Killed(BaseException):
    """The end of the process, as far as the code under test can tell."""


@pytest.mark.parametrize("how", ["kill", "full disk"])
@pytest.mark.parametrize("every", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_an_end_at_any_instant_of_the_first_commit_loses_nothing(how, every, tmp_path, monkeypatch, capsys):
    settings = ["--arch=CNN", "--acquisition=max_entropy", "--test_every=2"]
    assert main(tmp_path / "runs", *settings, "--max_labels=15") == 0  # with a test at its end that is to be forgotten
    assert keep_all(tmp_path / "runs", tmp_path / "kept") == 0
    steps, step, end = [], files._step, None

    def count_or_end(path):
        steps.append(path.name)
        if len(steps) == end:
            raise Killed if how == "kill" else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        step(path)

    def go_on(name):
        steps.clear()
        return main(tmp_path / name, *settings, "--max_labels=20")

    monkeypatch.setattr(files, "_step", count_or_end)
    shutil.copytree(tmp_path / "kept", tmp_path / "whole")
    assert go_on("whole") == 0
    expected, of_all = content(the_record(tmp_path / "whole")), list(steps)
    begins, ends = of_all.index("000001.npz") + 1, len(of_all) - of_all[::-1].index("000001.npz")  # written; removed
    renamed = of_all.index("checkpoint") + 1
    assert begins < renamed < ends and of_all[renamed] == "checkpoint"
    for number in sorted({*range(begins, ends + 1, every), *range(renamed, renamed + 4)}):
        name, end = f"at {number}", number
        shutil.copytree(tmp_path / "kept", tmp_path / name)
        path = the_record(tmp_path / name)
        if how == "kill":
            with pytest.raises(Killed):
                go_on(name)
        else:
            assert go_on(name) == 1 and "nothing that was committed is lost" in capsys.readouterr().err
        assert record.is_kept(path) if number <= renamed else record.inspect(path).cycle == 2
        end = None
        assert go_on(name) == 0
        assert content(path) == expected and not (path / "checkpoint.new").exists()


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


def test_an_unfinished_kept_record_is_continued_unless_it_needs_its_weights(tmp_path, capsys):
    for warm_start in (False, True):
        study = StudyConfig(archs="CNN,BNN", acquisitions="random,bald", seeds=1, output_dir=str(tmp_path),
                            max_labels=40, warm_start=warm_start)  # fmt: skip
        kept = [config.replace(max_labels=40) for config in grid.runs(study) if config.arch == "CNN"]
        paths = [write(config, "digits", curve(config, 0.1)[:2]) for config in kept]
        launcher = Scripted(*[answer(FAILED, "scripted")] * 4)
        failures = list(sweep.sweep(study, "digits", launcher).values())
        assert len(failures) == 4 and sorted(launcher.started) == ["BNN"] * 2 + ["CNN"] * 2 * (not warm_start)
        assert set(failures) - {"scripted"} == (
            {f"{path} was kept without its checkpoint/, and cannot be continued; give the --output_dir of its runs"
             for path in paths} if warm_start else set())  # fmt: skip
    flags = ["--archs=CNN", "--seeds=1", "--max_labels=40", "--dataset=digits", "--dry_run", f"--output_dir={tmp_path}"]
    for acquisition, steps in (("random", 200), ("bald", 400)):  # one step an epoch; bald needs the last network again
        assert sweep.main(["sweep", *flags, f"--acquisitions={acquisition}"]) == 0
        said = capsys.readouterr().out
        assert said.endswith(f"0 of 1 runs are complete; {steps} minibatch steps are left\n")
    config = next(config for config in kept if config.acquisition == "bald").replace(max_labels=30, warm_start=False)
    shutil.rmtree(record_path(config, "digits"))
    write(config, "digits", [0.1, None])  # far enough, but not tested there
    assert sweep.main(["sweep", *flags, "--acquisitions=bald", "--max_labels=30"]) == 0
    assert capsys.readouterr().out.endswith("0 of 1 runs are complete; 0 minibatch steps are left\n")


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
