"""The experiments that say what racing and bfloat16 cost in accuracy."""

import csv

import numpy as np
import pytest

from experiments import evidence, precision_evidence, racing_evidence
from experiments.records import files
from experiments.records.lock import RecordLock
from tests.conftest import ROOT

RACING = ["racing_evidence", "--dataset=digits", "--archs=BNN-1", "--labels=20", "--epochs=2", "--orders=2",
          "--num_samples=24", "--query_size=5", "--pool_subset=700"]  # fmt: skip
PRECISION = ["precision_evidence", "--dataset=digits", "--archs=CNN,BNN-1", "--mus=-3", "--seeds=2", "--epochs=1",
             "--num_samples=3", "--labels=20", "--pool_subset=100", "--query_size=5"]  # fmt: skip


def test_racing_is_judged_on_stored_samples(tmp_path, capsys):
    command = [*RACING, f"--output_dir={tmp_path}"]
    assert racing_evidence.main(command) == 0
    (table,) = tmp_path.rglob("evidence.csv")
    protocol = "epochs=2,num_samples=24,orders=2,pool_subset=700,query_size=5"
    assert table.parent == tmp_path / "racing_evidence" / "digits" / protocol
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["acquisition"] for row in rows] == list(racing_evidence.MOMENTS_OF_SCORE)
    for row in rows:
        assert (row["pool"], row["picks"], row["lost"], row["order_picks"]) == ("700", "5", "0", "10")
    before = table.read_bytes()
    capsys.readouterr()
    assert racing_evidence.main(command) == 0  # nothing is left to do
    said = capsys.readouterr().out
    assert table.read_bytes() == before and "cycles 1 of 1, picks 5 of 5, in random orders 10 of 10" in said
    assert racing_evidence.main([*command, "--mu_init=-9"]) == 0  # another posterior, another table
    other = table.parent.parent / protocol.replace("epochs=2,", "epochs=2,mu_init=-9,") / "evidence.csv"
    at_minus_9 = [row["threshold"] for row in csv.DictReader(other.read_text().splitlines())]
    assert table.read_bytes() == before and at_minus_9 != [row["threshold"] for row in rows]
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


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_precision_is_compared_in_pairs(tmp_path, capsys):
    command = [*PRECISION, f"--output_dir={tmp_path}"]
    assert precision_evidence.main(command) == 0
    directory = tmp_path / "precision_evidence" / "digits" / "epochs=1,num_samples=3,pool_subset=100,query_size=5"
    errors, picks = rows_of(directory / "errors.csv"), rows_of(directory / "picks.csv")
    assert [(row["arch"], row["seed"]) for row in errors] == [
        ("CNN", "0"), ("BNN-1", "0"), ("CNN", "1"), ("BNN-1", "1")
    ]  # fmt: skip
    assert {row["arch"] for row in picks} == {"BNN-1"} and len(picks) == 5
    said = capsys.readouterr().out
    differences = [100 * (float(row["bfloat16"]) - float(row["float32"])) for row in errors if row["arch"] == "BNN-1"]
    assert f"difference {np.mean(differences):+.2f}" in said and "2 pairs" in said
    assert precision_evidence.main(["precision_evidence", "--mus=-3,low"]) == 2


def rows_of_pair(arch, mu, seed, *_):
    """In the place of training: what `compare_pair` returns."""
    head = {"arch": arch, "mu_init": mu, "labels": 20}
    picks = [
        {**head, "acquisition": name, "pool": 9, "picks": 2, "agree": 1, "spearman": ""}
        for name in precision_evidence.MOMENTS_OF_SCORE
    ]
    return {**head, "seed": seed, "float32": 0.25, "bfloat16": 0.5}, picks if seed == 0 and arch != "CNN" else []


