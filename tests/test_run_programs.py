"""Exported programs, run by JAX: what is checked, what is said, and how a mistake ends."""

import json
import sys

import numpy as np
import pytest

from experiments import benchmark, run_programs
from experiments.speed import programs, xla_rows
from experiments.speed.stored import ARRAYS, LISTED

pytest.importorskip("jax", reason="JAX is there from Python 3.11 on")
from experiments.speed import on_jax


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    directory = tmp_path_factory.mktemp("programs")
    command = ["benchmark", "--archs=BNN-1", "--dataset=digits", "--export_works=train,step,naive_step"]
    with pytest.MonkeyPatch.context() as patch:  # XLA convolves slowly on CPUs
        patch.setattr(programs, "BATCH", 4)
        patch.setattr(programs, "LABELS", 16)
        assert benchmark.main([*command, f"--export_stablehlo={directory}"]) == 0
    return directory


@pytest.fixture
def copied(exported, tmp_path):
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def edit_list(directory, change):
    listed = json.loads((directory / LISTED).read_text())
    (directory / LISTED).write_text(json.dumps(change(listed)))


def test_programs_are_checked_against_tensorflow(exported, tmp_path, capsys):
    rows_file = tmp_path / "rows.json"
    assert run_programs.main(["run_programs", str(exported), "--check_only=true", f"--json={rows_file}"]) == 0
    rows = json.loads(rows_file.read_text())
    assert [row["work"] for row in rows] == ["train", "step", "naive_step"]
    assert 0 < rows[0]["error"] < 1e-5 and 0 < rows[1]["error"] < 1e-4
    assert rows[2]["error"] is None  # TensorFlow's own noise is another in every process
    assert "seconds" not in rows[0] and "BNN-1       step" in capsys.readouterr().out


def test_the_same_bits_twice_and_every_value_counts(copied, capsys):
    edit_list(copied, lambda listed: [one for one in listed if one["work"] == "step"])
    digests = []
    for _ in range(2):
        runtime = on_jax.Runtime(copied)
        digests.append(runtime.check(runtime.listed[0])["digest"])
    assert digests[0] == digests[1]
    with np.load(copied / ARRAYS) as file:
        arrays = dict(file)
    last = runtime.listed[0]["outputs"][-1]
    arrays[last] = arrays[last] + np.abs(arrays[last]).max() * np.float32(1e-3)
    np.savez(copied / ARRAYS, **arrays)
    assert run_programs.main(["run_programs", str(copied), "--check_only=true"]) == 1
    said = capsys.readouterr().err
    assert "outputs differ from TensorFlow's by more than --tolerance=0.0001: BNN-1-step" in said
    assert run_programs.main(["run_programs", str(copied), "--check_only=true", "--tolerance=0.01"]) == 0


def test_timing_passes_the_packages_count_and_renews_what_was_donated(copied):
    edit_list(copied, lambda listed: [{**listed[0], "time": 2}, listed[2]])
    runtime = on_jax.Runtime(copied)
    train = runtime.listed[0]
    runtime.check(train)
    before = [np.asarray(output) for output in runtime._run_anew()]
    row = runtime.time(train, 1)
    after = [np.asarray(output) for output in runtime._run_anew()]
    assert np.count_nonzero(before[0]) == train["check"] == 4 and np.count_nonzero(after[0]) == 2  # losses
    assert row["least"] <= row["seconds"] <= row["most"] and row["unit_s"] == row["seconds"] / 2
    np.testing.assert_array_equal(before[0][:2], after[0][:2])
    naive = runtime.listed[1]
    assert runtime.check(naive)["error"] is None and runtime.time(naive, 1)["unit_s"] > 0


def test_both_sides_begin_with_the_same_weights(exported):
    listed = {one["work"]: one for one in json.loads((exported / LISTED).read_text())}
    assert set(listed["step"]["inputs"][5:]) <= set(listed["naive_step"]["inputs"])  # behind images, labels, seeds


def test_equal_rows_are_stored_once():
    arrays = {}
    same, other = np.ones([16, 3], np.float32), np.arange(6.0).reshape(2, 3)
    names = programs._keep(arrays, [same, other, same, np.float32(2)])
    assert names[0].endswith("*16") and names[0] == names[2] and "*" not in names[1] + names[3]
    assert len(arrays) == 3 and arrays[names[0].removesuffix("*16")].shape == (3,)


def test_replicas_start_alike_and_are_read_back(tmp_path):
    command = ["benchmark", "--archs=CNN", "--dataset=digits", "--replicas=2", f"--export_stablehlo={tmp_path}"]
    assert benchmark.main(command) == 0
    runtime = on_jax.Runtime(tmp_path)
    assert [one["work"] for one in runtime.listed] == ["train"] and runtime.listed[0]["replicas"] == 2
    kernels = [runtime._array(name) for name in runtime.listed[0]["inputs"] if name.endswith("*2")]
    assert kernels and all(len(kernel) == 2 and (kernel[0] == kernel[1]).all() for kernel in kernels)


def test_differences():
    one = np.array([1.0, -2.0], np.float32)
    assert on_jax.difference(one, one) == 0
    assert on_jax.difference(one + np.float32(0.5), one) == 0.25
    assert on_jax.difference(np.array([np.nan, -2.0]), one) == on_jax.difference(one[:1], one) == np.inf


def test_ratios_and_floor_by_hand():
    common = {"precision": "float32", "replicas": 1, "compile_s": 1.0, "error": None, "floor_share": None}
    rows = [
        {"arch": "BNN", "work": "train", "seconds": 0.256, "unit_s": 0.001, **common},
        {"arch": "BNN", "work": "naive_step", "seconds": 0.003, "unit_s": 0.003, **common},
        {"arch": "CNN", "work": "score", "seconds": 1.0, "unit_s": 1.0, **common},
    ]
    assert list(xla_rows.ratios(rows)) == ["BNN, train: 3.0 times the naive way's speed"]
    listed = {"work": "train", "precision": "float32", "time": 256, "operations": 1e9, "bytes": 1e6}
    assert xla_rows.floor_share(rows[0], listed, {"float32": 1e13, "copy": 1e12}) == pytest.approx(0.1)
    assert xla_rows.floor_share(rows[0], listed, {"float32": 1e16, "copy": 1e10}) == pytest.approx(0.1)
    assert xla_rows.floor_share(rows[2], {"work": "naive_pass"}, {}) is None
    assert "256.000 ms" in xla_rows.line(rows[0]) and "1000.000 us" in xla_rows.line(rows[0])


def test_mistakes_are_one_line(copied, tmp_path, capsys, monkeypatch):
    def said(*arguments):
        assert run_programs.main(["run_programs", *arguments, "--check_only=true"]) == 1
        return capsys.readouterr().err

    assert f"--programs={tmp_path / 'none'} is not valid: it takes a directory that" in said(str(tmp_path / "none"))
    (copied / "BNN-1-train.mlirbc").write_bytes(b"garbage")
    assert "BNN-1-train.mlirbc is damaged (INVALID_ARGUMENT" in said(str(copied))
    (copied / "BNN-1-train.mlirbc").unlink()
    assert "BNN-1-train.mlirbc is missing; write the directory again" in said(str(copied))
    whole = (copied / ARRAYS).read_bytes()
    (copied / ARRAYS).write_bytes(whole[: len(whole) // 2])
    assert f"{ARRAYS} is damaged" in said(str(copied))
    monkeypatch.setitem(sys.modules, "jax", None)
    assert "programs run with JAX, which is not installed" in said(str(copied))
