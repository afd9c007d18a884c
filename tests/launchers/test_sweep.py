"""Sweeps: what is run, what is not, and what becomes of lost, busy and failing runs."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from experiments import al_mnist, datasets, layer_position, sweep
from experiments.active_learning.config import ActiveLearningConfig
from experiments.launchers.progress import name_of
from experiments.launchers.single import DONE, FAILED, IN_USE, LOST, answer
from experiments.records.lock import RecordLock
from experiments.records.paths import record_path
from experiments.studies import collect, grid
from experiments.studies.config import StudyConfig
from tests.conftest import ROOT, TINY, content
from tests.studies.test_report import WITHOUT_TENSORFLOW
from tests.studies.written import curve, write
from tests.test_al_mnist import heed_ctrl_c

SMALL = ["--archs=BNN-1,CNN", "--acquisitions=random", "--seeds=1", "--max_labels=20"]


class Scripted:
    """A launcher that answers from a list instead of running anything."""

    at_once = 1

    def __init__(self, *answers):
        self.answers, self.started, self._active = list(answers), [], []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    @property
    def has_room(self):
        return not self._active

    def start(self, job, config, dataset):
        self.started.append(config.arch)
        self._active.append(job)

    def finished(self, seconds):
        return [(self._active.pop(), self.answers.pop(0))] if self._active else []


def scripted(tmp_path, *answers, **settings):
    study = StudyConfig(archs="BNN,CNN", acquisitions="random", seeds=1, output_dir=str(tmp_path), **settings)
    launcher = Scripted(*answers)
    return sweep.sweep(study, "digits", launcher), launcher.started


def test_every_missing_run_is_made_once(tmp_path):
    assert scripted(tmp_path, answer(DONE), answer(DONE)) == ({}, ["BNN", "CNN"])


def test_an_output_directory_that_cannot_be_used_is_said_once_and_nothing_is_started(tmp_path, capfd):
    (tmp_path / "file").write_text("a file, not a directory")
    arguments = [*SMALL, "--dataset=digits", f"--output_dir={tmp_path / 'file' / 'runs'}"]
    assert sweep.main(["sweep", *arguments]) != 0
    (line,) = capfd.readouterr().err.splitlines()
    assert f"--output_dir={tmp_path / 'file' / 'runs'} cannot be used" in line


def test_complete_runs_are_not_made_again(tmp_path):
    study = StudyConfig(archs="BNN,CNN", acquisitions="random", seeds=1, output_dir=str(tmp_path))
    config = grid.runs(study)[0]
    write(config, "digits", curve(config, 0.1))
    assert scripted(tmp_path, answer(DONE)) == ({}, ["CNN"])


def test_a_record_that_is_being_continued_beyond_the_study_is_complete(tmp_path):
    (tmp_path / "checkpoint").mkdir()  # and no pictures yet
    config = StudyConfig(max_labels=40).run_config(arch="BNN", acquisition="random")
    for most, is_finished in ((60, True), (40, False)):
        row = collect.Row(config, tmp_path, collect.COMPLETE, settings={"max_labels": most})
        assert sweep._is_finished(config, row) is is_finished


def test_a_longer_record_that_was_not_tested_where_the_study_ends_is_no_success(tmp_path, monkeypatch):
    read = collect.read  # as if it had its checkpoint
    monkeypatch.setattr(collect, "read", lambda *a: dataclasses.replace(read(*a), is_kept=False))
    study = StudyConfig(archs="BNN,CNN", acquisitions="random", seeds=1, output_dir=str(tmp_path), max_labels=40)
    config = grid.runs(study)[0].replace(max_labels=60)
    write(config, "digits", [0.5, 0.4, None, 0.2, 0.1])
    failures, started = scripted(tmp_path, answer(DONE), answer(DONE), max_labels=40)
    assert started == ["BNN", "CNN"]
    ((failed, line),) = failures.items()
    assert failed.arch == "BNN" and line.startswith("not tested at 40 labels (--test_every); the record is finished")


def test_lost_runs_are_begun_again(tmp_path, capsys):
    lost = answer(LOST, "its process died (signal 9)")
    assert scripted(tmp_path, lost, answer(DONE), lost, answer(DONE)) == ({}, ["BNN", "CNN", "BNN", "BNN"])
    assert "begun again from its last committed cycle" in capsys.readouterr().err


def test_lost_too_often_is_failed(tmp_path):
    lost = answer(LOST, "its process died (signal 9)")
    failures, started = scripted(tmp_path, lost, lost, answer(DONE), retries=0)
    assert started == ["BNN", "CNN"] and list(failures.values()) == ["its process died (signal 9)"] * 2


def test_a_failed_run_does_not_stop_the_others(tmp_path):
    failures, started = scripted(tmp_path, answer(FAILED, "cycle 3: the loss is nan"), answer(DONE))
    assert started == ["BNN", "CNN"] and list(failures.values()) == ["cycle 3: the loss is nan"]


def test_failures_with_the_same_message_are_one_line():
    runs = grid.runs(StudyConfig(archs="BNN,CNN", acquisitions="random,bald", seeds=1))
    lines = sweep.failure_lines(dict(zip(runs, ["no data", "no data", "nan", "no data"], strict=True)))
    names = [
        f"{arch}, {acquisition}, mu_init=-3, seed 0" for arch in ("BNN", "CNN") for acquisition in ("random", "bald")
    ]
    assert lines == [f"failed: {names[0]}; {names[1]}; {names[3]}: no data", f"failed: {names[2]}: nan"]
    runs = grid.runs(StudyConfig(archs="BNN", acquisitions="random", seeds=9, kl_scales="dataset"))
    (line,) = sweep.failure_lines(dict.fromkeys(runs, "no data"))
    assert line.startswith("failed: BNN, random, mu_init=-3, kl_scale=dataset, seed 0; BNN, random,")
    assert line.endswith("seed 5; 3 more (--dry_run lists them): no data")


def test_each_run_of_a_study_has_a_name_of_its_own():
    study = StudyConfig(seeds=2, kl_scales="labels,dataset", loc_inits="tfp,glorot", mus="-3,-5")
    names = [name_of(config) for config in grid.runs(study)]
    assert len(set(names)) == len(names)


def test_a_data_set_that_cannot_be_had_is_said_once_and_nothing_is_started(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(datasets, "_can_connect", lambda: False)
    for main in (sweep.main, layer_position.main):
        assert main(["x", f"--output_dir={tmp_path / 'runs'}", "--dataset=mnist", "--seeds=2"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: MNIST is not prepared in {tmp_path / 'tfds'} and there is no network")
    assert not list((tmp_path / "runs").rglob("*"))


def test_without_the_data_set_what_is_complete_is_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(datasets, "_can_connect", lambda: False)
    settings = {"dataset": "mnist", "archs": "BNN-1", "acquisitions": "random", "seeds": 2, "output_dir": str(tmp_path)}
    config = grid.runs(StudyConfig(**settings))[0]
    write(config, "mnist", curve(config, 0.1))
    assert layer_position.main(["x", *(f"--{name}={value}" for name, value in settings.items())]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("1 of 2 runs are complete, 1 missing")
    first, last = said.err.splitlines()
    assert first.startswith("failed: BNN-1, random, mu_init=-3, seed 1: MNIST is not prepared in")
    assert last.startswith("error: 1 of 2 runs failed and are missing in the report")
    assert "| random | 10.00 (n = 1 of 2" in (tmp_path / "layer_position" / "mnist" / "table2.md").read_text()


def test_workers_are_told_where_the_data_set_is(tmp_path, monkeypatch):
    class Noting(Scripted):
        def start(self, job, config, dataset):
            super().start(job, config, dataset)
            self.data_dir = config.data_dir

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    launcher = Noting(answer(DONE))
    study = StudyConfig(archs="CNN", acquisitions="random", seeds=1, output_dir=str(tmp_path / "runs"))
    sweep.sweep(study, "digits", launcher)
    assert launcher.data_dir == str(tmp_path / "tfds")


def test_a_sweep_has_no_report(capsys):
    assert sweep.main(["sweep", "--report_only"]) != 0
    assert "there is no flag --report_only" in capsys.readouterr().err


def test_a_run_in_use_is_looked_at_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "LOOK_AGAIN_SECONDS", 0.0)
    busy = answer(IN_USE, "the record x is in use by process 1 on y; wait for it")
    failures, started = scripted(tmp_path, busy, busy, busy, answer(DONE), answer(DONE))
    assert failures == {} and started == ["BNN", "CNN", "BNN", "CNN", "BNN"]
    assert capsys.readouterr().err.count("it is looked at again later") == 2


def test_a_damaged_record_fails_alone(tmp_path, capsys):
    study = StudyConfig(output_dir=str(tmp_path), archs="BNN,CNN", acquisitions="random", seeds=1)
    for config in grid.runs(study):
        write(config, "digits", curve(config, 0.1))
    (record_path(grid.runs(study)[0], "digits") / "metrics.csv").write_text("x")
    arguments = [
        f"--output_dir={tmp_path}",
        "--dataset=digits",
        "--archs=BNN,CNN",
        "--acquisitions=random",
        "--seeds=1",
    ]
    assert layer_position.main(["x", *arguments]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("1 of 2 runs are complete, 1 missing")
    assert [line.split(":")[0] for line in said.err.strip().splitlines()] == ["failed", "error"]


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A study of two runs, really made."""
    directory = tmp_path_factory.mktemp("studied")
    assert layer_position.main(["x", f"--output_dir={directory}", *TINY, *SMALL]) == 0
    return directory


