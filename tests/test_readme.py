"""What the README promises."""

import contextlib
import importlib
import io
import re
import shlex
import subprocess

import pytest

import flags
from experiments import al_mnist
from experiments.active_learning.config import GROUPS, PRESETS, ActiveLearningConfig
from tests.conftest import ROOT, TINY, the_record

README = (ROOT / "README.md").read_text()
BASH = re.findall(r"```bash\n(.+?)```", README, re.S)
PYTHON = re.findall(r"```python\n(.+?)```", README, re.S)


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


def test_the_studies_commands_are_the_papers(tmp_path, capsys):
    commands = [
        line.split("#")[0].split("-m experiments.")[1] for block in BASH[3:] for line in block.strip().splitlines()
    ]
    assert len(commands) == 3
    for command in commands:
        name, *arguments = shlex.split(command)
        module = importlib.import_module(f"experiments.{name}")
        arguments = [argument for argument in arguments if not argument.startswith("--output_dir")]
        options = ["--dataset=digits", "--dry_run", f"--output_dir={tmp_path}"]
        assert module.main([name, *arguments, *options]) == 0
        said = capsys.readouterr().out
        assert "BNN-3" in said and "var_ratios" in said
    assert not list(tmp_path.iterdir())


def test_reading_a_record_back(tmp_path):
    assert al_mnist.main(["al_mnist", f"--output_dir={tmp_path}", *TINY, "--arch=BNN-1", "--max_labels=10"]) == 0
    code = re.sub(r'load_run\(".*?"\)', f"load_run({str(the_record(tmp_path))!r})", PYTHON[0])
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(code, {})
    assert "Dense2" in said.getvalue()


def test_your_own_images_and_oracle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(PYTHON[1].strip().splitlines()) <= 20
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(PYTHON[1], {})
    error = float(re.search(r"50 labels: test error ([0-9.]+) %", said.getvalue()).group(1))
    assert error < 40 and (tmp_path / "network.npz").exists()


def test_the_layers_in_a_keras_model():
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(PYTHON[2], {})
    assert float(said.getvalue().split()[0]) > 1000


def test_the_pieces_exist():
    import importlib

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
    command = BASH[0].split("&& ")[-1].strip().replace(".venv/bin/python", "python") + f" --output_dir={tmp_path}"
    finished = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert finished.returncode == 0 and finished.stdout.startswith("done: BNN-2, var_ratios, mu_init=-5 on digits")
    error = float(re.search(r"([0-9.]+) % test error at 200 labels", finished.stdout).group(1))
    assert error < 6
