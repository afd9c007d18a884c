"""The entry point's real `main`: a whole run, its record, resuming, killing, continuing."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

from experiments import al_mnist, datasets
from experiments.active_learning.config import ActiveLearningConfig
from experiments.records import load_run
from experiments.records.files import FAULT_VARIABLE
from experiments.records.paths import record_path, settings_part
from tests.conftest import ROOT, TINY, content, the_record
from tests.conftest import al_mnist as in_a_process
from tests.test_datasets import prepared


def main(output_dir, *arguments):
    return al_mnist.main(["al_mnist", f"--output_dir={output_dir}", *TINY, *arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A BNN-2 run of three cycles."""
    directory = tmp_path_factory.mktemp("finished")
    assert main(directory, "--arch=BNN-2", "--max_labels=20") == 0
    return the_record(directory)


@pytest.fixture(scope="module")
def finished_warm(tmp_path_factory):
    """The same, with each cycle's network trained further."""
    directory = tmp_path_factory.mktemp("finished_warm")
    assert main(directory, "--arch=BNN-2", "--max_labels=20", "--warm_start") == 0
    return the_record(directory)


def rows(record, name):
    return list(csv.DictReader((record / f"{name}.csv").read_text().splitlines()))


def test_the_record_is_complete(finished):
    names = {str(p.relative_to(finished)) for p in finished.rglob("*") if not p.name.startswith("events")}
    assert names == {"config.json", "metrics.csv", "acquisitions.csv", "posterior.csv", "calibration.csv",
                     "acquired.npz", "checkpoint", "checkpoint/latest", "checkpoint/000002.npz", "learning_curve.png",
                     "acquired.png"}  # fmt: skip
    assert list(finished.glob("events.out.tfevents.*"))
    parts = ("al_mnist", "digits", "BNN-2", "var_ratios")
    assert finished.parts[-6:-2] == parts and finished.name == "seed0"
    assert finished.parent.name == "mu-3,batch_size=16,epochs=2,initial_labels=10,num_samples=3,query_size=5"


def test_metrics(finished):
    metrics = rows(finished, "metrics")
    assert [(r["cycle"], r["labels"]) for r in metrics] == [("0", "10"), ("1", "15"), ("2", "20")]
    assert [r["score_seconds"] != "" for r in metrics] == [True, True, False]
    for r in metrics:
        assert 0 <= float(r["test_error"]) <= 1 and float(r["kl_weight"]) == 1 / int(r["labels"])
        assert float(r["test_nll"]) > 0 and float(r["train_kl"]) > 1e6 and 0 < float(r["test_brier"]) < 2
    calibration = rows(finished, "calibration")
    assert len(calibration) == 45
    for cycle in range(3):
        mine = [r for r in calibration if r["cycle"] == str(cycle)]
        assert sum(int(r["count"]) for r in mine) == 500
        gaps = [int(r["count"]) * abs(float(r["accuracy"]) - float(r["confidence"])) for r in mine if r["count"] != "0"]
        assert sum(gaps) / 500 == pytest.approx(float(metrics[cycle]["test_ece"]))
        right = sum(int(r["count"]) * float(r["accuracy"]) for r in mine if r["count"] != "0")
        assert 1 - right / 500 == pytest.approx(float(metrics[cycle]["test_error"]))


def test_acquisitions_and_images(finished):
    digits = datasets.load("digits")
    acquisitions = rows(finished, "acquisitions")
    indices = [int(r["index"]) for r in acquisitions]
    assert len(indices) == len(set(indices)) == 20
    assert [r["cycle"] for r in acquisitions] == ["0"] * 10 + ["1"] * 5 + ["2"] * 5
    assert sorted(r["label"] for r in acquisitions[:10]) == [str(c) for c in range(10)]  # balanced
    assert all(r["score"] == "" for r in acquisitions[:10])
    for cycle in (1, 2):
        scores = [float(r["score"]) for r in acquisitions if r["cycle"] == str(cycle)]
        assert scores == sorted(scores, reverse=True) and 0 < scores[0] <= 0.9
    run = load_run(finished)
    np.testing.assert_array_equal(run.labelled, indices)
    np.testing.assert_array_equal(run.acquired["image"], digits.train_images[indices])
    np.testing.assert_array_equal(run.acquired["label"], digits.train_labels[indices])


