"""The benchmark's rows and the arithmetic behind its floor; never its times."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from bayes_layers import PosteriorPredictive, build_network
from bayes_layers.config import NetworkSettings
from bayes_layers.models.network import operations
from experiments import benchmark
from experiments.entry import start_tensorflow
from experiments.errors import UserError
from experiments.speed import floor, programs, works
from experiments.speed.baseline import NaiveProcess
from tests.conftest import ROOT

COLUMNS = {"work", "arch", "acquisition", "naive_s", "ours_s", "ratio", "floor_share", "agreement"}


def test_a_small_benchmark(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(works, "EPOCHS", 1)
    monkeypatch.setattr(works, "SAMPLES", 20)
    file, picture = tmp_path / "rows.json", tmp_path / "rows.png"
    arguments = ["--archs=BNN-1", "--dataset=digits", "--repeats=1", "--images=1000"]
    assert benchmark.main(["benchmark", *arguments, f"--json={file}", f"--figure={picture}"]) == 0
    rows = json.loads(file.read_text())
    assert [row["work"] for row in rows] == ["train_step", "score_pool", "predict_test"] + 5 * ["picks_agreement"]
    assert all(set(row) == COLUMNS and row["arch"] == "BNN-1" for row in rows)
    for row in rows[:3]:
        assert row["ratio"] == row["naive_s"] / row["ours_s"] > 0 and row["floor_share"] > 0
        assert row["agreement"] is None
    for row in rows[3:]:
        assert row["agreement"] == 1 and row["naive_s"] is row["ours_s"] is row["ratio"] is None
    said = capsys.readouterr().out
    assert "float32 matrix product" in said and "GB/s" in said and "images per second and sample" in said
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_operations_by_hand():
    # 25x25 and 22x22 positions after the convolutions; an operation is a multiplication or an addition.
    conv1, conv2, dense1, dense2 = 2 * 625 * 512, 2 * 484 * 16384, 2 * 495616, 2 * 1280
    network = build_network(NetworkSettings(arch="BNN-2"))
    assert [count for count in operations(network) if count] == [conv1, conv2, dense1, dense2]
    assert network.sampled_operations == dense1 + dense2
    assert floor.prediction_operations(network, 700, 7) == 7 * (conv1 + conv2) + 700 * (dense1 + dense2)
    network = build_network(NetworkSettings(arch="BNN-1"))
    assert floor.training_operations(network, 64) == 64 * (3 * (conv1 + conv2 + dense1) + 6 * dense2)
    assert floor.floor_seconds({"float32": 10.0, "copy": 5.0}, "float32", 100, 20) == 10
    assert floor.floor_seconds({"float32": 10.0, "copy": 5.0}, "float32", 10, 20) == 4


def test_a_pool_of_any_size():
    images = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28, 1)
    more = works.enlarged(images, 10)
    np.testing.assert_array_equal(more[:3], images)
    assert more.shape == (10, 28, 28, 1) and works.enlarged(images, 2).shape == (2, 28, 28, 1)
    np.testing.assert_array_equal(np.sort(more[3], axis=None), np.sort(images[0], axis=None))


def test_bad_names_are_named(capsys):
    assert benchmark.main(["benchmark", "--archs=BNN-9"]) == 2
    assert "--archs=BNN-9 is not valid: it takes all, or names of BNN," in capsys.readouterr().err
    assert benchmark.main(["benchmark", "--works=all,fast"]) == 2
    assert benchmark.main(["benchmark", "--images=10"]) == 2


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_exported_programs_have_their_inputs_in_order(name):
    """The whole training chunk, a step and a scoring pass are one XLA computation each."""
    function, arguments, work = programs.PROGRAMS[name]("BNN-1")
    program, inputs = programs.stablehlo(function, arguments)
    assert program[:4] == b"ML\xefR" and work["work"] == name  # MLIR bytecode
    text = function.experimental_get_compiler_ir(*arguments)(stage="stablehlo")
    main = text[text.index("@main(") :]
    types = [part.split(" ")[0] for part in main[: main.index(") -> ")].split(": tensor<")[1:]]
    kinds = {"float32": "f32", "int32": "i32", "int64": "i64"}
    expected = ["x".join([*map(str, array.shape), kinds[array.dtype.name]]) + ">" for array in inputs.values()]
    assert types == expected
    assert ("stablehlo.while" in text) == (name != "step")  # the loop is inside the program


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_float32_products_ask_a_gpu_for_all_their_bits(name):
    """XLA's DEFAULT is TF32 on NVIDIA GPUs, HIGHEST is float32; with TensorFlow's own default the test fails."""
    import tensorflow as tf

    def precisions():
        function, arguments, _ = programs.PROGRAMS[name]("BNN-1")
        text = function.experimental_get_compiler_ir(*arguments)(stage="stablehlo")
        products = [line for line in text.splitlines() if "stablehlo.convolution" in line or "stablehlo.dot" in line]
        return [set(re.findall("DEFAULT|HIGHEST", line)) for line in products]

    tf.config.experimental.enable_tensor_float_32_execution(True)
    default = precisions()
    start_tensorflow()
    found = precisions()
    assert len(found) == len(default) >= 4  # two convolutions and two dense layers, some of them twice
    assert all(found_here == {"HIGHEST"} for found_here in found)
    assert not any(here == {"HIGHEST"} for here in default)


def test_export_writes_programs_with_a_list(tmp_path, capsys):
    command = ["benchmark", "--archs=BNN-1", "--dataset=digits", f"--export_stablehlo={tmp_path / 'programs'}"]
    assert benchmark.main(command) == 0
    listed = json.loads((tmp_path / "programs" / "programs.json").read_text())
    assert [entry["work"] for entry in listed] == ["train", "step", "score"]
    for entry in listed:
        assert (tmp_path / "programs" / entry["program"]).stat().st_size > 1000
        with np.load(tmp_path / "programs" / entry["inputs"]) as inputs:
            assert "arg0" in inputs.files
    assert "BNN-1-score" in capsys.readouterr().out


def test_the_exported_scoring_pass_is_the_packages():
    function, (images, key), work = programs.score_program("BNN-1")
    predictive = PosteriorPredictive(programs._network("BNN-1", "flipout"), work["samples"])
    expected = predictive.moments(images.numpy(), int(key), ("mean", "expected_entropy"))
    found = function(images, key)
    np.testing.assert_allclose(found["sum"] / work["samples"], expected["mean"], atol=1e-6)
    np.testing.assert_allclose(found["entropy"] / work["samples"], expected["expected_entropy"], atol=1e-6)


def test_the_command_line_answers_without_tensorflow():
    code = "import sys; from experiments import benchmark; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_naive_process_that_dies_is_named():
    with pytest.raises(UserError, match="the naive baseline stopped"), NaiveProcess() as naive:
        naive._process.kill()
        naive._process.wait()
        naive.seconds("pass", "CNN", 1000)
