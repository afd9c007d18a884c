"""Entry points that examine a trained network: pruning, foreign images; and small records. One tiny run for all."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from bayes_layers.inference import NonFiniteLossError
from experiments import datasets, entry, image_classification, out_of_distribution, pruning
from experiments.errors import DataError, RecordError
from experiments.examination import foreign
from experiments.records.trained import open_trained, place_of
from tests.conftest import the_record

TINY = ["--dataset=digits", "--preset=quick", "--epochs=1", "--num_samples=2", "--validation=0.2"]


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def copied(record, path):
    shutil.copytree(record, path)
    return path


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")
    assert image_classification.main(["x", f"--output_dir={directory}", *TINY]) == 0
    return the_record(directory)


@pytest.fixture(scope="module")
def pruned(record):
    command = ["x", f"--record={record}", "--sparsities=0,0.5", "--epochs=1", "--tolerance=100"]
    command.append(f"--output_dir={record.parents[4]}")
    assert pruning.main(command) == 0
    return command, next(record.parents[4].glob("pruning/**/settings.json")).parent


def test_a_trained_record(record, tmp_path):
    trained = open_trained(record)
    assert trained.dataset == "digits" and trained.place == place_of(record)
    assert str(trained.place).startswith("image_classification/digits/lenet5/variational,")
    assert trained.network().num_classes == 10
    with pytest.raises(RecordError, match=r"no config\.json"):
        open_trained(tmp_path)
    (tmp_path / "config.json").write_text((record / "config.json").read_text())
    with pytest.raises(RecordError, match="no checkpoint"):
        open_trained(tmp_path)
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "latest").write_text("{}")
    with pytest.raises(RecordError, match="is damaged"):
        open_trained(tmp_path)


def test_pruning_leaves_curve_stages_and_networks(pruned):
    from bayes_layers import load_network
    from bayes_layers.pruning import sparsity

    _, directory = pruned
    curve = rows(directory / "curve.csv")
    assert [(row["score"], row["sparsity"]) for row in curve] == [
        ("magnitude", "0.0"), ("magnitude", "0.5"), ("snr", "0.0"), ("snr", "0.5")
    ]  # fmt: skip
    assert curve[0]["test_accuracy"] == curve[2]["test_accuracy"]  # nothing is pruned: the same network
    stages = rows(directory / "stages.csv")
    assert [(row["score"], row["stage"]) for row in stages] == [
        *(("magnitude", stage) for stage in ("trained", "with L1", "pruned", "fine-tuned")),
        *(("snr", stage) for stage in ("trained", "pruned", "fine-tuned")),
    ]
    assert [float(row["sparsity"]) for row in stages] == [0, 0, 0.5, 0.5, 0, 0.5, 0.5]
    layers = rows(directory / "layers.csv")
    for score in ("magnitude", "snr"):
        network = load_network(directory / f"pruned_{score}.npz")
        last = [row for row in layers if (row["score"], row["stage"]) == (score, "fine-tuned")]
        assert [int(row["kept"]) for row in last] == [row["kept"] for row in sparsity(network)]
    assert (directory / "curve.png").read_bytes()[:4] == b"\x89PNG"


def test_pruning_is_done_once_and_of_what_is_there(pruned, record, capsys):
    command, directory = pruned
    before = {path.name: path.stat().st_mtime_ns for path in directory.iterdir() if path.suffix in (".csv", ".npz")}
    assert pruning.main([*command, "--report_only"]) == 0 and pruning.main(command) == 0
    assert {name: (directory / name).stat().st_mtime_ns for name in before} == before
    assert "| fine-tuned | 1 | 50.0 % |" in capsys.readouterr().out
    settings = json.loads((directory / "settings.json").read_text())
    assert settings["source"] == open_trained(record).sha256 and settings["settings"]["sparsities"] == "0,0.5"
    assert "report_only" not in settings["settings"]


def test_a_killed_pruning_goes_on(record, tmp_path, capfd):
    shape = [f"--record={record}", "--scores=magnitude", "--sparsities=0,0.5", "--epochs=3", "--tolerance=100"]
    commands = {name: ["x", *shape, f"--output_dir={tmp_path / name}"] for name in ("whole", "killed")}
    assert pruning.main(commands["whole"]) == 0
    run = [sys.executable, "-m", "experiments.pruning", *commands["killed"][1:]]
    code = subprocess.run(run, env={**os.environ, "BAYES_LAYERS_FAULT": "kill:8"}, check=False).returncode
    assert code == -signal.SIGKILL  # before the second epoch's state has its name
    (state,) = (tmp_path / "killed").glob("**/unfinished_*.npz")
    capfd.readouterr()
    assert pruning.main(commands["killed"]) == 0
    said = capfd.readouterr().err
    assert "with L1: epoch 1 " not in said and "with L1: epoch 2 " in said and not state.exists()
    whole, killed = (next((tmp_path / name).glob("**/settings.json")).parent for name in commands)
    assert sorted(path.name for path in whole.iterdir()) == sorted(path.name for path in killed.iterdir())
    for name in ("curve.csv", "stages.csv", "layers.csv", "pruned_magnitude.npz"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name


def test_pruning_names_mistakes(record, tmp_path, capsys):
    for arguments, words in (
        (["--record="], "--record= is not valid: it takes"),
        ([f"--record={tmp_path}"], "is not a record"),
        (["--sparsities=0,2"], "--sparsities=0,2 is not valid: it takes numbers from 0 to 1"),
        (["--scores=size"], "--scores=size is not valid: it takes all, or names of magnitude, snr"),
        (["--threshold=low"], "--threshold=low is not valid: it takes auto, or"),
        ([f"--record={record}", "--report_only", f"--output_dir={tmp_path}"], "--report_only finds nothing in"),
    ):
        assert pruning.main(["x", *arguments]) in (1, 2)
        said = capsys.readouterr().err
        assert words in said and len(said.strip().splitlines()) == 1


def test_foreign_images(record, tmp_path, capsys):
    command = ["x", f"--record={record}", "--foreign=mnist,uniform_noise,shuffled_pixels", "--images=40"]
    command += ["--num_samples=2", f"--output_dir={tmp_path}"]
    assert out_of_distribution.main(command) == 0
    assert "left out: mnist: MNIST is not prepared" in capsys.readouterr().err
    directory = next(tmp_path.glob("**/settings.json")).parent
    table = rows(directory / "auroc.csv")
    assert [row["foreign"] for row in table] == ["uniform_noise", "shuffled_pixels"]
    assert all(0 <= float(row[name]) <= 1 for row in table for name in out_of_distribution.SCORES)
    means = {row["kind"]: row for row in rows(directory / "scores.csv")}
    assert list(means) == ["digits", "uniform_noise", "shuffled_pixels"]
    for row in means.values():
        total = float(row["expected_entropy"]) + float(row["mutual_information"])
        assert float(row["entropy"]) == pytest.approx(total, abs=1e-12)
    before = (directory / "auroc.md").read_bytes()
    assert out_of_distribution.main([*command, "--report_only"]) == 0
    assert (directory / "auroc.md").read_bytes() == before and b"| uniform_noise |" in before
    assert b"Left out, since they could not be had: mnist." in before
    (left_out,) = rows(directory / "left_out.csv")
    assert left_out["foreign"] == "mnist" and left_out["why"].startswith("MNIST is not prepared")
    assert out_of_distribution.main(["x", "--foreign=cats"]) == 2
    assert "--foreign=cats is not valid: it takes all, or names of digits, mnist" in capsys.readouterr().err


def test_what_was_left_out_is_measured_once_it_can_be_had(record, tmp_path, monkeypatch, capsys):
    command = ["x", f"--record={record}", "--foreign=mnist,cifar10,inverted", "--images=20", "--num_samples=2"]
    command.append(f"--output_dir={tmp_path}")
    load, able = datasets.load, {"digits", "mnist"}

    def some(name, data_dir=""):
        if name not in able:
            raise DataError(f"{name} is away")
        return load("digits")

    monkeypatch.setattr(datasets, "load", some)
    kinds = []
    for present in ({"digits", "mnist"}, {"digits", "cifar10"}, {"digits"}, {"mnist", "cifar10"}):
        able = present
        assert out_of_distribution.main(command) == 0
        directory = next(tmp_path.glob("**/settings.json")).parent
        kinds.append([row["foreign"] for row in rows(directory / "auroc.csv")])
    assert kinds == 4 * [["mnist", "inverted"]]  # what is there is not given up for something else
    made = (directory / "settings.json").stat().st_mtime_ns
    able = {"digits", "mnist", "cifar10"}
    capsys.readouterr()
    for _ in range(2):
        assert out_of_distribution.main(command) == 0
        assert [row["foreign"] for row in rows(directory / "auroc.csv")] == ["mnist", "cifar10", "inverted"]
    assert "Left out" not in (directory / "auroc.md").read_text() and "left out" not in capsys.readouterr().err
    assert (directory / "settings.json").stat().st_mtime_ns > made and rows(directory / "left_out.csv") == []


def test_meaningless_requests_are_named(record, tmp_path, capsys):
    command = ["x", f"--record={record}", "--foreign=digits", f"--output_dir={tmp_path}"]
    assert out_of_distribution.main(command) == 2
    said = capsys.readouterr().err
    assert "--foreign=digits is not valid: it takes all, or names of mnist, cifar10, uniform_noise" in said
    frequentist = copied(record, tmp_path / "image_classification" / "other")
    known = json.loads((frequentist / "config.json").read_text())
    known["settings"]["inference"] = "frequentist"
    (frequentist / "config.json").write_text(json.dumps(known))
    for scores in ("snr", "magnitude,snr"):
        command = ["x", f"--record={frequentist}", f"--scores={scores}", f"--output_dir={tmp_path}"]
        assert pruning.main(command) == 2
        assert f"--scores={scores} is not valid: it takes all or magnitude for this record" in capsys.readouterr().err
    assert not list(tmp_path.glob("**/settings.json"))


def test_a_report_is_of_the_records_network(pruned, record, tmp_path, capsys):
    """Another network at the same place under another root, and then none."""
    command, directory = pruned
    other = copied(record, tmp_path / place_of(record))
    report = ["x", f"--record={other}", *command[2:], "--report_only"]
    assert pruning.main(report) == 0 and "note" not in capsys.readouterr().err
    pointer = other / "checkpoint" / "latest"
    pointer.write_text(json.dumps({**json.loads(pointer.read_text()), "sha256": "0" * 64}))
    assert pruning.main(report) == 1
    said = capsys.readouterr().err
    assert "was made of another state of the record; leave --report_only out" in said and said.count("\n") == 1
    shutil.rmtree(other / "checkpoint")  # as it is kept in small
    assert pruning.main(report) == 0 and "has no checkpoint: it holds no trained network" in capsys.readouterr().err
    shutil.rmtree(other)
    assert pruning.main(report) == 0
    assert "note: not compared with the record's network" in capsys.readouterr().err
    assert (directory / "stages.csv").exists()


def test_a_damaged_table_of_a_pruning_is_named(pruned, record, tmp_path, capsys):
    command, _ = pruned
    shutil.copytree(record.parents[4] / "pruning", tmp_path / "pruning")
    stages = next(tmp_path.glob("**/stages.csv"))
    stages.write_bytes(stages.read_bytes()[:600])
    assert pruning.main([*command[:-1], f"--output_dir={tmp_path}"]) == 1
    said = capsys.readouterr().err
    assert "stages.csv is damaged" in said and "remove settings.json" in said and said.count("\n") == 1


def test_training_that_diverges_is_one_line(capsys):
    def work(config):
        raise NonFiniteLossError(2, 3, float("nan"))

    assert entry.point(work, pruning.PruningConfig, description="")(["x"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: the loss is nan in epoch 2, step 3; try a smaller --learning_rate")
    assert said.count("\n") == 1


def test_images_in_another_shape():
    grey = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    colour = foreign.fitted(grey, (6, 6, 3))
    assert colour.shape == (2, 6, 6, 3) and colour.sum() == 3 * grey.sum()
    np.testing.assert_array_equal(colour[:, 1:5, 1:5, 1], grey[..., 0])
    np.testing.assert_array_equal(foreign.fitted(colour, (4, 4, 1)), grey)
    np.testing.assert_array_equal(foreign.fitted(grey, (4, 4, 1)), grey)
    with pytest.raises(DataError, match="1 channels cannot be given 4"):
        foreign.fitted(grey, (4, 4, 4))


def test_kinds_of_noise():
    familiar = datasets.load("digits").test_images[:50]
    normal = foreign.foreign_images("normal_noise", familiar, "", 50, 0)
    assert abs(normal.mean() - familiar.mean() / 255) < 0.05 and normal.min() >= 0 and normal.max() <= 1
    shuffled = foreign.foreign_images("shuffled_pixels", familiar, "", 50, 0)
    np.testing.assert_array_equal(np.sort(shuffled.reshape(50, -1)), np.sort(familiar.reshape(50, -1)))
    assert (shuffled != familiar).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(foreign.foreign_images("inverted", familiar, "", 9, 0), 255 - familiar[:9])
    one, other = (foreign.foreign_images("uniform_noise", familiar, "", 50, seed) for seed in (0, 1))
    assert one.dtype == np.float32 and (one != other).mean() > 0.99
