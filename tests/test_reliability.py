"""Reliability diagrams from records of both kinds."""

import csv

import numpy as np
import pytest

from bayes_layers.uncertainty import evaluate
from experiments import reliability
from experiments.classification.config import ClassificationConfig
from tests.fabricated import fabricate
from tests.shridhar.written import falling, write


def test_the_error_of_the_bins_is_that_of_the_predictions():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 300)
    result = evaluate(p, rng.integers(0, 4, 300))
    columns = [np.array([row[name] for row in result["bins"]]) for name in ("count", "confidence", "accuracy")]
    assert reliability.calibration_error(*columns) == pytest.approx(result["ece"])


def test_diagrams_of_both_kinds_of_records(tmp_path, capsys):
    config = ClassificationConfig(dataset="mnist", epochs=2, output_dir=str(tmp_path / "runs"))
    paths = [write(config, falling(0.1, 2)), fabricate(tmp_path / "runs" / "al_mnist" / "digits" / "seed0")]
    output = tmp_path / "pictures" / "reliability.png"
    command = ["x", f"--records={paths[0]}:{paths[1]}", f"--output={output}"]
    assert reliability.main(command) == 0
    assert output.read_bytes()[:4] == b"\x89PNG"
    rows = list(csv.DictReader(output.with_suffix(".csv").read_text().splitlines()))
    assert len(rows) == 30 and rows[3]["count"] == "30" and float(rows[3]["confidence"]) == 3 / 15
    expected = sum(10 * b * (b / 15 - b / 16) for b in range(15)) / sum(10 * b for b in range(15))
    assert f"ECE = {expected:.4f}" in capsys.readouterr().out


def test_records_at_the_same_place_under_different_roots(tmp_path, capsys):
    paths = [fabricate(tmp_path / root / "al_mnist" / "digits" / "seed0") for root in ("one", "other")]
    paths.append(fabricate(tmp_path / "one" / "al_mnist" / "digits" / "seed1"))
    output = tmp_path / "reliability.png"
    records = ":".join(map(str, [*paths, f"{tmp_path}/one/../one/al_mnist/digits/seed1"]))
    assert reliability.main(["x", f"--records={records}", f"--output={output}"]) == 0
    titles = [line.split(": ECE")[0] for line in capsys.readouterr().out.splitlines()[:-1]]
    assert titles == [str(paths[0]), str(paths[1]), "al_mnist/digits/seed1"]
    rows = csv.DictReader(output.with_suffix(".csv").read_text().splitlines())
    assert list(dict.fromkeys(row["record"] for row in rows)) == titles


def test_mistakes(tmp_path, capsys):
    assert reliability.main(["x"]) == 2 and "--records= is not valid" in capsys.readouterr().err
    assert reliability.main(["x", f"--records={tmp_path}"]) == 1 and "is not a record" in capsys.readouterr().err
