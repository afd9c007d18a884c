"""The benchmark's rows and the arithmetic behind its floor; never its times."""

import json

from bayes_layers import build_network
from bayes_layers.config import NetworkSettings
from experiments import benchmark


def test_a_small_benchmark(tmp_path, capsys):
    file = tmp_path / "rows.json"
    arguments = ["--archs=CNN", "--works=train_step,predict_test", "--repeats=1", "--images=1000", f"--json={file}"]
    assert benchmark.main(["benchmark", *arguments]) == 0
    rows = json.loads(file.read_text())
    assert [(row["work"], row["arch"]) for row in rows] == [("train_step", "CNN"), ("predict_test", "CNN")]
    for row in rows:
        assert set(row) == {
            "work", "arch", "acquisition", "naive_s", "ours_s", "ratio", "floor_share", "agreement"
        }  # fmt: skip
        assert row["ratio"] == row["naive_s"] / row["ours_s"] > 0 and row["floor_share"] > 0
    assert "GFLOP/s" in capsys.readouterr().out


def test_operations_by_hand():
    # 25x25 and 22x22 positions after the convolutions; an operation is a multiplication or an addition.
    conv1, conv2, dense1, dense2 = 2 * 625 * 512, 2 * 484 * 16384, 2 * 495616, 2 * 1280
    once, often = benchmark.operations(build_network(NetworkSettings(arch="BNN-2")), False)
    assert (once, often) == (conv1 + conv2, dense1 + dense2)
    trained = benchmark.operations(build_network(NetworkSettings(arch="BNN-1")), True)
    assert sum(trained) == 3 * (conv1 + conv2 + dense1) + 6 * dense2


def test_bad_names_are_named(capsys):
    assert benchmark.main(["benchmark", "--archs=BNN-9"]) == 2
    assert "--archs=BNN-9 is not valid: it takes all, or names of BNN," in capsys.readouterr().err
    assert benchmark.main(["benchmark", "--works=all,fast"]) == 2
    assert benchmark.main(["benchmark", "--images=10"]) == 2
