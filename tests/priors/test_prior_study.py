"""The prior study by its real entry point, in a protocol of seconds."""

import csv

import numpy as np
import pytest

from experiments import nuts_comparison, prior_study
from experiments.priors import cells, toy
from experiments.priors.config import PriorStudyConfig
from experiments.priors.toy import grid_points, make_split, svm_accuracy
from experiments.records.lock import RecordLock

TINY = {
    "datasets": "circles",
    "priors": "laplace",
    "hyperpriors": "fixed,half_normal",
    "steps": 20,
    "scales": "1",
    "restarts": 1,
    "num_samples": 5,
}


def run(output_dir, *more):
    flags = [f"--{name}={value}" for name, value in TINY.items()]
    return prior_study.main(["prior_study", f"--output_dir={output_dir}", *flags, *more])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Splits 0, then 0 and 1: the second command makes only what is missing."""
    output_dir = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toy, "SVM_GRID", {"C": [1], "gamma": [1]})
        _make(output_dir)
    return output_dir


def _make(output_dir):
    assert run(output_dir, "--splits=1", "--hyperpriors=fixed") == 0
    before = {path: path.stat().st_mtime_ns for path in output_dir.rglob("split0.npz")}
    assert run(output_dir, "--splits=2") == 0
    assert before and all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_files_and_numbers(study):
    directory = study / "prior_study"
    names = {path.name for path in directory.iterdir() if path.is_file()}
    assert {"accuracy.csv", "accuracy.md", "scales.csv", "scales.md", "sparsity.md", "conclusions.md"} <= names
    assert {"circles.png", "circles_laplace_half_normal.png", "figure3_circles.png", "splits.csv"} <= names
    rows = {
        (r["prior"], r["hyperprior"]): r for r in csv.DictReader((directory / "accuracy.csv").read_text().splitlines())
    }
    assert set(rows) == {("laplace", "fixed"), ("laplace", "half_normal"), ("svm", "rbf")}
    config = PriorStudyConfig(**TINY, splits=2, output_dir=str(study))
    accuracies = []
    for split in range(2):
        numbers, arrays = cells.read(config, "circles", ("laplace", "fixed"), split)
        accuracies.append(np.mean((arrays["test_mean"] > 0.5) == arrays["test_y"]))
        assert numbers["accuracy"] == pytest.approx(accuracies[-1]) and numbers["scale"] == 1.0
    assert float(rows["laplace", "fixed"]["accuracy"]) == pytest.approx(np.mean(accuracies))
    _, arrays = cells.read(config, "circles", ("laplace", "half_normal"), 0)
    assert arrays["grid_mean"].shape == arrays["grid_stddev"].shape == (3600,)
    assert "weight/Output/prior_log_scale_loc" in arrays and arrays["grid_stddev"].max() > 0


def test_conclusions_have_numbers_and_no_verdict_on_two_splits(study):
    text = (study / "prior_study" / "conclusions.md").read_text()
    assert text.count("**undecided**") == 3 and "No comparison with the exact posterior" in text


def test_records_are_guarded(study, capsys):
    config = PriorStudyConfig(**TINY, splits=2, output_dir=str(study))
    path = cells.record_path(config, "circles", ("laplace", "fixed"), 1)
    kept = path.read_bytes()
    path.write_bytes(kept[:1000])
    assert run(study, "--splits=2") == 1
    assert "is damaged" in capsys.readouterr().err.splitlines()[-1]
    path.write_bytes(kept)


def test_a_second_process_is_told_that_the_study_is_in_use(study, capsys):
    config = PriorStudyConfig(**TINY, splits=2, output_dir=str(study))
    with RecordLock(config.records):
        assert run(study, "--splits=3") == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: the record {config.records} is in use by process ")
    assert not list(study.rglob("split2.npz")) and not list(study.rglob("lock"))
    with RecordLock(study / "prior_study"):  # another protocol's process writes the tables
        assert run(study, "--splits=2") == 1


def test_a_fit_that_diverges_names_its_setting(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(toy, "SVM_GRID", {"C": [1], "gamma": [1]})
    flags = ["--priors=normal", "--hyperpriors=inverse_gamma", "--steps=300", "--learning_rate=10", "--splits=1"]
    assert run(tmp_path, *flags) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: the loss") and said.endswith("; try a smaller --learning_rate (now 10)")


@pytest.mark.parametrize(
    "flag, says",
    [
        ("--priors=gauss", "--priors=gauss is not valid: it takes all, or names of normal, laplace, cauchy, flat"),
        ("--scales=0,1", "--scales=0,1 is not valid: it takes numbers greater than 0"),
        ("--noise=-1", "--noise=-1 is not valid"),
        ("--datasets=spirals", "--datasets=spirals is not valid"),
        ("--output_dir=", "--output_dir= is not valid"),
    ],
)
def test_mistakes_are_one_line(flag, says, capsys):
    for module in (prior_study, nuts_comparison):
        assert module.main([module.__name__, flag]) == 2
        error = capsys.readouterr().err
        assert says in error.replace("normal, laplace, cauchy\n", "normal, laplace, cauchy, flat\n")
        assert len(error.strip().splitlines()) == 1
    assert prior_study.main(["prior_study", "--priors=flat", "--hyperpriors=half_normal"]) == 2
    assert nuts_comparison.main(["nuts_comparison", "--priors=flat"]) == 2


def test_splits_are_fresh_points_and_the_same_every_time():
    one, again, other = (make_split("moons", 0.3, 0, number) for number in (0, 0, 1))
    np.testing.assert_array_equal(one.x, again.x)
    assert np.abs(one.x - other.x).max() > 0.1 and len(one.x) == 700 and len(one.test_x) == 300
    assert make_split("moons", 0.3, 1, 0).x[0, 0] != one.x[0, 0]
    accuracy, _ = svm_accuracy(make_split("circles", 0.01, 0, 0))
    assert accuracy > 0.99 and grid_points("moons").shape == (3600, 2)


def test_quick_is_a_protocol_that_single_flags_override():
    config = PriorStudyConfig().replace(quick=True, steps=7)
    assert (config.steps, config.splits, config.restarts) == (7, 2, 1)
    assert config.records != PriorStudyConfig().records


def test_scores_by_hand():
    samples = np.array([[0.9, 0.2, 0.8], [0.7, 0.4, 0.2]])  # means 0.8, 0.3, 0.5
    found = cells.scores(samples, np.array([1, 1, 0]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["stddev_wrong"] == pytest.approx(0.1) and found["stddev_right"] == pytest.approx((0.1 + 0.3) / 2)
    assert found["nll_test"] == pytest.approx(-np.mean(np.log([0.8, 0.3, 0.5])), rel=1e-5)


@pytest.mark.slow
def test_a_flat_prior_is_reported_as_improper(tmp_path):
    assert run(tmp_path, "--splits=1", "--priors=flat") == 0
    assert "flat (improper)" in (tmp_path / "prior_study" / "accuracy.md").read_text()


@pytest.mark.slow
def test_the_comparison_with_nuts(tmp_path):
    arguments = ["--datasets=moons", "--priors=normal", "--hyperpriors=half_normal", "--steps=50", "--restarts=1"]
    arguments += ["--draws=20", "--burn_in=20", "--chains=2", "--rounds=1", "--full_rank_steps=50", "--num_samples=20"]
    for _ in range(2):
        assert nuts_comparison.main(["nuts_comparison", f"--output_dir={tmp_path}", *arguments]) == 0
    rows = list(csv.DictReader((tmp_path / "nuts_comparison" / "distances.csv").read_text().splitlines()))
    (record,) = tmp_path.rglob("normal,half_normal.npz")
    with np.load(record) as arrays:
        for row in rows:
            apart = np.abs(arrays[f"{row['method']}_mean"] - arrays["nuts_mean"]).mean()
            assert float(row["mean_distance"]) == pytest.approx(apart)
    assert (tmp_path / "nuts_comparison" / "moons.png").exists()
