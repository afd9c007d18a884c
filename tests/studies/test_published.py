"""The paper's numbers, and which runs may stand beside them."""

import types

import pytest

from experiments import init_study
from experiments.init_study import InitStudyConfig
from experiments.records.record import read_config
from experiments.studies import grid, published
from experiments.studies.config import StudyConfig
from experiments.studies.grid import Cell
from experiments.studies.summaries import paper_number
from tests.studies.written import curve, rows, write

# Zeng, Lesnikowski & Alvarez 2018, copied from the paper: test error in %.
TABLE2 = """
MC-Dropout BNN  BNN-1 BNN-2 BNN-3 BNN1 BNN2 BNN3 CNN
4.66 6.62 5.58 5.71 6.37 6.62 6.44 6.59 6.90
1.74 3.67 2.63 3.22 3.28 7.50 4.62 3.58 10.03
1.64 3.56 2.40 3.00 3.34 2.70 2.84 3.32 6.48
"""
TABLE3 = """
MC-Dropout BNN  BNN-1 BNN-2 BNN-3 BNN1 BNN2 BNN3 CNN
4.66 6.07 5.36 5.71 5.88 5.93 5.76 6.56 6.90
1.74 3.28 2.63 3.15 2.87 7.50 4.62 3.44 10.03
1.64 2.74 2.38 2.69 2.89 2.70 2.59 2.97 6.29
"""


@pytest.mark.parametrize(("table", "text"), [(published.TABLE2, TABLE2), (published.TABLE3, TABLE3)])
def test_the_tables(table, text):
    archs, *lines = [line.split() for line in text.strip().splitlines()]
    names = ("random", "max_entropy", "var_ratios")
    cells = {
        (arch, name): float(v)
        for name, line in zip(names, lines, strict=True)
        for arch, v in zip(archs, line, strict=True)
    }
    assert table == cells


@pytest.fixture
def settings(tmp_path):
    config = StudyConfig(output_dir=str(tmp_path)).run_config(arch="CNN", acquisition="random")
    path = write(config, "mnist", curve(config, 0.05))
    return read_config(path)["settings"]


def test_the_papers_protocol(settings):
    assert published.has_protocol(settings, "mnist", 1000)
    assert not published.has_protocol(settings, "digits", 1000)
    assert not published.has_protocol(settings, "mnist", 990)


@pytest.mark.parametrize(
    "change",
    [{"epochs": 199}, {"num_samples": 50}, {"query_size": 20}, {"initial_labels": 10}, {"batch_size": 32},
     {"learning_rate": 0.01}, {"kl_scale": 0.5}, {"pool_subset": 1000}, {"prior_scale": 2.0}, {"variance": "alpha"},
     {"weight_decay": 0.1}, {"kl_schedule": "blundell"}, {"train_samples": 2}],
)  # fmt: skip
def test_a_run_of_another_protocol(settings, change):
    assert set(change) <= set(settings)
    assert not published.has_protocol({**settings, **change}, "mnist", 1000)


@pytest.mark.parametrize(
    "change",
    [{"kl_scale": "dataset"}, {"loc_init": "glorot"}, {"balanced_init": False}, {"warm_start": True},
     {"scoring": "full"}, {"precision": "bfloat16"}, {"seed": 7}, {"mu_init": -9.0}],
)  # fmt: skip
def test_what_the_paper_leaves_open(settings, change):
    assert set(change) <= set(settings)
    assert published.has_protocol({**settings, **change}, "mnist", 1000)


def test_all_runs_of_a_cell_must_have_the_protocol(settings):
    results = types.SimpleNamespace(dataset="mnist", labels=1000)
    cell = Cell("CNN", "random", -3.0, "labels", "tfp")

    def number(*changes):
        runs = [types.SimpleNamespace(settings={**settings, **change}) for change in changes]
        return paper_number(results, runs, cell, published.TABLE2)

    assert number({}, {"seed": 1}) == 6.90
    assert number({}, {"epochs": 199}) is None and number({"epochs": 199}) is None and number() is None


@pytest.mark.parametrize(("mus", "left_out", "number"), [("all", 0, 2.74), ("all", 2, None), ("-3,-5", 0, None)])
def test_table3_needs_runs_at_every_mu_init_of_the_paper(mus, left_out, number, tmp_path):
    settings = {"archs": "BNN", "acquisitions": "var_ratios", "seeds": 2}
    settings |= {} if mus == "all" else {"mus": mus}
    study = InitStudyConfig(dataset="mnist", output_dir=str(tmp_path), **settings)
    for config in sorted(grid.runs(study), key=lambda config: config.mu_init)[left_out:]:
        write(config, "mnist", curve(config, 0.05))
    flags = [f"--{name}={value}" for name, value in settings.items()]
    assert init_study.main(["x", f"--output_dir={tmp_path}", "--report_only", *flags]) == 0
    directory = tmp_path / "init_study" / "mnist"
    (tuned,) = [row for row in rows(directory / "table3.csv") if row["kind"] == "tuned"]
    assert tuned["paper_error"] == ("" if number is None else str(number))
    text = (directory / "table3.md").read_text()
    assert ("| paper |" in text) == (number is not None)
    assert ("| no seed has every mu_init (0 of 2) |" in text) == bool(left_out)
