"""The benchmark's rows and the arithmetic behind its floor; never its times."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from bayes_layers import ElboTrainer, PosteriorPredictive, build_network
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


@pytest.mark.parametrize("has_instructions", [False, True])
def test_the_rate_of_the_precision_that_is_asked_for_is_measured(has_instructions, monkeypatch):
    monkeypatch.setattr("bayes_layers.processor.multiplies_bfloat16", lambda: has_instructions)
    for precision, both in (("auto", has_instructions), ("float32", has_instructions), ("bfloat16", True)):
        rates = floor.machine_rates(precision, size=64, repeats=1)
        assert set(rates) == {"float32", "copy"} | ({"bfloat16"} if both else set()) and min(rates.values()) > 0


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
    """The training loop, a step and a scoring pass are one XLA computation each."""
    made = programs.PROGRAMS[name](programs.Example("BNN-1"))
    program = programs.stablehlo(made["function"], made["arguments"], "stablehlo_serialized")
    assert program[:4] == b"ML\xefR"  # MLIR bytecode
    text = programs.stablehlo(made["function"], made["arguments"])
    main = text[text.index("@main(") :]
    types = [part.split(" ")[0] for part in main[: main.index(") -> ")].split(": tensor<")[1:]]
    kinds = {"float32": "f32", "int32": "i32", "int64": "i64"}
    inputs = programs.inputs_of(made["function"], made["arguments"])
    assert types == ["x".join([*map(str, array.shape), kinds[array.dtype.name]]) + ">" for array in inputs]
    if name in ("train", "step", "score"):
        assert ("stablehlo.while" in text) == (name != "step")  # the loop is inside the program
        assert "stablehlo.rng " not in text  # all noise follows from seeds that are inputs


@pytest.mark.parametrize("name", ["train", "step", "score"])
def test_float32_products_ask_a_gpu_for_all_their_bits(name):
    """XLA's DEFAULT is TF32 on NVIDIA GPUs, HIGHEST is float32; with TensorFlow's own default the test fails."""
    import tensorflow as tf

    def precisions():
        made = programs.PROGRAMS[name](programs.Example("BNN-1"))
        text = programs.stablehlo(made["function"], made["arguments"])
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
    directory = tmp_path / "programs"
    command = ["benchmark", "--archs=BNN-1", "--dataset=digits", "--precision=bfloat16", "--export_works=step,score"]
    assert benchmark.main([*command, f"--export_stablehlo={directory}"]) == 0
    listed = json.loads((directory / "programs.json").read_text())
    assert [(entry["work"], entry["precision"]) for entry in listed] == [("step", "bfloat16"), ("score", "bfloat16")]
    with np.load(directory / "arrays.npz") as arrays:
        for entry in listed:
            assert (directory / entry["program"]).stat().st_size > 1000
            assert all(name.partition("*")[0] in arrays for name in entry["inputs"] + entry["outputs"])
    assert "BNN-1-score" in capsys.readouterr().out
    assert benchmark.main([*command[:3], "--export_works=fast", f"--export_stablehlo={directory}"]) == 2
    assert benchmark.main([*command, "--replicas=2", f"--export_stablehlo={directory}"]) == 2
    said = capsys.readouterr().err
    assert "--export_works=step,score is not valid: it takes all, or names of train" in said
    assert "--export_works=fast is not valid: it takes all, or names of train, step, score," in said


def test_the_exported_scoring_pass_is_the_packages():
    example = programs.Example("BNN-1")
    for side, size in (("function", 1024), ("reference", 0)):
        made = programs.score_program(example, size)
        images, key, count = made["arguments"]
        predictive = PosteriorPredictive(example.network(), int(count))
        expected = predictive.moments(images.numpy(), int(key), ("mean", "expected_entropy"))
        found = made[side](images, key, count)
        np.testing.assert_allclose(found["sum"] / int(count), expected["mean"], atol=1e-6)
        np.testing.assert_allclose(found["entropy"] / int(count), expected["expected_entropy"], atol=1e-6)


def test_the_exported_loop_trains_as_the_trainer_does():
    example = programs.Example("BNN-1")
    made = programs.train_program(example)
    images, labels, _, _, _, count = made["arguments"]
    nll, kl = (np.asarray(part) for part in made["reference"](*made["arguments"])[1:])
    assert int(count) == programs.LABELS // programs.BATCH  # one epoch
    curve = ElboTrainer(example.network()).fit(
        images.numpy(), labels.numpy(), epochs=1, kl_weight=1 / programs.LABELS, seed=0
    )
    np.testing.assert_allclose(np.mean(nll[: int(count)]), curve["nll"][0], rtol=1e-6)
    np.testing.assert_allclose(np.mean(kl[: int(count)]), curve["kl"][0], rtol=1e-6)


def test_the_command_line_answers_without_tensorflow():
    code = "import sys; from experiments import benchmark; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_naive_process_that_dies_is_named():
    with pytest.raises(UserError, match="the naive baseline stopped"), NaiveProcess() as naive:
        naive._process.kill()
        naive._process.wait()
        naive.seconds("pass", "CNN", 1000)
