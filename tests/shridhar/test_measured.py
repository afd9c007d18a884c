"""Figure 6, training time, parameter counts: the real `main`s, small."""

import csv

import numpy as np
import pytest

from experiments.shridhar import figure6, parameter_counts, training_time


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_figure6(tmp_path, capsys):
    command = ["x", "--points=40", "--units=4", "--epochs=3", "--num_samples=5", f"--output_dir={tmp_path}"]
    assert figure6.main(command) == 0
    (directory,) = (path.parent for path in tmp_path.glob("**/figure6.png"))
    predictions = rows(directory / "predictions.csv")
    assert len(predictions) == 2 * 161 and len(rows(directory / "points.csv")) == 40
    doubt = {kind: [float(r["epistemic"]) for r in predictions if r["network"] == kind] for kind in figure6.NETWORKS}
    assert not np.any(doubt["deterministic"]) and np.all(np.array(doubt["variational"]) > 0)
    before = (directory / "predictions.csv").read_bytes()
    assert figure6.main([*command, "--report_only"]) == 0
    (directory / "settings.json").unlink()
    assert figure6.main([*command, "--report_only"]) == 1 and "finds nothing" in capsys.readouterr().err
    assert figure6.main(command) == 0 and (directory / "predictions.csv").read_bytes() == before  # the same bits


def test_training_time(tmp_path, capsys):
    command = ["x", "--models=lenet5", "--train_samples=1,2", "--num_samples=2", "--batch_size=4", "--images=8"]
    command += ["--steps=1", "--rounds=2", f"--output_dir={tmp_path}"]
    assert training_time.main(command) == 0
    (directory,) = (path.parent for path in tmp_path.glob("**/ratios.csv"))
    ratios = rows(directory / "ratios.csv")
    assert [(row["what"], row["samples"], row["thesis"]) for row in ratios] == [
        ("training", "1", "2"), ("training", "2", "4"), ("prediction", "1", "1"), ("prediction", "2", "1"),
        ("prediction by the means", "1", "1"),
    ]  # fmt: skip
    assert len(rows(directory / "times.csv")) == 2 * 7
    assert (
        training_time.main([*command, "--report_only"]) == 0 and "| lenet5 | training | 2 |" in capsys.readouterr().out
    )
    assert training_time.main(["x", "--train_samples=0"]) == 2
    assert "--train_samples=0 is not valid: it takes positive numbers" in capsys.readouterr().err


def test_parameter_counts(tmp_path, capsys):
    assert parameter_counts.main(["x", f"--output_dir={tmp_path}"]) == 0
    found = {
        (row["model"], row["inference"], row["dataset"]): int(row["parameters"])
        for row in rows(tmp_path / "shridhar" / "parameter_counts" / "parameter_counts.csv")
    }
    # LeNet-5 by hand: 5x5x1x6 + 5x5x6x16 + 400x120 + 120x84 + 84x10 weights, and a bias for each of 236 units.
    kernels = 150 + 2400 + 48000 + 10080 + 840
    assert found["lenet5", "frequentist", "mnist"] == kernels + 236
    assert found["lenet5", "variational", "mnist"] == 2 * kernels + 236
    whole, half = (found[name, "variational", "cifar10"] for name in ("alexnet", "alexnet_half"))
    assert half / whole == pytest.approx(0.25, abs=0.01)
    assert "times frequentist AlexNet" in capsys.readouterr().out
