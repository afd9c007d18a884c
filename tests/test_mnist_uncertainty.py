"""What a network is unsure of: measures by hand, and the entry point on the digits."""

import csv

import numpy as np
import pytest

from experiments import datasets, mnist_uncertainty
from experiments.mnist_errors import training
from experiments.mnist_errors.measures import accuracy_if_refused, measures
from experiments.records import arrays as records

TINY = {"dataset": "digits", "epochs": 2, "num_samples": 4, "batch_size": 200, "learning_rate": 0.005}


def test_measures_by_hand():
    samples = np.array([[[0.6, 0.4], [0.9, 0.1]], [[0.2, 0.8], [0.7, 0.3]], [[0.55, 0.45], [0.8, 0.2]]])  # [3, 2, 2]
    found = measures(samples)
    np.testing.assert_array_equal(found["predicted"], [1, 0])  # the mean says 1 where two of three votes say 0
    np.testing.assert_allclose(found["expected_error"], [1 / 3, 0.0])
    np.testing.assert_allclose(found["confidence"], [0.55, 0.8])
    np.testing.assert_allclose(found["variance"], 2 * np.var([[0.6, 0.2, 0.55], [0.9, 0.7, 0.8]], axis=1))


def test_accuracy_of_what_is_not_refused():
    share, accuracy = accuracy_if_refused([0.1, 0.9, 0.5, 0.5], [True, False, False, True])
    np.testing.assert_allclose(share, [0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(accuracy, [0.5, 2 / 3, 1.0, 1.0])


def test_the_split_of_mnist():
    learned, validation = training.split(60000, 0)
    assert len(learned) == 50000 and len(validation) == 10000 and not set(learned) & set(validation)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    output_dir = tmp_path_factory.mktemp("mnist")
    flags = [f"--{name}={value}" for name, value in TINY.items()]
    assert mnist_uncertainty.main(["mnist_uncertainty", f"--output_dir={output_dir}", *flags]) == 0
    return mnist_uncertainty.UncertaintyConfig(**TINY, output_dir=str(output_dir)).directory("digits")


def test_files_and_numbers(record, capsys):
    names = {path.name for path in record.iterdir()}
    assert {"figure4.png", "figure5.png", "figure6.png", "refused.png", "refused.csv", "summary.csv"} <= names
    head, arrays = records.read(record / training.PREDICTIONS)
    (summary,) = csv.DictReader((record / "summary.csv").read_text().splitlines())
    assert float(summary["error"]) == head["error"] == np.mean(arrays["predicted"] != arrays["label"])
    assert head["images"] == 1297 // 6 and np.all(arrays["expected_error"] >= 0)
    rows = list(csv.DictReader((record / "refused.csv").read_text().splitlines()))
    assert float(rows[0]["accuracy"]) == pytest.approx(1 - head["error"])


def test_an_interrupted_training_ends_in_the_same_bits(record, tmp_path):
    dataset = datasets.load("digits")
    for epochs in (1, 2):
        config = mnist_uncertainty.UncertaintyConfig(**{**TINY, "epochs": epochs})
        training.train(config, dataset, tmp_path, lambda line: None)
    _, whole = records.read(record / training.CHECKPOINT)
    _, parts = records.read(tmp_path / training.CHECKPOINT)
    assert whole.keys() == parts.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(array, parts[name])


def test_mistakes_are_one_line(tmp_path, capsys):
    for flag in ("--epochs=0", "--prior=gauss", "--num_samples=1", "--output_dir=", "--dataset=cats"):
        assert mnist_uncertainty.main(["mnist_uncertainty", flag]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert mnist_uncertainty.main(["mnist_uncertainty", "--prior=flat", "--hyperprior=half_normal"]) == 2
    assert "--hyperprior=half_normal is not valid" in capsys.readouterr().err
    assert mnist_uncertainty.main(["mnist_uncertainty", "--dataset=digits", "--output_dir=/proc/no"]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
