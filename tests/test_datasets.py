"""The embedded digits, MNIST through TFDS, and what happens without a network."""

import dataclasses
import sys
import time
import types

import numpy as np
import pytest
import tensorflow_datasets as tfds

from experiments import datasets
from experiments.errors import DataError


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(datasets, "DOWNLOAD_HOST", "192.0.2.1")  # reserved for documentation: never answers
    monkeypatch.setattr(datasets, "CONNECT_SECONDS", 0.2)


def test_digits():
    digits = datasets.load("digits")
    assert digits.train_images.shape == (1297, 28, 28, 1) and digits.train_images.dtype == np.uint8
    assert digits.test_images.shape == (500, 28, 28, 1) and digits.num_classes == 10
    assert datasets.SIZES["digits"] == (1297, 500, 10)
    assert datasets.RAREST_CLASS["digits"] == np.bincount(digits.train_labels).min()
    assert digits.train_images.max() == 255
    together = np.concatenate([digits.train_images, digits.test_images]).reshape(1797, -1)
    assert len(np.unique(together, axis=0)) == 1797  # no image is in both parts
    assert digits.train_labels[:12].tolist() == [3, 6, 7, 9, 4, 5, 5, 5, 0, 2, 5, 4]  # the same split for ever


def test_without_data_and_network_auto_takes_the_digits_with_a_loud_warning(offline, capsys):
    began = time.monotonic()
    assert datasets.resolve("auto") == "digits"
    assert time.monotonic() - began < 5
    warning = capsys.readouterr().err
    assert "WARNING" in warning and "DIGITS" in warning and "not comparable" in warning


def test_a_download_that_fails_makes_auto_take_the_digits(tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise DataError("the server answers with nonsense")

    monkeypatch.setattr(datasets, "_can_connect", lambda: True)
    monkeypatch.setattr(datasets, "_load_tfds", fail)
    assert datasets.resolve("auto", str(tmp_path)) == "digits"
    assert "nonsense" in capsys.readouterr().err
    assert datasets.resolve("auto", str(tmp_path), download=False) == "mnist"


def test_without_data_and_network_mnist_is_one_clear_error(offline, tmp_path):
    with pytest.raises(DataError, match=r"no network.*--data_dir.*--dataset=digits"):
        datasets.load("mnist", str(tmp_path))
    with pytest.raises(DataError, match=r"--data_dir=.*is not a directory"):
        datasets.resolve("auto", str(tmp_path / "none"))


def test_tfds_that_cannot_be_imported_is_one_clear_error(tmp_path, monkeypatch):
    """It logs the error and leaves an empty module: with a protobuf older than that of tensorflow-metadata, say."""
    directory, words = prepared(tmp_path), "MNIST needs tensorflow-datasets, which cannot be imported "
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tensorflow_datasets", types.ModuleType("tensorflow_datasets"))
        with pytest.raises(DataError, match=words + r"\(it is without content\); mend the installation"):
            datasets.load("mnist", directory)
        patch.delitem(sys.modules, "tensorflow_datasets.public_api")
        with pytest.raises(DataError, match=words + r"\(No module named 'tensorflow_datasets.public_api'"):
            datasets.load("mnist", directory)
        patch.setitem(sys.modules, "tensorflow_datasets", None)
        with pytest.raises(DataError, match=words + r"\(import of tensorflow_datasets halted"):
            datasets.load("mnist", directory)


def prepared(directory, damage=False):
    folder = directory / "mnist" / "3.0.1"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{" if damage else "{}")
    return str(directory)


def test_prepared_data_is_found_without_a_network(offline, tmp_path, monkeypatch):
    assert datasets.resolve("auto", prepared(tmp_path)) == "mnist"
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert datasets.resolve("auto") == "mnist" and datasets.tfds_dir() == tmp_path


def test_damaged_data_are_one_clear_error(offline, tmp_path):
    with pytest.raises(DataError, match=r"cannot be read .*; delete that copy"):
        datasets.load("mnist", prepared(tmp_path, damage=True))


def test_mnist_through_tfds(tmp_path):
    with tfds.testing.mock_data(num_examples=30):
        mnist = datasets.load("mnist", str(tmp_path))
    assert mnist.name == "mnist" and mnist.train_images.shape == (30, 28, 28, 1)
    assert mnist.train_images.dtype == np.uint8 and mnist.train_labels.dtype == np.int64
    assert mnist.test_labels.shape == (30,)


def test_the_fingerprint_knows_every_image():
    digits = datasets.load("digits")
    assert digits.fingerprint == datasets.load("digits").fingerprint
    changed = digits.train_images.copy()
    changed[7, 3, 3] ^= 1
    assert dataclasses.replace(digits, train_images=changed).fingerprint != digits.fingerprint


def test_a_data_set_that_another_process_has_just_prepared_is_read(monkeypatch, tmp_path):
    class Builder:
        name = "mnist"

        def download_and_prepare(self):
            raise FileExistsError("Cannot rename: it already exists")

    class Tfds:
        @staticmethod
        def builder(name, data_dir):
            return f"{name} in {data_dir}"

    monkeypatch.setattr(datasets, "_read_tfds", lambda tfds, builder: builder)
    assert datasets._prepare_and_read(Tfds, Builder(), tmp_path) == f"mnist in {tmp_path}"

    def nothing(tfds, builder):
        raise AssertionError("nothing is prepared there")

    monkeypatch.setattr(datasets, "_read_tfds", nothing)
    with pytest.raises(FileExistsError):
        datasets._prepare_and_read(Tfds, Builder(), tmp_path)
