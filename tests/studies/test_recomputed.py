"""Every row of `claims.csv` computed again from the records' files, without the package's code."""

import csv
import math

import numpy as np
import pytest
from scipy import stats

from experiments import init_study, layer_position
from experiments.init_study import InitStudyConfig
from experiments.studies import grid
from experiments.studies.config import StudyConfig
from tests.studies.written import curve, write

SEEDS = 10


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A study whose errors are noisy, ties among them."""
    directory = tmp_path_factory.mktemp("noisy")
    rng = np.random.default_rng(3)
    means = {"BNN": 0.048, "BNN-1": 0.030, "BNN-2": 0.032, "BNN-3": 0.046, "BNN1": 0.045, "CNN": 0.07}
    study = StudyConfig(dataset="mnist", output_dir=str(directory), seeds=SEEDS)
    for config in grid.runs(study):
        error = round(float(rng.normal(means.get(config.arch, 0.042), 0.003)), 3)
        write(config, "mnist", curve(config, error))
    assert layer_position.main(["x", f"--output_dir={directory}", f"--seeds={SEEDS}", "--report_only"]) == 0
    return directory


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def final_error(directory, arch, acquisition, seed):
    path = directory / "al_mnist" / "mnist" / arch / acquisition / "mu-3" / f"seed{seed}" / "metrics.csv"
    (last,) = [row for row in rows(path) if row["labels"] == "1000"]
    return round(100 * float(last["test_error"]), 9)


def sign_test(lower, higher):
    n, k = lower + higher, min(lower, higher)
    tail = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    return 1.0 if n == 0 else min(1.0, 2 * tail)


def test_the_comparisons(directory):
    found = rows(directory / "layer_position" / "mnist" / "claims.csv")
    assert len(found) == 6 + 4 + 4 + 8
    for row in found:
        errors = [
            [final_error(directory, row[side], row["where"], seed) for seed in range(SEEDS)] for side in ("a", "b")
        ]
        differences = np.round(np.subtract(*errors), 9)
        lower, higher = int(sum(differences < 0)), int(sum(differences > 0))
        assert (int(row["pairs"]), int(row["lower"]), int(row["higher"])) == (SEEDS, lower, higher)
        assert int(row["equal"]) == SEEDS - lower - higher
        assert float(row["difference"]) == pytest.approx(differences.mean(), abs=1e-9)
        half = stats.t.ppf(0.975, SEEDS - 1) * differences.std(ddof=1) / math.sqrt(SEEDS)
        assert float(row["high"]) - float(row["difference"]) == pytest.approx(half)
        assert float(row["difference"]) - float(row["low"]) == pytest.approx(half)
        assert float(row["p"]) == pytest.approx(sign_test(lower, higher))


def test_the_verdicts(directory):
    by_claim = {}
    for row in rows(directory / "layer_position" / "mnist" / "claims.csv"):
        by_claim.setdefault(row["claim"], []).append(row)
    p_values = {}
    for name, group in by_claim.items():
        pairs = [(int(row["lower"]), int(row["higher"])) for row in group]
        against = [sign_test(*pair) for pair in pairs if pair[1] > pair[0]]
        agree = all(lower > higher for lower, higher in pairs)
        p_values[name] = (
            max(sign_test(*pair) for pair in pairs) if agree else min([1.0, *(len(pairs) * p for p in against)])
        )
        assert float(group[0]["claim_p"]) == pytest.approx(p_values[name])
    running, adjusted = 0.0, {}
    for step, name in enumerate(sorted(p_values, key=p_values.get)):
        running = max(running, min(1.0, (len(p_values) - step) * p_values[name]))
        adjusted[name] = running
    for name, group in by_claim.items():
        assert float(group[0]["claim_p_holm"]) == pytest.approx(adjusted[name])
        agree = all(int(row["lower"]) > int(row["higher"]) for row in group)
        expected = "undecided" if adjusted[name] > 0.05 else "supported" if agree else "not supported"
        assert {row["verdict"] for row in group} == {expected}
    assert {row["verdict"] for group in by_claim.values() for row in group} > {"undecided"}


MUS = (-3, -5, -9, -11)


@pytest.fixture(scope="module")
def init_errors(tmp_path_factory):
    """A study of the initial variance in which every run has an error of its own, and its rows of `claims.csv`."""
    directory, rng, errors = tmp_path_factory.mktemp("init"), np.random.default_rng(5), {}
    settings = {"seeds": 7, "archs": "BNN,BNN-1,BNN1", "acquisitions": "max_entropy,var_ratios", "max_labels": 40}
    study = InitStudyConfig(dataset="mnist", output_dir=str(directory)).replace(**settings)
    for config in grid.runs(study):
        error = float(rng.integers(200, 900)) / 10_000
        errors[config.arch, config.acquisition, int(config.mu_init), config.seed] = 100 * error
        write(config, "mnist", [0.9, 0.8, error])
    flags = [f"--{name}={value}" for name, value in settings.items()]
    assert init_study.main(["x", f"--output_dir={directory}", "--report_only", *flags]) == 0
    return errors, rows(directory / "init_study" / "mnist" / "claims.csv")


def chosen_on_others(errors, arch, acquisition, seed):
    def others(mu):
        return np.mean([errors[arch, acquisition, mu, other] for other in range(7) if other != seed])

    return errors[arch, acquisition, min(MUS, key=others), seed]


def test_the_comparisons_of_the_initial_variance(init_errors):
    errors, found = init_errors
    assert len(found) == 2 + 2 + 1 + 8 + 6
    for row in found:
        if row["claim"] == "output before input":
            acquisition, mu = row["where"].split(", mu_init = ")
            cells = [(row[side], acquisition, int(mu)) for side in ("a", "b")]
            differences = [errors[(*cells[0], seed)] - errors[(*cells[1], seed)] for seed in range(7)]
        else:
            arch, acquisition = row["where"].split(", ")
            if row["claim"] == "tuning":
                assert (row["a"], row["b"]) == ("mu_init chosen on the other seeds", "mu_init = -3")
                better = [chosen_on_others(errors, arch, acquisition, seed) for seed in range(7)]
                differences = [mine - errors[arch, acquisition, -3, seed] for seed, mine in enumerate(better)]
            else:
                assert (row["a"], row["b"]) == ("mu_init = -3", "mu_init = -11")
                ends = [[errors[arch, acquisition, mu, seed] for seed in range(7)] for mu in (-3, -11)]
                differences = np.subtract(*ends)
        assert row["pairs"] == "7" and float(row["difference"]) == pytest.approx(np.mean(differences), abs=1e-9)
