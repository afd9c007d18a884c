"""The entry point's real `main`: a whole run, its record, resuming, killing, continuing, other networks and data."""

import csv
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from bayes_layers.inference import PosteriorPredictive
from bayes_layers.inference.prediction import as_float
from bayes_layers.settings import SettingError
from bayes_layers.streams import stream_key
from bayes_layers.uncertainty import evaluate
from bayes_layers.uncertainty.decomposition import averages, uncertainties_of
from experiments import datasets, image_classification
from experiments.classification.config import ClassificationConfig
from experiments.classification.data import split_of
from experiments.classification.place import is_last, record_path, stored_settings
from experiments.records import load_run
from experiments.records.files import FAULT_VARIABLE
from experiments.records.layout import IMAGE_CLASSIFICATION
from tests.conftest import ROOT, content, the_record

SHORT = [
    "--dataset=digits",
    "--preset=quick",
    "--kl_schedule=constant",
    "--kl_warmup=5",
    "--num_samples=3",
    "--batch_size=250",
]


def main(output_dir, *arguments):
    return image_classification.main(["image_classification", f"--output_dir={output_dir}", *SHORT, *arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A variational LeNet-5 of three epochs."""
    directory = tmp_path_factory.mktemp("finished")
    assert main(directory, "--epochs=3", "--test_every=2") == 0
    return the_record(directory)


def rows(record, name):
    return list(csv.DictReader((record / f"{name}.csv").read_text().splitlines()))


def test_the_record_is_complete(finished):
    names = {str(p.relative_to(finished)) for p in finished.rglob("*") if not p.name.startswith("events")}
    assert names == {"config.json", "metrics.csv", "posterior.csv", "calibration.csv", "weights.csv",
                     "learning_curve.png", "checkpoint", "checkpoint/latest", "checkpoint/000003.npz"}  # fmt: skip
    assert list(finished.glob("events.out.tfevents.*"))
    assert finished.parts[-5:-2] == ("image_classification", "digits", "lenet5") and finished.name == "seed0"
    assert finished.parent.name.startswith("variational,batch_size=250,") and "epochs" not in finished.parent.name
    config = json.loads((finished / "config.json").read_text())
    assert config["experiment"] == "image_classification" and config["settings"]["epochs"] == 3
    assert config["settings"]["estimator"] == "local_reparameterization_all"
    assert "weight_init" not in config["settings"]  # it means nothing to a variational network
    assert "auto" not in [config["settings"][name] for name in ("precision", "jit_compile", "dataset")]


def test_metrics(finished):
    metrics = rows(finished, "metrics")
    wanted = ("epoch", "train_error", "val_error", "test_error", "test_nll", "test_ece", "aleatoric", "epistemic")
    assert set(wanted) <= set(metrics[0])
    assert [r["epoch"] for r in metrics] == ["1", "2", "3"]
    assert [r["test_error"] != "" for r in metrics] == [False, True, True]  # every second, and the last
    assert {r["epoch"] for r in rows(finished, "calibration")} == {"2", "3"}
    for number, r in enumerate(metrics):
        # 1,167 of 1,297 images make five steps; the KL rises over five epochs
        assert float(r["kl_weight"]) == pytest.approx((number + 0.6) / 5 / 1167)
        assert 0 <= float(r["val_error"]) <= 1 and float(r["train_kl"]) > 1e5 and float(r["val_nll"]) > 0


def test_test_columns_are_those_of_the_model_in_the_checkpoint(finished):
    run, digits = load_run(finished), datasets.load("digits")
    samples = PosteriorPredictive(run.model, 3).probabilities(digits.test_images, stream_key(0, "posterior", 3))
    expected = evaluate(samples.astype(np.float64).mean(0), digits.test_labels)
    expected |= averages(uncertainties_of(samples))
    for name, column in (("error", "test_error"), ("nll", "test_nll"), ("aleatoric",) * 2, ("epistemic",) * 2):
        assert run.tables["metrics"][column][-1] == pytest.approx(expected[name], rel=1e-5)
    split = split_of(1297, 0.1)
    assert len(split.validation) == 130 and not set(split.validation) & set(split.train)
    assert set(split.probe) < set(split.train) and len(split.train) == 1167
    probabilities = PosteriorPredictive(run.model, 3).mean(
        as_float(digits.train_images[split.validation]), stream_key(0, "posterior", 3)
    )
    error = evaluate(probabilities, digits.train_labels[split.validation])["error"]
    assert run.tables["metrics"]["val_error"][-1] == pytest.approx(error)


def test_posterior_and_one_weight_per_layer(finished):
    model = load_run(finished).model
    names = [layer.name for layer in model.bayesian_layers]
    traced = rows(finished, "weights")
    assert [(r["epoch"], r["layer"]) for r in traced] == [(str(e), n) for e in (1, 2, 3) for n in names]
    assert [r["layer"] for r in rows(finished, "posterior")] == 3 * names
    for layer, first, last in zip(model.bayesian_layers, traced[:5], traced[-5:], strict=True):
        assert first["index"] == last["index"] and first["mu"] != last["mu"]
        index = int(last["index"])
        assert float(last["mu"]) == pytest.approx(float(layer.kernel_loc.numpy().reshape(-1)[index]))
        assert float(last["sigma"]) == pytest.approx(float(layer.kernel_scale.numpy().reshape(-1)[index]))


def test_events(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished), size_guidance={"tensors": 0}).Reload()
    assert [event.step for event in events.Tensors("elbo/nll")] == [5, 10, 15]
    assert [event.step for event in events.Tensors("by_epoch/test_error")] == [2, 3]
    assert {"by_epoch/epistemic", "posterior/Dense3/sigma_mean"} <= set(events.Tags()["tensors"])


@pytest.mark.parametrize(
    "instant", [75, pytest.param(30, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)]
)
def test_killed_and_started_again(finished, tmp_path, instant):
    """SIGKILL in a real process within the commit of an epoch; the rest in this process."""
    command = [sys.executable, "-m", "experiments.image_classification", f"--output_dir={tmp_path}", *SHORT]
    arguments = ("--epochs=3", "--test_every=2")
    environment = {**os.environ, FAULT_VARIABLE: f"kill:{instant}"}
    killed = subprocess.run([*command, *arguments], cwd=ROOT, env=environment, capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert main(tmp_path, *arguments) == 0
    assert content(the_record(tmp_path)) == content(finished)


def test_longer_runs_go_on_and_complete_ones_say_so(finished, tmp_path, capsys):
    assert main(tmp_path, "--epochs=1", "--test_every=2") == 0
    assert rows(the_record(tmp_path), "metrics")[0]["test_error"] != ""  # the last one of that run
    assert main(tmp_path, "--epochs=3", "--test_every=2") == 0
    without = {name: value for name, value in content(finished).items() if name != "config.json"}
    assert {name: value for name, value in content(the_record(tmp_path)).items() if name in without} == without
    capsys.readouterr()
    assert main(tmp_path, "--epochs=3") == 0 and main(tmp_path, "--epochs=2") == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and all(
        line.startswith("already complete: lenet5, variational, on digits: ") for line in said
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--model=alexnet_half", "--inference=frequentist", "--dropout_layers=3"),
        ("--inference=dropout",),
        ("--preset=thesis", "--train_samples=2", "--dataset=digits"),
        # tensors large enough for TensorFlow's temporary variables, in a loop within a loop
        pytest.param(("--preset=thesis", "--train_samples=2", "--model=alexnet"), marks=pytest.mark.slow),
    ],
)
def test_other_runs(arguments, tmp_path):
    assert main(tmp_path, "--epochs=1", *arguments) == 0
    record = the_record(tmp_path)
    (row,) = rows(record, "metrics")
    is_variational = "--preset=thesis" in arguments
    assert bool(rows(record, "posterior")) == bool(rows(record, "weights")) == is_variational
    assert (row["train_kl"] != "") == (row["kl_weight"] != "") == is_variational
    assert (float(row["epistemic"]) > 0) == ("--inference=frequentist" not in arguments)
    words = {"frequentist": "frequentist,batch_size=250,dropout_layers=3,num_samples=3,weight_init=glorot"}
    assert any(record.parent.name.startswith(words.get(a.split("=")[1], "")) for a in arguments)


def test_settings_without_a_meaning_have_no_place():
    """A frequentist network has one record, whatever is said of priors."""
    config = ClassificationConfig.preset("quick", inference="frequentist")
    other = config.replace(mu_init=-3, prior_scale=0.1, kl_warmup=7, train_samples=4)
    assert record_path(config, "mnist") == record_path(other, "mnist")
    assert stored_settings(config, record_path(config, "mnist"), "mnist") == stored_settings(
        other, record_path(other, "mnist"), "mnist"
    )
    assert str(record_path(ClassificationConfig(), "cifar10")) == (
        "runs/image_classification/cifar10/lenet5/variational/seed0"
    )


def test_the_thesis_is_the_default():
    config = ClassificationConfig.preset("thesis")
    assert (config.epochs, config.batch_size, config.learning_rate) == (100, 256, 0.001)
    assert (config.train_samples, config.num_samples, config.kl_schedule) == (25, 25, "blundell")
    assert (config.variance, config.mean_decay, config.weight_init) == ("alpha", 0.0005, "normal")
    log_variance = 2 * np.log(np.log1p(np.exp(config.mu_init)))
    assert log_variance == pytest.approx(-10, abs=1e-3)


def test_early_stopping_looks_at_validation_only():
    config = ClassificationConfig(epochs=10, patience=2)
    history = [{"val_error": text} for text in ("0.5", "0.4", "0.4", "0.45")]
    assert not is_last(config, history[:3]) and is_last(config, history)
    assert not is_last(config.replace(patience=0), history) and is_last(config.replace(epochs=4, patience=0), history)
    assert not is_last(config, []) and IMAGE_CLASSIFICATION.unit == "epoch"


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", "vgg"), ("inference", "map"), ("dataset", "svhn"), ("validation", 1.0), ("train_samples", 0),
     ("kl_schedule", "cosine"), ("kl_warmup", -1), ("patience", -1), ("dropout_layers", "2"), ("mean_decay", -1),
     ("variance", "beta"), ("weight_init", "he"), ("output_dir", ""), ("epochs", 0)],
)  # fmt: skip
def test_mistakes_are_one_line(name, value, capsys):
    assert main("runs", f"--{name}={value}") == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"error: --{name}={value} is not valid") and "\n" not in said
    with pytest.raises(SettingError):
        ClassificationConfig().replace(**{name: value})


def test_a_share_that_keeps_nothing_is_refused(capsys, tmp_path):
    assert main(tmp_path, "--validation=0.0001") == 2
    assert "of 1297 images it keeps 0" in capsys.readouterr().err


def test_dry_run_does_nothing(tmp_path, capsys):
    assert main(tmp_path / "runs", "--dry_run", "--epochs=7", "--test_every=3") == 0
    said = capsys.readouterr().out
    assert "1,167 to learn from, 130 for validation, 500 to test on" in said and "does not exist yet" in said
    assert "7 epochs of 5 minibatch steps with 1 draw of a network with 123,176 weights" in said
    assert "3 x 500 images x 3 samples" in said and not (tmp_path / "runs").exists()


def test_cifar_through_tfds(tmp_path, monkeypatch, capsys):
    with tfds.testing.mock_data(num_examples=40):
        assert main(tmp_path / "runs", "--dataset=cifar100", f"--data_dir={tmp_path}", "--inference=frequentist",
                    "--epochs=1", "--validation=0.25") == 0  # fmt: skip
        cifar10 = datasets.load("cifar10", str(tmp_path))
    model = load_run(the_record(tmp_path / "runs")).model
    assert model.num_classes == 100 and model.one_input_shape == (32, 32, 3)
    assert cifar10.name == "cifar10" and cifar10.train_images.shape == (40, 32, 32, 3) and cifar10.num_classes == 10
    monkeypatch.setattr(datasets, "DOWNLOAD_HOST", "192.0.2.1")
    monkeypatch.setattr(datasets, "CONNECT_SECONDS", 0.2)
    assert main(tmp_path / "runs", "--dataset=cifar100", f"--data_dir={tmp_path}") == 1
    said = capsys.readouterr().err
    assert "CIFAR-100 is not prepared" in said and "--dataset=digits" in said and "Traceback" not in said


def test_a_loss_that_explodes_is_one_line(tmp_path, capsys):
    assert main(tmp_path, "--learning_rate=1e30", "--epochs=1") == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: the loss is") and "--learning_rate" in said


def test_the_report_page_shows_the_run(finished):
    from experiments.page.collect import find, sections

    (entry,) = find(finished.parents[4])
    assert entry.status == "complete" and entry.run.path == finished
    ((section,), (group,)) = (found := sections([entry])), found[0].groups
    assert (section.dataset, group.network, group.column, group.mu_words) == ("digits", "lenet5", "variational", "")
    assert group.final("test_error")[1] == entry.metrics["test_error"][-1]