def records(directory):
    return {str(path.parent.relative_to(directory)): path.parent for path in directory.rglob("config.json")}


def test_a_studys_records_are_those_of_al_mnist(studied, tmp_path):
    for arch in ("BNN-1", "CNN"):
        arguments = [*TINY, "--max_labels=20", "--acquisition=random", f"--arch={arch}"]
        assert al_mnist.main(["x", f"--output_dir={tmp_path}", *arguments]) == 0
    ours, theirs = records(studied), records(tmp_path)
    assert set(ours) == set(theirs) and len(ours) == 2
    for name in ours:
        assert content(ours[name]) == content(theirs[name])


def test_the_same_command_again_runs_nothing(studied, capsys):
    before = {path: path.stat().st_mtime_ns for path in (studied / "al_mnist").rglob("*")}
    assert layer_position.main(["x", f"--output_dir={studied}", *TINY, *SMALL]) == 0
    assert {path: path.stat().st_mtime_ns for path in (studied / "al_mnist").rglob("*")} == before
    said = capsys.readouterr()
    assert said.out.startswith("2 of 2 runs are complete; report:") and said.err == ""


def test_the_report_alone_is_the_same(studied):
    directory = studied / "layer_position" / "digits"
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert layer_position.main(["x", f"--output_dir={studied}", *TINY, *SMALL, "--report_only"]) == 0
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_hparams_are_in_the_events(studied):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    (record,) = [path for name, path in records(studied).items() if "BNN-1" in name]
    events = EventAccumulator(str(record)).Reload()
    tags = events.PluginTagToContent("hparams")
    data = metadata.parse_session_start_info_plugin_data(tags[metadata.SESSION_START_INFO_TAG])
    assert data.hparams["arch"].string_value == "BNN-1" and data.hparams["mu_init"].number_value == -3
    assert data.hparams["acquisition"].string_value == "random" and data.hparams["seed"].number_value == 0
    shown = metadata.parse_experiment_plugin_data(tags[metadata.EXPERIMENT_TAG])
    assert [metric.name.tag for metric in shown.metric_infos] == ["by_labels/test_error"]


