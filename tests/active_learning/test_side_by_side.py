"""`--replicas`: seeds side by side, each with its own record, whoever else is there."""

import csv
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from experiments import al_mnist
from tests.conftest import ROOT, TINY, content

SEEDS = ["--arch=BNN-1", "--replicas=2", "--seed=3"]


def run(output_dir, *arguments):
    return al_mnist.main(["al_mnist", f"--output_dir={output_dir}", *TINY, *SEEDS, *arguments])


def records(output_dir):
    return {path.parent.name: path.parent for path in pathlib.Path(output_dir).rglob("config.json")}


def column(record, table, name):
    return [row[name] for row in csv.DictReader((record / table).read_text().splitlines())]


def test_every_seed_has_its_record(tmp_path, capsys):
    assert run(tmp_path, "--max_labels=20") == 0
    found = records(tmp_path)
    assert set(found) == {"seed3", "seed4"} and all("replicas=2" in str(path) for path in found.values())
    said = capsys.readouterr().out
    assert "seed 3" in said and "seed 4" in said and said.count("done:") == 2
    both = [column(found[seed], "acquisitions.csv", "index") for seed in ("seed3", "seed4")]
    assert both[0] != both[1] and len(both[0]) == len(both[1]) == 20
    alone = ["al_mnist", f"--output_dir={tmp_path}", *TINY, "--arch=BNN-1", "--seed=4", "--max_labels=10"]
    assert al_mnist.main(alone) == 0
    (single,) = (path for path in pathlib.Path(tmp_path).rglob("seed4") if "replicas" not in str(path))
    assert column(single, "acquisitions.csv", "index") == both[1][:10]  # the same initial labels
    for name in ("train_nll", "test_nll"):
        one, other = (float(column(record, "metrics.csv", name)[0]) for record in (single, found["seed4"]))
        assert abs(one - other) < 1e-3 * one  # the same weights, minibatches and noise
    capsys.readouterr()
    assert run(tmp_path, "--max_labels=20") == 0
    assert capsys.readouterr().out.count("already complete") == 2


def test_longer_runs_and_seeds_that_lag_behind_get_the_same_bits(tmp_path):
    assert run(tmp_path / "once", "--max_labels=25") == 0
    expected = {seed: content(record) for seed, record in records(tmp_path / "once").items()}
    assert run(tmp_path / "twice", "--max_labels=15") == 0
    shutil.rmtree(records(tmp_path / "twice")["seed3"])  # seed 3 begins anew, seed 4 goes on
    assert run(tmp_path / "twice", "--max_labels=25") == 0
    for seed, record in records(tmp_path / "twice").items():
        found = content(record)
        pictures = {"learning_curve.png", "acquired.png"}
        assert {k: v for k, v in found.items() if k not in pictures} == {
            k: v for k, v in expected[seed].items() if k not in pictures
        }


def test_ctrl_c_stops_all_and_the_same_command_goes_on(tmp_path):
    command = [sys.executable, "-m", "experiments.al_mnist", f"--output_dir={tmp_path}", *TINY, *SEEDS]
    command += ["--epochs=30", "--max_labels=60"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(tmp_path.rglob("metrics.csv"))) < 2:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted; the same command goes on" in said
    assert "Traceback" not in said and not list(tmp_path.rglob("lock"))
    assert run(tmp_path, "--epochs=30", "--max_labels=15") == 0


def test_what_replicas_do_not_take(tmp_path, capsys):
    from experiments import layer_position

    assert run(tmp_path, "--replicas=0") == 2
    assert run(tmp_path, f"--seed={2**31 - 1}", "--max_labels=20") == 2
    assert "--replicas=2 is not valid" in capsys.readouterr().err
    assert layer_position.main(["layer_position", "--replicas=2", "--dry_run", "--dataset=digits"]) == 2
    assert "--replicas=2 is not valid: a study makes its runs one by one" in capsys.readouterr().err


def test_a_failure_of_the_training_is_one_line(tmp_path, capsys):
    assert run(tmp_path, "--max_labels=15", "--learning_rate=1e30") == 1
    assert "the loss is" in capsys.readouterr().err
