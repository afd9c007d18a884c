"""Reports of both studies from records written by hand, by the real `main`, without TensorFlow."""

import subprocess
import sys

import numpy as np
import pytest

from experiments import init_study, layer_position
from experiments.init_study import InitStudyConfig
from experiments.studies import grid
from experiments.studies.config import StudyConfig
from tests.conftest import ROOT
from tests.studies.written import (
    SCORE_SECONDS,
    TEST_SECONDS,
    TRAIN_SECONDS,
    curve,
    layer_path,
    level,
    rows,
    write,
    written,
)

# Imports nothing but what a report needs; `python -c` this with the module's name and its flags.
WITHOUT_TENSORFLOW = """
import importlib.abc, runpy, sys
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {
            "tensorflow", "tensorflow_probability", "tf_keras", "tensorflow_datasets", "tensorboard", "keras", "psutil",
            "tqdm", "sklearn", "ray", "importlib_resources",
        }:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Block())
sys.argv = sys.argv[1:]
runpy.run_module("experiments." + sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def position(tmp_path_factory):
    """Table 2's study at the paper's protocol with ten seeds, and its report."""
    directory = tmp_path_factory.mktemp("position")
    study = written(directory, seeds=10)
    assert layer_position.main(["x", f"--output_dir={directory}", "--seeds=10", "--report_only"]) == 0
    return study, directory / "layer_position" / "mnist"


def test_layer_position_without_tensorflow(position):
    directory = position[1]
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TENSORFLOW, "layer_position", "--report_only", "--seeds=10",
               f"--output_dir={directory.parents[1]}"]  # fmt: skip
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stderr == ""
    assert ended.stdout.startswith("270 of 270 runs are complete; report: ")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    tables = {"table2.csv", "table2.md", "table2.tex", "cost.csv", "runs.csv"}
    assert set(before) == {*tables, "figure2.png", "claims.md", "claims.csv"}
    for name in {*tables, "claims.md", "claims.csv"}:
        assert before[name].endswith(b"\n") and not before[name].endswith(b"\n\n"), name


def test_table2(position):
    study, directory = position
    table = {(row["arch"], row["acquisition"]): row for row in rows(directory / "table2.csv")}
    assert len(table) == 27
    errors = [100 * level(study.run_config(arch="BNN-1", seed=seed)) for seed in range(10)]
    row = table["BNN-1", "var_ratios"]
    assert float(row["error"]) == pytest.approx(np.mean(errors)) and row["n"] == "10"
    assert float(row["error_deviation"]) == pytest.approx(np.std(errors, ddof=1))
    assert row["paper_error"] == "2.4" and table["CNN", "max_entropy"]["paper_error"] == "10.03"
    assert table["MC-Dropout", "random"]["paper_error"] == ""  # quoted there from another paper's protocol
    expected = curve(study.run_config(), level(study.run_config(arch="BNN-1", seed=0)))
    labels = 20 + 10 * np.arange(99)
    first = labels[next(i for i, error in enumerate(expected) if error <= 0.05)]
    assert abs(float(row["labels_5_first"]) - first) <= 10 and row["labels_5_first"] == row["labels_5_stays"]
    text = (directory / "table2.md").read_text()
    assert "| var_ratios |" in text and "| paper | 3.56 | 2.40 | 3.00 | 3.34 | 2.70 | 2.84 | 3.32 | 6.48 |  |" in text
    assert "labels, 200 epochs)" in text.split("MC-Dropout |")[1]  # MC-Dropout shows what it stands for


def test_claims_of_table2(position):
    directory = position[1]
    verdicts = {row["claim"]: row for row in rows(directory / "claims.csv")}
    assert {name: row["verdict"] for name, row in verdicts.items()} == {
        "near the output": "supported",
        "one or two layers": "supported",
        "order": "undecided",  # BNN-2 and BNN-3 are the same here
        "near the input": "not supported",
    }
    assert float(verdicts["one or two layers"]["p"]) == 2 / 2**10
    assert float(verdicts["one or two layers"]["claim_p_holm"]) == pytest.approx(4 * 2 / 2**10)
    text = (directory / "claims.md").read_text()
    assert "270 of 270 runs are complete. mnist, 1000 labels" in text and "The paper contradicts itself" in text


def test_costs(position):
    random, entropy, ratios = [row for row in rows(position[1] / "cost.csv") if row["arch"] == "CNN"]
    kinds = {(row["runs"], row["device"], row["threads"], row["precision"]) for row in (random, entropy, ratios)}
    assert kinds == {("10", "a processor", "2", "float32")}
    assert float(ratios["seconds_per_run"]) == 99 * TRAIN_SECONDS + 99 * TEST_SECONDS + 98 * SCORE_SECONDS
    for name, seconds in (("train", TRAIN_SECONDS), ("score", SCORE_SECONDS), ("test", TEST_SECONDS)):
        per_cycle = {"train": "cycle", "score": "scored_cycle", "test": "tested_cycle"}[name]
        assert float(ratios[f"{name}_seconds_per_{per_cycle}"]) == seconds
    assert random["acquisition"] == "random" and random["score_seconds_per_scored_cycle"] == ""


def test_another_protocol_stands_beside_no_number(tmp_path):
    written(tmp_path, seeds=2, archs="BNN,CNN", epochs=100, max_labels=300)
    arguments = ["--seeds=2", "--archs=BNN,CNN", "--epochs=100", "--max_labels=300", "--report_only"]
    assert layer_position.main(["x", f"--output_dir={tmp_path}", *arguments]) == 0
    text = (tmp_path / "layer_position" / "mnist" / "table2.md").read_text()
    assert "| paper |" not in text and "(n = 2, 300 labels, 100 epochs)" in text


def test_longer_runs_are_read_up_to_the_studys_labels(tmp_path):
    config = StudyConfig(output_dir=str(tmp_path)).run_config(arch="CNN", acquisition="random")
    write(config, "mnist", curve(config, 0.05))
    assert layer_position.main(["x", f"--output_dir={tmp_path}", "--arch=CNN", "--acquisition=random", "--seeds=1",
                                "--max_labels=300", "--report_only"]) == 0  # fmt: skip
    (row,) = rows(tmp_path / "layer_position" / "mnist" / "table2.csv")
    assert float(row["error"]) == pytest.approx(100 * curve(config, 0.05)[28]) and row["labels"] == "300"
    assert row["paper_error"] == ""


@pytest.mark.parametrize("main, name", [(init_study.main, "init_study"), (layer_position.main, "layer_position")])
@pytest.mark.parametrize("inference", ["frequentist", "dropout"])
def test_networks_that_the_claims_do_not_know(main, name, inference, tmp_path):
    settings = {"archs": "lenet5,alexnet", "inference": inference, "acquisitions": "random", "seeds": 2}
    settings |= {"max_labels": 60, "mus": "-5,-3"}
    config_class = InitStudyConfig if name == "init_study" else StudyConfig
    study = config_class(dataset="mnist", output_dir=str(tmp_path)).replace(**settings)
    for config in grid.runs(study):
        write(config, "mnist", curve(config, 0.05))
    assert len(grid.runs(study)) == 4
    flags = [f"--{key}={value}" for key, value in settings.items()]
    assert main(["x", f"--output_dir={tmp_path}", "--report_only", *flags]) == 0
    claims = rows(tmp_path / name / "mnist" / "claims.csv")
    assert claims and {row["verdict"] for row in claims} == {"undecided"} and {row["pairs"] for row in claims} == {"0"}
    if name == "init_study":
        table = rows(tmp_path / name / "mnist" / "table3.csv")
        assert {row["mu_init"] for row in table} == {"-3.0"} and len(table) == 4  # no posterior, nothing to choose


def test_runs_of_two_arithmetics_are_said_to_be(tmp_path):
    settings = {"seeds": 2, "archs": "BNN-1,CNN", "acquisitions": "var_ratios"}
    study = written(tmp_path, InitStudyConfig, **settings)
    for config in grid.runs(study):
        file, text = layer_path(config) / "config.json", (layer_path(config) / "config.json").read_text()
        if config.mu_init > -6:
            file.write_text(text.replace('"precision": "float32"', '"precision": "bfloat16"'))
        if config.mu_init == -11:
            file.write_text(text.replace('"jit_compile": "false"', '"jit_compile": "true"'))
    flags = [f"--{name}={value}" for name, value in settings.items()]
    words = "The runs differ in their arithmetic: bfloat16 at mu_init = -3, -5 and in CNN; float32 at mu_init = -9; "
    words += "float32 with XLA at mu_init = -11 ("
    assert init_study.main(["x", f"--output_dir={tmp_path}", "--report_only", *flags]) == 0
    for name in ("claims.md", "table3.md", "table3.tex"):
        assert words in (tmp_path / "init_study" / "mnist" / name).read_text()
    words = "The runs differ in their arithmetic: bfloat16 in CNN; float32 at mu_init = -9 ("
    assert layer_position.main(["x", f"--output_dir={tmp_path}", "--report_only", *flags, "--mus=-9"]) == 0
    for name in ("claims.md", "table2.md", "table2.tex"):
        assert words in (tmp_path / "layer_position" / "mnist" / name).read_text()


def test_runs_of_two_devices_are_said_to_be(tmp_path):
    study = written(tmp_path, seeds=3, archs="CNN", acquisitions="random", max_labels=40)
    file = layer_path(grid.runs(study)[0]) / "config.json"
    flags = ["--seeds=3", "--archs=CNN", "--acquisitions=random", "--max_labels=40", "--report_only"]
    words = "The runs were made on several devices: 2 on a processor, 1 on another. "
    for device, is_said in (("a processor", False), ("another", True)):
        file.write_text(file.read_text().replace('"device": "a processor"', f'"device": "{device}"'))
        assert layer_position.main(["x", f"--output_dir={tmp_path}", *flags]) == 0
        directory = tmp_path / "layer_position" / "mnist"
        for name in ("claims.md", "table2.md", "table2.tex"):
            assert (words in (directory / name).read_text()) == is_said
        assert [row["device"] for row in rows(directory / "runs.csv")] == [device, "a processor", "a processor"]


def test_how_finely_a_run_was_tested_is_said(tmp_path):
    settings = {"archs": "BNN,BNN-1,BNN-2,CNN", "acquisitions": "random", "seeds": 2, "max_labels": 70}
    study = StudyConfig(dataset="mnist", output_dir=str(tmp_path)).replace(**settings)
    errors = [0.6, 0.5, 0.4, 0.3, 0.2, 0.08]
    every = {"BNN": (1, 1), "BNN-1": (2, 1), "BNN-2": (4, 4), "CNN": (5, 6)}
    for config in grid.runs(study):
        step = every[config.arch][config.seed]
        kept = [e if i == 5 or (i % step == 0 and step < 6) else None for i, e in enumerate(errors)]
        write(config, "mnist", kept)
    flags = [f"--{name}={value}" for name, value in settings.items()]
    assert layer_position.main(["x", f"--output_dir={tmp_path}", "--report_only", *flags]) == 0
    directory = tmp_path / "layer_position" / "mnist"
    table = {row["arch"]: row for row in rows(directory / "table2.csv")}
    steps = {"BNN": "10", "BNN-1": "10 20", "BNN-2": "10 40", "CNN": "50"}
    assert {name: row["tested_every"] for name, row in table.items()} == steps
    of_once = 100 * (0.6 + 0.08) / 2  # the one run of CNN that was tested twice; the other has no curve
    assert float(table["CNN"]["mean_error_along_curve"]) == pytest.approx(of_once)
    lines = (directory / "table2.md").read_text().splitlines()
    assert any(line.startswith("| BNN-1 | random | -3 | 2 | 10, 20 | 70 |") for line in lines)


def test_pictures_of_slices_that_are_no_longer_asked_for_go(tmp_path):
    settings = {"seeds": 1, "archs": "BNN-1", "acquisitions": "random", "mus": "-3,-5"}
    written(tmp_path, **settings)
    directory = tmp_path / "layer_position" / "mnist"
    directory.mkdir(parents=True)
    (directory / "figure_of_mine.png").write_text("not ours")
    for mus, pictures in (("-3,-5", 3), ("-3", 2)):
        flags = [f"--{name}={value}" for name, value in {**settings, "mus": mus}.items()]
        assert layer_position.main(["x", f"--output_dir={tmp_path}", "--report_only", *flags]) == 0
        assert len(list(directory.glob("*.png"))) == pictures


@pytest.mark.parametrize(
    "main, name, archs",
    [(init_study.main, "init_study", "BNN-1"), (layer_position.main, "layer_position", "BNN-1,CNN")],
)
def test_title_and_legend_stand_apart_in_a_narrow_figure(main, name, archs, tmp_path, monkeypatch):
    from matplotlib import pyplot as plt

    config_class = InitStudyConfig if name == "init_study" else StudyConfig
    settings = {"seeds": 1, "archs": archs, "acquisitions": "var_ratios"}
    written(tmp_path, config_class, **settings)
    drawn = []
    monkeypatch.setattr(plt, "close", drawn.append)
    flags = [f"--{key}={value}" for key, value in settings.items()]
    assert main(["x", f"--output_dir={tmp_path}", "--report_only", *flags]) == 0
    monkeypatch.undo()
    for figure in drawn:
        figure.draw_without_rendering()  # it was saved with another resolution
        title, legend = figure._suptitle.get_window_extent(), figure.legends[0].get_window_extent()
        assert title.x0 >= 0 and title.x1 < legend.x0
        plt.close(figure)
    assert len(drawn) == 1


def test_init_study(tmp_path):
    settings = {"seeds": 8, "archs": "BNN,BNN-1,BNN1,CNN", "acquisitions": "max_entropy,var_ratios"}
    written(tmp_path, InitStudyConfig, **settings)
    flags = [f"--{name}={value}" for name, value in settings.items()]
    assert init_study.main(["x", f"--output_dir={tmp_path}", "--report_only", *flags]) == 0
    directory = tmp_path / "init_study" / "mnist"
    assert {path.name for path in directory.iterdir()} == {
        "table3.csv", "table3.md", "table3.tex", "figure3.png", "claims.md", "claims.csv", "cost.csv", "runs.csv"
    }  # fmt: skip
    tuned = [row for row in rows(directory / "table3.csv") if row["kind"] == "tuned"]
    assert {row["mu_init"] for row in tuned} == {"-3.0"} and len(tuned) == 8
    assert {row["chosen_on_other_seeds"] for row in tuned} == {" ".join(f"{seed}:-3" for seed in range(8))}
    verdicts = {row["claim"]: row["verdict"] for row in rows(directory / "claims.csv")}
    assert verdicts == {
        "larger variance, max_entropy": "supported",
        "larger variance, var_ratios": "supported",
        "BNN unaffected": "not supported",
        "output before input": "supported",
        "tuning": "undecided",  # the default is the best, so the chosen one is no better
    }
    assert "| paper | 2.74 | 2.38 | 2.70 | 6.29 |" in (directory / "table3.md").read_text()


def test_slices_have_their_own_tables(tmp_path):
    settings = {
        "seeds": 2,
        "archs": "BNN-1,CNN",
        "acquisitions": "random",
        "kl_scales": "labels,dataset",
        "mus": "-3,-5",
    }
    written(tmp_path, **settings)
    flags = [f"--{name}={value}" for name, value in settings.items()]
    assert layer_position.main(["x", f"--output_dir={tmp_path}", "--report_only", *flags]) == 0
    directory = tmp_path / "layer_position" / "mnist"
    assert {path.name for path in directory.glob("*.png")} == {
        "figure2.png",
        "figure2,mu-5,kl_scale=labels,loc_init=tfp.png",
        "figure2,mu-3,kl_scale=dataset,loc_init=tfp.png",
        "figure2,mu-5,kl_scale=dataset,loc_init=tfp.png",
    }
    titles = [line for line in (directory / "table2.md").read_text().splitlines() if line.startswith("## ")]
    assert len(titles) == 4 and titles[1] == "## mu_init = -5, kl_scale = labels, loc_init = tfp"
    slices = [(row["slice_mu_init"], row["slice_kl_scale"], row["arch"]) for row in rows(directory / "table2.csv")]
    assert len(slices) == len(set(slices)) == 8
    assert len(rows(directory / "runs.csv")) == 2 * (4 + 1)
