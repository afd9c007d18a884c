"""Every mistake on the command line: one clear line that names the setting and what it takes, and a non-zero exit."""

import dataclasses
import os
import subprocess
import sys
import time

import pytest

from bayes_layers.settings import SettingError
from experiments import al_mnist, datasets, image_classification, layer_position, mnist_uncertainty, prior_study
from experiments.active_learning.config import GROUPS, ActiveLearningConfig
from tests.conftest import ROOT, TINY, the_record

BAD_VALUES = {
    "arch": ["", "bnn", "BNN-4", "VGG"],
    "inference": ["map", "frequentist"],  # BNN says itself what it is
    "dropout_layers": ["2", "3"],
    "weight_init": ["he", "normal"],
    "variance": ["sigma", ""],
    "mu_init": ["", "nan", "inf", "-inf", "abc", "1e400", "-101"],
    "sigma_init": ["-0.1", "nan", "x"],
    "loc_init": ["zeros"],
    "prior": ["gaussian", "", "Normal"],
    "prior_scale": ["0", "-1", "nan", "inf", "x"],
    "hyperprior": ["half-normal", "half_laplace", ""],
    "hyperprior_scale": ["0", "-2", "inf"],
    "variational_bias": ["both"],
    "kl_samples": ["0", "-1", "1.5", "1000000"],
    "test_dropout": ["maybe"],
    "acquisition": ["entropy", "BALD", ""],
    "initial_labels": ["0", "-1", "2.5", "1e2", "ten"],
    "balanced_init": ["perhaps"],
    "query_size": ["5000", "0", "-10", "nan"],
    "max_labels": ["0", "-5", "19", "1e9", "9999999"],
    "pool_subset": ["-1", "5", "x"],
    "scoring": ["half"],
    "dataset": ["cifar", "MNIST"],
    "data_dir": ["/no/such/directory", __file__],
    "epochs": ["1000000000", "0", "-3", "1.5", "nan", ""],
    "batch_size": ["10000000", "0", "-64", "inf"],
    "learning_rate": ["0", "-0.001", "nan", "inf", "fast"],
    "weight_decay": ["1e300", "-1", "nan"],
    "kl_schedule": ["cosine"],
    "kl_warmup": ["-1", "0.5"],
    "train_samples": ["0", "1001"],
    "mean_decay": ["-1", "nan"],
    "kl_scale": ["1e-320", "0", "-1", "nan", "inf", "label", ""],
    "warm_start": ["2"],
    "num_samples": ["10000000000", "0", "-1", "3.0"],
    "sampling": ["pixel"],
    "estimator": ["dropout", "local"],
    "precision": ["float64"],
    "jit_compile": ["xla"],
    "replicas": ["0", "-1"],
    "seed": ["-1", "0.5", "99999999999", "abc"],
    "output_dir": ["", "/proc/nowhere", __file__],
    "test_every": ["0", "-2"],
    "dry_run": ["yes please"],
    "preset": ["fast", ""],
}


def run(*arguments):
    return al_mnist.main(["al_mnist", *arguments])


def the_only_line(capsys):
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), lines
    return lines[0]


@pytest.mark.parametrize("module", [al_mnist, layer_position, image_classification, prior_study, mnist_uncertainty])
def test_a_directory_whose_name_is_no_text(module, capfd):
    assert module.main(["x", f"--output_dir={os.fsdecode(bytes([255]))}"]) == 2
    said = capfd.readouterr()
    assert said.out == "" and said.err.endswith(" is not valid: it takes a directory, with a name in UTF-8\n")


def test_every_setting_has_a_bad_value_here():
    names = {field.name for group in GROUPS for field in dataclasses.fields(group)}
    assert names == set(ActiveLearningConfig.__dataclass_fields__) == set(BAD_VALUES) - {"preset"}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in BAD_VALUES for value in BAD_VALUES[name]])
def test_bad_values(name, value, tmp_path, capsys):
    elsewhere = [] if name in ("dataset", "output_dir") else ["--dataset=digits", f"--output_dir={tmp_path / 'runs'}"]
    if name == "output_dir":
        elsewhere = ["--dataset=digits"]
    assert run(*elsewhere, "--initial_labels=20", f"--{name}={value}") in (1, 2)
    line = the_only_line(capsys)
    assert f"--{name}={value}" in line
    assert any(words in line for words in ("it takes", "it is", "give", "is not a directory")), line
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epoch=3"], "no flag --epoch; did you mean --epochs?"),
        (["--no_such_thing"], "no flag --no_such_thing"),
        (["BNN-2"], "unexpected argument 'BNN-2'"),
        (["--arch", "BNN", "CNN"], "unexpected argument 'CNN'"),
        (
            ["--prior=flat", "--hyperprior=half_normal"],
            "--hyperprior=half_normal is not valid: a flat prior has no scale, so that it takes fixed",
        ),
        (["--mu_init"], "--mu_init needs a value: it takes a finite number"),
        (["--nowarm_start=3"], "--nowarm_start=3"),
        (["--max_labels=50", "--initial_labels=60"], "--initial_labels=60"),
        (["--dataset=digits", "--initial_labels=1298", "--max_labels=2000"], "at most 1297"),
        (["--dataset=digits", "--max_labels=1298"], "digits has 1297 images"),
        (["--query_size=10", "--pool_subset=9"], "--pool_subset=9"),
    ],
)
def test_bad_combinations(arguments, words, capsys):
    assert run(*arguments) == 2
    assert words in the_only_line(capsys)


