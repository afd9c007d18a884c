"""The panels of a figure."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

from experiments.init_study import InitStudyConfig
from experiments.studies import figures, grid
from experiments.studies.collect import Results, collect
from experiments.studies.config import StudyConfig
from experiments.studies.slices import slices
from tests.studies.written import write


def test_the_shared_axis_shows_the_curves_of_all_panels():
    figure, axes = plt.subplots(1, 2, sharey=True, squeeze=False)
    axes[0, 0].plot([1, 2], [50, 90])
    axes[0, 1].plot([1, 2], [4, 20])
    figures._limit(axes.flat)
    low, high = axes[0, 1].get_ylim()
    plt.close(figure)
    assert low < 4 and high > 90


def test_one_legend_says_how_many_seeds_each_panel_has():
    figure, axes = plt.subplots(1, 2)
    for axis, seeds in zip(axes, (3, 2), strict=True):
        axis.plot([1, 2], [5, 3], label="BNN", gid=seeds)
        axis.plot([1, 2], [4, 2], label="CNN", gid=3)
        axis.plot([], [], label="BNN1", gid=0)
    legend, last = figures._legend(axes), figures._legend(axes[1:])
    plt.close(figure)
    assert legend["labels"] == ["BNN (3, 2)", "CNN (3)", "BNN1 missing"]
    assert legend["handles"] == axes[0].get_lines() and legend["title"] == "(n seeds, panel by panel)"
    assert last["labels"] == ["BNN (2)", "CNN (3)", "BNN1 missing"] and last["title"] == "(n seeds)"


def test_the_legend_shows_the_line_of_a_panel_that_has_one():
    figure, axes = plt.subplots(1, 3)
    for axis, seeds in zip(axes, (0, 1, 0), strict=True):
        axis.plot([], [], linestyle="-" if seeds else ":", label="BNN-3", gid=seeds)
    legend = figures._legend(axes)
    plt.close(figure)
    (line,), (text,) = legend["handles"], legend["labels"]
    assert text == "BNN-3 (0, 1, 0)" and line.get_linestyle() == "-"


def drawn_by(draw, monkeypatch):
    """The axes that a figure's function has drawn, by their titles: lines and bands by label, as arrays."""
    shown = []
    monkeypatch.setattr(plt, "close", shown.append)
    draw()
    monkeypatch.undo()
    (figure,) = shown
    panels = {}
    for axis in figure.axes:
        lines = [line for line in axis.get_lines() if line.get_gid()]
        bands = [collection.get_paths()[0].vertices for collection in axis.collections]
        panels[axis.get_title()] = {
            line.get_label(): (line.get_xydata(), band) for line, band in zip(lines, bands, strict=True)
        }
    plt.close(figure)
    return panels


def check(drawn, labels, errors):
    """The line is the mean, the band from the least to the greatest, in %."""
    line, band = drawn
    errors = 100 * np.array(errors)
    assert line[:, 0].tolist() == labels and np.allclose(line[:, 1], errors.mean(0))
    for x, least, greatest in zip(labels, errors.min(0), errors.max(0), strict=True):
        at = band[band[:, 0] == x, 1]
        assert np.isclose(at.min(), least) and np.isclose(at.max(), greatest)


def part_of(config_class, directory, errors_of, **settings):
    study = config_class(dataset="mnist", output_dir=str(directory)).replace(max_labels=50, seeds=3, **settings)
    for config in grid.runs(study):
        write(config, "mnist", errors_of(config))
    results = Results(study, "mnist", collect(study, "mnist"))
    return slices(results, by_mu=config_class is StudyConfig)[0]


def test_figure2_draws_means_and_bands_where_all_seeds_were_tested(tmp_path, monkeypatch):
    level = {"BNN-1": 0.2, "CNN": 0.3}

    def errors_of(config):
        errors = [level[config.arch] + 0.01 * config.seed**2 - 0.02 * cycle for cycle in range(4)]
        return [None if (config.seed, cycle) == (1, 2) else error for cycle, error in enumerate(errors)]

    part = part_of(StudyConfig, tmp_path, errors_of, archs="BNN-1,CNN", acquisitions="max_entropy,var_ratios")
    panels = drawn_by(lambda: figures.figure2(part), monkeypatch)
    assert set(panels) == {"max_entropy", "var_ratios"}
    for curves in panels.values():
        assert list(curves) == ["BNN-1", "CNN"]
        for arch, drawn in curves.items():
            expected = [[level[arch] + 0.01 * seed**2 - 0.02 * cycle for cycle in (0, 1, 3)] for seed in range(3)]
            check(drawn, [20, 30, 50], expected)


def test_figure3_draws_each_mu_init(tmp_path, monkeypatch):
    def error(arch, acquisition, mu, seed, cycle):
        return (
            0.5 + 0.01 * mu + (0.1 if arch == "BNN1" else 0) + 0.02 * len(acquisition) / 11 + 0.01 * seed - 0.05 * cycle
        )

    def errors_of(config):
        cell = config.arch, config.acquisition, config.mu_init, config.seed
        return [error(*cell, cycle) for cycle in range(4)]

    part = part_of(InitStudyConfig, tmp_path, errors_of, archs="BNN-1,BNN1", acquisitions="max_entropy,var_ratios")
    panels = drawn_by(lambda: figures.figure3(part), monkeypatch)
    assert len(panels) == 4
    for title, curves in panels.items():
        assert list(curves) == [f"mu_init = {mu}" for mu in (-3, -5, -9, -11)]
        for label, drawn in curves.items():
            cell = *title.split(", "), float(label.split()[-1])
            expected = [[error(*cell, seed, cycle) for cycle in range(4)] for seed in range(3)]
            check(drawn, [20, 30, 40, 50], expected)