def test_posterior_table(finished):
    posterior = rows(finished, "posterior")
    assert [(r["cycle"], r["layer"]) for r in posterior] == [
        (str(c), n) for c in range(3) for n in ("Dense1", "Dense2")
    ]
    kl = sum(float(r["kl"]) for r in posterior if r["cycle"] == "2")
    assert kl == pytest.approx(float(load_run(finished).model.kl()), rel=1e-5)
    assert all(abs(float(r["sigma_mean"]) - 0.0495) < 0.005 for r in posterior)


def test_config_states_every_setting_and_where_it_came_from(finished):
    config = json.loads((finished / "config.json").read_text())
    assert config["settings"]["arch"] == "BNN-2" and config["settings"]["max_labels"] == 20
    assert config["settings"]["dataset"] == "digits" and config["settings"]["jit_compile"] in ("true", "false")
    undecided = [name for name, value in config["settings"].items() if value == "auto"]
    assert undecided == ["dropout_layers"]  # whose meaning follows from the network, whatever the machine
    missing = set(ActiveLearningConfig.__dataclass_fields__) - set(config["settings"])
    assert missing == {"data_dir", "output_dir", "dry_run"}  # places and modes, not properties of a run
    assert {"python", "tensorflow", "tensorflow-probability", "bayes_layers"} <= set(config["versions"])
    assert config["device"] and config["dataset"]["train_images"] == 1297


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_load_run_gives_the_fitted_model_in_the_precision_of_its_run(precision, tmp_path):
    from bayes_layers import PosteriorPredictive
    from bayes_layers.streams import stream_key
    from bayes_layers.uncertainty import evaluate

    assert main(tmp_path, "--arch=BNN", "--max_labels=10", f"--precision={precision}") == 0
    run, digits = load_run(the_record(tmp_path)), datasets.load("digits")
    assert run.model.precision == precision
    mean = PosteriorPredictive(run.model, 3).mean(digits.test_images, stream_key(0, "posterior", 0))
    expected = evaluate(mean, digits.test_labels)
    for name in ("error", "nll", "brier"):
        assert run.tables["metrics"][f"test_{name}"][-1] == pytest.approx(expected[name], rel=1e-6)


def test_tensorboard_events(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished), size_guidance={"tensors": 0}).Reload()
    steps = [event.step for event in events.Tensors("elbo/negative_elbo")]
    # batches of 16: one step per epoch with 10 and 15 labels, two with 20
    assert steps == [1, 2, 3, 4, 6, 8]
    assert [event.step for event in events.Tensors("by_labels/test_error")] == [10, 15, 20]
    tags = {"elbo/nll", "elbo/kl", "posterior/Dense2/sigma_mean", "posterior/Dense1/snr_median", "images/acquired"}
    assert tags <= set(events.Tags()["tensors"])


def test_the_same_seed_gives_the_same_files(finished, tmp_path):
    assert main(tmp_path, "--arch=BNN-2", "--max_labels=20") == 0
    assert content(the_record(tmp_path)) == content(finished)


def test_another_seed_gives_other_images(finished, tmp_path):
    assert main(tmp_path, "--arch=BNN-2", "--max_labels=10", "--seed=1") == 0
    assert set(load_run(the_record(tmp_path)).labelled) != set(load_run(finished).labelled[:10])


def test_complete_runs_say_so_and_longer_runs_go_on(finished, tmp_path, capsys):
    assert main(tmp_path, "--arch=BNN-2", "--max_labels=15") == 0
    assert capsys.readouterr().out.startswith("done: BNN-2, var_ratios, mu_init=-3 on digits:")
    assert main(tmp_path, "--arch=BNN-2", "--max_labels=15") == 0
    assert capsys.readouterr().out.startswith("already complete: BNN-2")
    assert main(tmp_path, "--arch=BNN-2", "--max_labels=20") == 0
    assert content(the_record(tmp_path)) == content(finished)
    assert main(tmp_path, "--arch=BNN-2", "--max_labels=15") == 0  # fewer than there are
    (the_record(tmp_path) / "acquired.png").unlink()
    (the_record(tmp_path) / "posterior.csv").unlink()
    assert main(tmp_path, "--arch=BNN-2", "--max_labels=20") == 0
    assert content(the_record(tmp_path)) == content(finished)