def test_a_kill_between_the_tables_neither_loses_nor_doubles_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(precision_evidence, "compare_pair", rows_of_pair)
    command, write = [*PRECISION, f"--output_dir={tmp_path}"], files.write_text

    def stop_at_errors(path, text):
        if path.name == "errors.csv":
            raise KeyboardInterrupt
        write(path, text)

    monkeypatch.setattr(files, "write_text", stop_at_errors)
    assert precision_evidence.main([*command, "--archs=BNN-1"]) == 130
    (table,) = tmp_path.rglob("picks.csv")
    assert len(rows_of(table)) == 5 and not (table.parent / "errors.csv").exists()
    monkeypatch.setattr(files, "write_text", write)
    assert precision_evidence.main(command) == 0
    whole = {name: (table.parent / name).read_text() for name in ("errors.csv", "picks.csv")}
    assert len(rows_of(table)) == 5 and len(rows_of(table.parent / "errors.csv")) == 4
    table.unlink()
    assert precision_evidence.main(command) == 0
    for name, text in whole.items():
        assert (table.parent / name).read_text() == text
        (table.parent / name).write_text(text.replace("-3.0", "-3"))  # the same number
    capsys.readouterr()
    assert precision_evidence.main([*command, "--seeds=3"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "pairs" in line]
    assert [line.split()[0] for line in said] == ["CNN", "BNN-1"] and all("(3 pairs)" in line for line in said)
    assert "mean_std 1/2" in said[1] and len(rows_of(table)) == 5


def test_numbers_of_labels_are_cells_of_their_own():
    head = {"arch": "BNN", "mu_init": -3.0, "seed": 0, "bfloat16": 0.5}
    errors = [{**head, "labels": 20, "float32": 0.25}, {**head, "labels": 100, "float32": 0.5}]
    first, second = precision_evidence.summarize(errors, [])
    assert "20 labels" in first and "+25.00" in first and "(1 pairs)" in first
    assert "100 labels" in second and "+0.00" in second


@pytest.mark.parametrize("module", [racing_evidence, precision_evidence])
def test_another_protocol_has_another_place_and_the_defaults_have_the_plain_one(module):
    name, config = module.__name__.rpartition(".")[2], module.EvidenceConfig(output_dir="x", dataset="mnist")
    plain = evidence.directory(name, "mnist", config)
    assert plain.parts == ("x", name, "mnist")
    rows = {"archs": "BNN", "labels": "50" if module is racing_evidence else 50}
    assert evidence.directory(name, "mnist", config.replace(**rows)) == plain
    others = {"epochs": 3, "num_samples": 50, "kl_scale": "dataset", "batch_size": 7, "learning_rate": 0.1}
    others |= {"seed": 7, "precision": "float32", "orders": 1} if module is racing_evidence else {"test_subset": 9}
    places = {evidence.directory(name, "mnist", config.replace(**{key: value})) for key, value in others.items()}
    assert len(places) == len(others) and all(place.parent == plain for place in places)


@pytest.mark.parametrize("flag", ["kl_schedule=blundell", "kl_warmup=2", "train_samples=2", "mean_decay=1",
                                  "weight_decay=1", "warm_start=true", "replicas=2", "jit_compile=true"])  # fmt: skip
def test_flags_without_a_meaning_are_not_taken(flag, capsys):
    for module in (racing_evidence, precision_evidence):
        assert module.main([module.__name__, f"--{flag}"]) == 2
        assert f"there is no flag --{flag.split('=')[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("module, command", [(racing_evidence, RACING), (precision_evidence, PRECISION)])
def test_a_second_process_and_a_damaged_table_are_one_line(module, command, tmp_path, capsys):
    command = [*command, f"--output_dir={tmp_path}", "--epochs=3"]
    config = module.EvidenceConfig(**dict(part[2:].split("=", 1) for part in command[1:]))
    directory = evidence.directory(module.__name__.rpartition(".")[2], "digits", config)
    directory.mkdir(parents=True)
    with RecordLock(directory):
        assert module.main(command) == 1
    assert f"error: the record {directory} is in use by process " in capsys.readouterr().err
    for name in ("evidence.csv", "errors.csv"):
        (directory / name).write_text("arch,labels\nBNN,20\n")
    assert module.main(command) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "is damaged" in line and "delete it" in line


def test_the_page_on_racing_says_what_was_counted():
    text = (ROOT / "docs" / "racing.md").read_text()
    names = ("var_ratios", "hard_var_ratios", "max_entropy", "bald", "mean_std")
    for file, places in (("racing_evidence", ("arch", "labels", "pool")),
                         ("racing_evidence_whole_pool", ("arch", "labels", "pool")),
                         ("racing_evidence_settings", ("arch", "mu_init", "kl_scale"))):  # fmt: skip
        rows = rows_of(ROOT / "docs" / "data" / f"{file}.csv")
        cells = {}
        for row in rows:
            assert (row["lost"], row["order_lost"]) == ("0", "0")
            place = tuple(f"{int(row[name]):,}" if name == "pool" else row[name] for name in places)
            cells.setdefault(place, {})[row["acquisition"]] = f"{100 * float(row['share_of_samples']):.0f} %"
        for place, shares in cells.items():
            assert f"| {' | '.join([*place, *(shares[name] for name in names)])} |" in text, place
        assert f"{sum(int(row['order_picks']) for row in rows):,} " in text


def test_earlier_tables_are_read_and_written_as_they_are(tmp_path):
    kept = ROOT / "docs" / "data" / "racing_evidence.csv"
    table = evidence.Table(tmp_path / "evidence.csv", racing_evidence.COLUMNS, racing_evidence.KEY)
    table.path.write_bytes(kept.read_bytes())
    table.read()
    table.write()
    assert table.path.read_bytes() == kept.read_bytes()
    assert not racing_evidence._missing(table, racing_evidence.EvidenceConfig(archs="BNN-2,MC-Dropout"))
    assert all("picks 140 of 140, in random orders 4300 of 4300" in s for s in racing_evidence.summarize(table.rows))
    for name, columns in (("errors", precision_evidence.ERROR_COLUMNS), ("picks", precision_evidence.PICK_COLUMNS)):
        kept = ROOT / "docs" / "data" / f"precision_{name}.csv"
        last = {"errors": "seed", "picks": "acquisition"}[name]
        table = evidence.Table(kept, columns, (*precision_evidence.CELL, last))
        table.path = tmp_path / f"{name}.csv"
        table.write()
        assert table.path.read_text() == kept.read_text()