def test_a_directory_that_cannot_be_written_to(tmp_path, capsys):
    (tmp_path / "runs").write_text("a file")
    assert run("--dataset=digits", f"--output_dir={tmp_path / 'runs'}") == 1
    assert "--output_dir=" in the_only_line(capsys)


def test_mnist_without_network_or_data(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(datasets, "DOWNLOAD_HOST", "192.0.2.1")
    monkeypatch.setattr(datasets, "CONNECT_SECONDS", 0.2)
    began = time.monotonic()
    assert run("--dataset=mnist", f"--output_dir={tmp_path}") == 1
    assert time.monotonic() - began < 20
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: MNIST is not prepared") and "--dataset=digits" in line


@pytest.mark.parametrize("module", [al_mnist, layer_position])
def test_more_balanced_labels_than_a_class_has(module, tmp_path, capsys):
    """Said before anything is done; a study does not find out run by run."""
    arguments = ["--dataset=digits", "--initial_labels=1211", "--max_labels=1250", f"--output_dir={tmp_path / 'runs'}"]
    assert module.main(["x", *arguments]) == 2
    assert capsys.readouterr().err == (
        "error: --initial_labels=1211 is not valid: a class of digits has only 121 images to learn from, so balanced "
        "initial labels are at most 1210 (--nobalanced_init takes more)\n"
    )
    assert not (tmp_path / "runs").exists()
    for fits in (["--nobalanced_init"], ["--initial_labels=1210"]):
        assert module.main(["x", *arguments, *fits, "--dry_run"]) == 0


def test_a_diverging_run_names_cycle_epoch_and_step(tmp_path, capsys):
    assert (
        run(
            *TINY,
            "--arch=CNN",
            "--weight_decay=1e30",
            "--learning_rate=1e30",
            "--max_labels=10",
            f"--output_dir={tmp_path}",
        )
        == 1
    )
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: cycle 0: the loss is") and "epoch 2, step 1" in line and "--learning_rate" in line


def test_a_full_disk_in_the_middle_of_a_run(tmp_path):
    environment = {**os.environ, "BAYES_LAYERS_FAULT": "enospc:50"}
    command = [sys.executable, "-m", "experiments.al_mnist", *TINY, "--max_labels=20", f"--output_dir={tmp_path}"]
    full = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert full.returncode == 1 and "Traceback" not in full.stderr
    line = full.stderr.strip().splitlines()[-1]
    assert (
        line.startswith("error: ")
        and "No space left on device" in line
        and "nothing that was committed is lost" in line
    )
    assert (the_record(tmp_path) / "metrics.csv").exists() and not (the_record(tmp_path) / "lock").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["--arch=VGG"], ["--helpfull"], ["-h"]])
def test_help_and_mistakes_answer_at_once(arguments):
    began = time.monotonic()
    command = [sys.executable, "-m", "experiments.al_mnist", *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert time.monotonic() - began < 2
    if answer.returncode == 0:
        for field in dataclasses.fields(ActiveLearningConfig):
            assert f"--{field.name}=" in answer.stdout
        assert max(map(len, answer.stdout.splitlines())) <= 105


def test_importing_the_light_modules_does_not_load_tensorflow():
    light = (
        "experiments.al_mnist, experiments.records.load, experiments.records.figures, experiments.active_learning.loop"
    )
    code = f"import sys, {light}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


def test_settings_in_python_are_checked_as_well():
    with pytest.raises(SettingError, match="--epochs=0 is not valid: it takes a whole number of at least 1"):
        ActiveLearningConfig(epochs=0)
    with pytest.raises(SettingError, match="no such setting: epoch"):
        ActiveLearningConfig().replace(epoch=1)
    with pytest.raises(SettingError, match="--preset=fast"):
        ActiveLearningConfig.preset("fast")
    assert ActiveLearningConfig(jit_compile=True).jit_compile == "true"
    assert ActiveLearningConfig(kl_scale=10).kl_scale == 10.0
    with pytest.raises(SettingError, match="--epochs=True"):
        ActiveLearningConfig(epochs=True)