def test_a_budget_between_two_acquisitions_stops_before_it(tmp_path):
    assert main(tmp_path, "--arch=CNN", "--max_labels=17", "--epochs=1") == 0
    assert [r["labels"] for r in rows(the_record(tmp_path), "metrics")] == ["10", "15"]


def test_test_every(tmp_path):
    assert main(tmp_path, "--arch=CNN", "--max_labels=25", "--test_every=2", "--acquisition=random") == 0
    record = the_record(tmp_path)
    assert [r["test_error"] != "" for r in rows(record, "metrics")] == [True, False, True, True]
    assert {r["cycle"] for r in rows(record, "calibration")} == {"0", "2", "3"}


def test_test_every_in_a_run_that_goes_on(tmp_path):
    arguments = ("--arch=CNN", "--test_every=2", "--acquisition=random")
    assert main(tmp_path / "parts", *arguments, "--max_labels=15") == 0
    assert main(tmp_path / "parts", *arguments, "--max_labels=20") == 0
    assert main(tmp_path / "whole", *arguments, "--max_labels=20") == 0
    assert content(the_record(tmp_path / "parts")) == content(the_record(tmp_path / "whole"))


@pytest.mark.parametrize("arch", ["CNN", "MC-Dropout", "BNN"])
def test_other_networks_run(arch, tmp_path):
    assert main(tmp_path, f"--arch={arch}", "--acquisition=bald", "--max_labels=15", "--pool_subset=200") == 0
    scores = [r["score"] for r in rows(the_record(tmp_path), "acquisitions")[10:]]
    assert (set(scores) == {"0.0"}) == (arch == "CNN")  # a network without randomness never disagrees


INSTANTS = {(): (9, 60, 90, 117), ("--warm_start",): (12, 88, 112)}  # the others of both are slow tests


