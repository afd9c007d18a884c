"""The experiments that say what racing and bfloat16 cost in accuracy."""

import csv

import numpy as np

from experiments import precision_evidence, racing_evidence


def test_racing_is_judged_on_stored_samples(tmp_path, capsys):
    command = ["racing_evidence", "--dataset=digits", "--archs=BNN-1", "--labels=20", "--epochs=2", "--orders=2"]
    command += ["--num_samples=24", "--query_size=5", "--pool_subset=700", f"--output_dir={tmp_path}"]
    assert racing_evidence.main(command) == 0
    table = tmp_path / "racing_evidence" / "digits" / "evidence.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["acquisition"] for row in rows] == list(racing_evidence.MOMENTS_OF_SCORE)
    for row in rows:
        assert (row["pool"], row["picks"], row["lost"], row["order_picks"]) == ("700", "5", "0", "10")
    before = table.read_bytes()
    capsys.readouterr()
    assert racing_evidence.main(command) == 0  # nothing is left to do
    said = capsys.readouterr().out
    assert table.read_bytes() == before and "cycles 1 of 1, picks 5 of 5, in random orders 10 of 10" in said
    assert racing_evidence.main(["racing_evidence", "--labels=20,x"]) == 2
    assert "--labels=20,x is not valid" in capsys.readouterr().err


def test_a_rule_that_loses_is_found_out(monkeypatch):
    """The evidence can fail: a rule that drops everybody loses every pick."""
    from bayes_layers.uncertainty import racing

    monkeypatch.setattr(racing, "is_hopeless", lambda name, evidence, *_: evidence["log_capital"][:, 0] > -np.inf)
    rng = np.random.default_rng(0)
    samples = rng.dirichlet(np.ones(4), (30, 900)).astype(np.float32)
    replay = racing_evidence.make_replay(30, 4)
    found = racing_evidence.judge("var_ratios", samples, 300, 1, rng, replay)
    assert found["lost"] > 0 and found["largest_gap"] > 0 and found["order_lost"] == 300


def test_precision_is_compared_in_pairs(tmp_path, capsys):
    command = ["precision_evidence", "--dataset=digits", "--archs=CNN,BNN-1", "--mus=-3", "--seeds=2", "--epochs=1"]
    command += ["--num_samples=3", "--labels=20", "--pool_subset=100", "--query_size=5", f"--output_dir={tmp_path}"]
    assert precision_evidence.main(command) == 0
    directory = tmp_path / "precision_evidence" / "digits"
    errors = list(csv.DictReader((directory / "errors.csv").read_text().splitlines()))
    assert [(row["arch"], row["seed"]) for row in errors] == [
        ("CNN", "0"), ("BNN-1", "0"), ("CNN", "1"), ("BNN-1", "1")
    ]  # fmt: skip
    picks = list(csv.DictReader((directory / "picks.csv").read_text().splitlines()))
    assert {row["arch"] for row in picks} == {"BNN-1"} and len(picks) == 5
    said = capsys.readouterr().out
    differences = [100 * (float(row["bfloat16"]) - float(row["float32"])) for row in errors if row["arch"] == "BNN-1"]
    assert f"difference {np.mean(differences):+.2f}" in said and "2 pairs" in said
    assert precision_evidence.main(["precision_evidence", "--mus=-3,low"]) == 2
