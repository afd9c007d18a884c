"""What the README promises."""

import ast
import contextlib
import importlib
import importlib.util
import io
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import tf_keras

import flags
from experiments import al_mnist, entry
from experiments.active_learning.config import GROUPS, PRESETS, ActiveLearningConfig
from tests.conftest import ROOT, TINY, the_record

README = (ROOT / "README.md").read_text()
BASH = re.findall(r"```bash\n(.+?)```", README, re.S)
PYTHON = re.findall(r"```python\n(.+?)```", README, re.S)


def python_with(text):
    """The one Python block that holds a text."""
    (block,) = [block for block in PYTHON if text in block]
    return block


def config_of(command):
    arguments = shlex.split(command.split("-m experiments.al_mnist")[1])
    values = flags.define(GROUPS, PRESETS)
    assert flags.parse(values, ["al_mnist", *arguments])
    return flags.config_from(ActiveLearningConfig, values, PRESETS)


def test_the_first_command_reduces_what_the_readme_says():
    config, paper = config_of(BASH[0].strip()), ActiveLearningConfig(arch="BNN-2", mu_init=-5, dataset="digits")
    different = {name for name in config.__dataclass_fields__ if getattr(config, name) != getattr(paper, name)}
    assert different == {"epochs", "num_samples", "max_labels"}
    assert (config.epochs, config.num_samples, config.max_labels) == (100, 50, 200)
    assert "100 epochs per cycle instead of 200, 50 Monte-Carlo\nsamples instead of 100, 200 labels" in README


def test_the_papers_command_is_the_papers_protocol():
    assert config_of(BASH[2].strip()) == ActiveLearningConfig(arch="BNN-2", mu_init=-5)


def test_ci_runs_the_readmes_test_command():
    (command,) = [line for line in README.splitlines() if re.fullmatch(r"python3 -m venv .* -m pytest", line)]
    assert command == BASH[1].strip()
    assert "grep -m1" in (ROOT / ".ci" / "run").read_text()


def commands_of(heading):
    """The `-m experiments.` commands of a section, as lists of words."""
    section = README.split(f"\n{heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```bash\n(.+?)```", section, re.S)
    lines = [line.split("#")[0] for block in blocks for line in block.strip().splitlines()]
    return [shlex.split(line.split("-m experiments.")[1]) for line in lines]


def test_the_studies_commands_are_the_papers(tmp_path, capsys):
    commands = commands_of("## The paper's studies")
    assert len(commands) == 3
    for name, *arguments in commands:
        module = importlib.import_module(f"experiments.{name}")
        arguments = [argument for argument in arguments if not argument.startswith("--output_dir")]
        options = ["--dataset=digits", "--dry_run", f"--output_dir={tmp_path}"]
        assert module.main([name, *arguments, *options]) == 0
        said = capsys.readouterr().out
        assert "BNN-3" in said and "var_ratios" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("heading", ["## Shridhar's Bayesian CNNs", "## Priors"])
def test_all_other_commands_mean_something(heading, monkeypatch):
    """Every flag is there and takes its value; the commands themselves are run by their own tests."""
    meant = []
    monkeypatch.setattr(entry, "_guarded", lambda work, config, *rest: meant.append(config) or 0)
    commands = commands_of(heading)
    assert len(commands) >= 3
    for name, *arguments in commands:
        assert importlib.import_module(f"experiments.{name}").main([name, *arguments]) == 0
    assert len(meant) == len(commands)


def test_commands_in_the_text_exist():
    names = set(re.findall(r"`?python -m experiments\.([\w.]+)", README)) - {"shridhar."}
    names |= {f"shridhar.{name}" for name in re.findall(r"`((?:table|figure)\d+|training_time|claims)`", README)}
    assert len(names) >= 20
    for name in names:
        assert importlib.util.find_spec(f"experiments.{name}"), name


def test_reading_a_record_back(tmp_path):
    assert al_mnist.main(["al_mnist", f"--output_dir={tmp_path}", *TINY, "--arch=BNN-1", "--max_labels=10"]) == 0
    code = re.sub(r'load_run\(".*?"\)', f"load_run({str(the_record(tmp_path))!r})", python_with("load_run("))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(code, {})
    assert "Dense2" in said.getvalue()


def test_your_own_images_and_oracle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = python_with("ActiveLearner(")
    assert len(code.strip().splitlines()) <= 20
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(code, {})
    error = float(re.search(r"50 labels: test error ([0-9.]+) %", said.getvalue()).group(1))
    assert error < 40 and (tmp_path / "network.npz").exists()


def test_the_layers_in_a_keras_model():
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(python_with("tf_keras.Sequential("), {})
    assert float(said.getvalue().split()[0]) > 1000


def test_a_bayesian_last_layer_for_any_model():
    tf_keras.utils.set_random_seed(0)  # for some first weights an image has no feature above 0, and no noise behind it
    x, y = np.random.default_rng(0).random((32, 8), np.float32), np.arange(32) % 3
    layers = [tf_keras.layers.Dense(8, "relu"), tf_keras.layers.Dense(3, name="logits")]
    model = tf_keras.Sequential(layers)
    model.build((None, 8))
    names = {"tf_keras": tf_keras, "model": model, "x_train": x, "y_train": y, "x_test": x[:5]}
    code = python_with("bayesian(model").replace("epochs=5)", "epochs=5, verbose=0)")
    exec(code, names)
    assert names["samples"].shape == (100, 5, 3) and np.ptp(names["samples"], axis=0).min() > 0


def test_uncertainty_and_pruning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(python_with("pruning.prune("), names)
    p, parts = names["p"].mean(axis=0), names["parts"]
    expected = np.eye(10) * p[:, None, :] - p[:, :, None] * p[:, None, :]
    np.testing.assert_allclose(names["aleatoric"] + names["epistemic"], expected, atol=1e-6)
    np.testing.assert_allclose(parts["entropy"], parts["expected_entropy"] + parts["mutual_information"], atol=1e-6)
    total = ast.literal_eval(said.getvalue())
    in_bayesian_layers = 3872 * 128 + 128 * 10
    assert total["weights"] - total["kept"] == 0.75 * in_bayesian_layers and (tmp_path / "pruned.npz").exists()


def test_layers_with_priors():
    code = "[\n" + "\n".join(
        line.split("  #")[0] + "," for line in python_with("StudentT").splitlines() if line.startswith("DenseFlipout")
    )
    imports = [line for line in python_with("StudentT").splitlines() if "import" in line]
    names = {}
    exec("\n".join(imports), names)
    for layer in eval(code + "]", names):
        layer.build((None, 4))
        assert np.isfinite(float(layer.kl()))


def test_the_pieces_exist():
    table = README.split("## The pieces")[1].split("##")[0]
    names = re.findall(r"`((?:bayes_layers|experiments)\.[\w.]+)", table)
    assert len(names) >= 10
    for name in names:
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), attribute), name


def test_pictures_and_pages_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.slow
def test_the_first_commands_run(tmp_path):
    command = BASH[0].split("&& ")[-1].strip().replace(".venv/bin/python", sys.executable) + f" --output_dir={tmp_path}"
    finished = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert finished.returncode == 0 and finished.stdout.startswith("done: BNN-2, var_ratios, mu_init=-5 on digits")
    error = float(re.search(r"([0-9.]+) % test error at 200 labels", finished.stdout).group(1))
    assert error < 6