def test_no_two_records_are_one_row_of_the_hparams_table(studied, tmp_path):
    """TensorBoard shows the mean of the runs of one trial."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    from experiments.records.events import EventWriter

    (path,) = [path for name, path in records(studied).items() if "BNN-1" in name]
    config = ActiveLearningConfig(arch="BNN-1", acquisition="random")
    others = [tmp_path / top / path.relative_to(studied) for top in ("a", "b")]
    others.append(pathlib.Path(str(others[0]).replace("digits", "mnist")))
    for other in others:
        other.mkdir(parents=True)
        with EventWriter(other, config):
            pass
    trials = []
    for directory in (path, *others):
        tags = EventAccumulator(str(directory)).Reload().PluginTagToContent("hparams")
        data = metadata.parse_session_start_info_plugin_data(tags[metadata.SESSION_START_INFO_TAG])
        trials.append(data.group_name)
    assert len(set(trials)) == 4
    assert trials[1].startswith("digits/BNN-1/random/mu-3") and trials[1].endswith(f"/seed0 in {tmp_path}/a/al_mnist")


def test_a_network_without_bayesian_layers_does_not_depend_on_their_settings(studied, tmp_path):
    """Why CNN is run once."""
    arguments = [*TINY, "--max_labels=20", "--acquisition=random", "--arch=CNN", "--mu_init=-9", "--kl_scale=dataset",
                 "--loc_init=glorot", "--sigma_init=0.5"]  # fmt: skip
    assert al_mnist.main(["x", f"--output_dir={tmp_path}", *arguments]) == 0
    (ours,) = [path for name, path in records(studied).items() if "CNN" in name]
    (other,) = records(tmp_path).values()
    assert (ours / "acquisitions.csv").read_bytes() == (other / "acquisitions.csv").read_bytes()
    assert (ours / "calibration.csv").read_bytes() == (other / "calibration.csv").read_bytes()


def kill_a_worker(directory, killed):
    """Kills the process of the first run that has committed a cycle and holds its lock."""
    while not killed:
        for lock in pathlib.Path(directory).rglob("lock"):
            try:
                if (lock.parent / "metrics.csv").exists():
                    os.kill(json.loads(lock.read_text())["pid"], signal.SIGKILL)
                    killed.append(lock.parent)
                    return
            except (OSError, ValueError):
                continue
        time.sleep(0.01)


def test_a_killed_worker_changes_nothing(tmp_path, capsys):
    arguments = [*TINY, "--arch=BNN-1", "--acquisition=random", "--max_labels=40"]
    killed = []
    threading.Thread(target=kill_a_worker, args=(tmp_path / "killed", killed), daemon=True).start()
    assert sweep.main(["x", f"--output_dir={tmp_path / 'killed'}", *arguments, "--seeds=1"]) == 0
    assert "its process died (signal 9); begun again" in capsys.readouterr().err and killed
    assert al_mnist.main(["x", f"--output_dir={tmp_path / 'whole'}", *arguments]) == 0
    (ours,), (whole,) = records(tmp_path / "killed").values(), records(tmp_path / "whole").values()
    assert content(ours) == content(whole)


def test_ctrl_c_stops_all_runs_and_the_same_command_goes_on(tmp_path, capsys):
    arguments = [f"--output_dir={tmp_path}", *TINY, "--archs=BNN-1,CNN", "--acquisitions=random", "--seeds=1"]
    command = [
        sys.executable,
        "-m",
        "experiments.sweep",
        *arguments,
        "--max_labels=1200",
        "--epochs=5",
        "--parallel=2",
    ]
    process = subprocess.Popen(command, cwd=ROOT, preexec_fn=heed_ctrl_c, stderr=subprocess.PIPE, text=True)
    while len(list(tmp_path.rglob("metrics.csv"))) < 2:
        time.sleep(0.1)
        assert process.poll() is None
    workers = [json.loads(lock.read_text())["pid"] for lock in tmp_path.rglob("lock")]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 130 and "interrupted; the same command goes on" in said and "Traceback" not in said
    assert not list(tmp_path.rglob("lock")) and len(workers) == 2
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers)
    done = max(len(path.read_text().splitlines()) - 1 for path in tmp_path.rglob("metrics.csv"))
    assert sweep.main(["x", *arguments, "--epochs=5", f"--max_labels={10 + 5 * done}"]) == 0
    assert "done: 2 runs are complete" in capsys.readouterr().out


def test_a_record_that_another_process_works_on_is_left_to_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "LOOK_AGAIN_SECONDS", 0.5)
    arguments = [
        f"--output_dir={tmp_path}",
        *TINY,
        "--arch=CNN",
        "--acquisition=random",
        "--seeds=1",
        "--max_labels=15",
    ]
    study = StudyConfig(archs="CNN", acquisitions="random", seeds=1, output_dir=str(tmp_path), epochs=2, num_samples=3,
                        initial_labels=10, query_size=5, batch_size=16)  # fmt: skip
    path = record_path(grid.runs(study)[0], "digits")
    path.mkdir(parents=True)
    lock, later = RecordLock(path), sweep._Queue._later
    lock.__enter__()

    def release_and_wait(queue, job, ended):
        lock.__exit__()
        later(queue, job, ended)

    monkeypatch.setattr(sweep._Queue, "_later", release_and_wait)
    assert sweep.main(["x", *arguments]) == 0
    assert "is in use by process" in capsys.readouterr().err


def test_without_ray_one_line_names_the_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    arguments = [f"--output_dir={tmp_path}", "--dataset=digits", "--arch=CNN", "--launcher=ray"]
    assert sweep.main(["x", *arguments]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: --launcher=ray needs the package ray") and "'.[cluster]'" in line


@pytest.mark.parametrize("name", ["layer_position", "sweep"])
def test_without_tensorflow_nothing_is_begun(name, tmp_path):
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, name, *SMALL, "--dataset=digits", f"--output_dir={tmp_path}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    report = "; --report_only does not" if name == "layer_position" else ""
    said = f"error: making runs needs tqdm and tensorflow (python -m pip install .){report}\n"
    assert (ended.returncode, ended.stderr) == (1, said) and not list(tmp_path.iterdir())