@pytest.mark.parametrize(
    "warm, instant",
    [
        pytest.param(warm, instant, marks=() if instant in INSTANTS[warm] else pytest.mark.slow)
        for warm in INSTANTS
        for instant in sorted(sum(INSTANTS.values(), ()))
    ],
)
def test_killed_and_started_again(finished, finished_warm, tmp_path, warm, instant):
    """SIGKILL in a real process, at steps of each commit and of the pictures; the rest in this process."""
    arguments = ("--arch=BNN-2", "--max_labels=20", *warm)
    killed = in_a_process(tmp_path, *TINY, *arguments, environment={FAULT_VARIABLE: f"kill:{instant}"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert main(tmp_path, *arguments) == 0
    assert content(the_record(tmp_path)) == content(finished_warm if warm else finished)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", np.linspace(3, 16, 14).round(1).tolist())
def test_killed_at_any_time(seconds, tmp_path):
    """SIGKILL after so many seconds, four times over, then an undisturbed end."""
    arguments = [*TINY, "--arch=BNN-1", "--max_labels=60", "--epochs=20", "--warm_start"]
    command = [sys.executable, "-m", "experiments.al_mnist", f"--output_dir={tmp_path / 'killed'}", *arguments]
    for _ in range(4):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.kill()
        process.wait()
    assert in_a_process(tmp_path / "killed", *arguments).returncode == 0
    assert in_a_process(tmp_path / "whole", *arguments).returncode == 0
    assert content(the_record(tmp_path / "killed")) == content(the_record(tmp_path / "whole"))


def heed_ctrl_c():
    """A job that was started in the background of a script inherits a SIGINT that is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_stops_cleanly_and_resumes(tmp_path):
    long = ("--arch=CNN", "--max_labels=1200", "--epochs=30")
    command = [sys.executable, "-m", "experiments.al_mnist", f"--output_dir={tmp_path}", *TINY, *long]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=ROOT, preexec_fn=heed_ctrl_c, **pipes)
    while not list(tmp_path.rglob("metrics.csv")):
        time.sleep(0.1)
        assert process.poll() is None
    other = in_a_process(tmp_path, *TINY, *long)
    assert other.returncode == 1 and f"in use by process {process.pid}" in other.stderr
    assert other.stderr.strip().splitlines()[-1].startswith("error: ")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted; the same command goes on" in said and "Traceback" not in said
    record = the_record(tmp_path)
    assert not (record / "lock").exists()
    done = len(rows(record, "metrics"))
    assert main(tmp_path, *long, f"--max_labels={10 + 5 * done}") == 0
    assert len(rows(record, "metrics")) == done + 1


def test_mnist_itself_through_tfds(tmp_path):
    data = prepared(tmp_path / "data")
    with tfds.testing.mock_data(num_examples=60):
        assert main(tmp_path / "runs", "--dataset=mnist", f"--data_dir={data}", "--arch=CNN", "--max_labels=15",
                    "--nobalanced_init") == 0  # fmt: skip
    assert the_record(tmp_path / "runs").parts[-5] == "mnist"


def test_dry_run_does_nothing(tmp_path, capsys):
    assert main(tmp_path / "runs", "--dry_run", "--arch=BNN-2", "--max_labels=20") == 0
    said = capsys.readouterr().out
    assert "cycles          3, from 10 to 20 labels" in said
    assert "training        8 minibatch steps" in said and "2 x 1,287 images x 3 samples" in said
    assert "does not exist yet" in said and not (tmp_path / "runs").exists()


def test_paths():
    config = ActiveLearningConfig(arch="BNN-2", mu_init=-5)
    assert str(record_path(config, "mnist")) == "runs/al_mnist/mnist/BNN-2/var_ratios/mu-5/seed0"
    config = config.replace(kl_scale="dataset", warm_start=True, max_labels=300, mu_init=-2.5, learning_rate=0.01)
    assert settings_part(config) == "mu-2.5,kl_scale=dataset,learning_rate=0.01,warm_start=true"
    everything = {name: "true" for name in ("test_dropout", "jit_compile")}
    everything |= {name: 1234 for name in ("pool_subset", "epochs", "batch_size", "num_samples", "initial_labels")}
    everything |= {"weight_decay": 0.123456789, "loc_init": "glorot", "balanced_init": False, "sampling": "image",
                   "max_labels": 20000}  # fmt: skip
    long, other = (settings_part(config.replace(**{**everything, "sigma_init": s})) for s in (0.1234, 0.1235))
    assert len(long) < 255 and long != other


def test_presets():
    gal = ActiveLearningConfig.preset("gal", epochs=7)
    assert (gal.arch, gal.acquisition, gal.pool_subset, gal.epochs) == ("MC-Dropout", "hard_var_ratios", 2000, 7)
    zeng = ActiveLearningConfig.preset("zeng")
    assert (zeng.epochs, zeng.batch_size, zeng.learning_rate, zeng.num_samples) == (200, 64, 0.001, 100)
    assert (zeng.initial_labels, zeng.query_size, zeng.max_labels, zeng.last_cycle + 1) == (20, 10, 1000, 99)
    assert zeng.training_steps() == 167_400


def test_nothing_is_written_outside_the_record(finished):
    root = pathlib.Path(*finished.parts[: finished.parts.index("al_mnist")])
    files = [p for p in root.rglob("*") if p.is_file()]
    assert files and all(finished in p.parents for p in files)
    assert os.environ.get(FAULT_VARIABLE) is None


@pytest.mark.parametrize("arguments", [(), ("--inference=dropout",)])
def test_networks_of_shridhar(arguments, tmp_path):
    assert main(tmp_path, "--arch=lenet5", "--max_labels=10", "--epochs=1", *arguments) == 0
    settings = json.loads((the_record(tmp_path) / "config.json").read_text())["settings"]
    assert settings["estimator"] == "local_reparameterization_all"
    assert settings["test_dropout"] == str(bool(arguments)).lower()
    assert len(rows(the_record(tmp_path), "posterior")) == (0 if arguments else 5)
