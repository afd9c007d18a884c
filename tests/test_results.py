"""The kept results: they are what the records say, and README's tables are what they say."""

import csv
import importlib
import importlib.util
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from experiments import keep
from experiments.page import collect
from experiments.page.text import mean
from tests.conftest import ROOT
from tests.fabricated import fabricate

COMMANDS = re.findall(r"^python -m experiments\.(.+)$", (ROOT / "results" / "README.md").read_text(), re.M)


def results_module():
    spec = importlib.util.spec_from_file_location("results", ROOT / "docs" / "results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(module, *arguments):
    return importlib.import_module(f"experiments.{module}").main([module, *map(str, arguments)])


def test_readmes_tables_are_what_the_reports_say():
    assert (ROOT / "README.md").read_text(encoding="utf-8") == results_module().readme(), "run `python docs/results.py`"


def test_a_difference_in_readme_is_that_of_the_records():
    errors = []
    for arch in ("BNN-1", "BNN"):
        files = (ROOT / "results" / "al_mnist" / "mnist" / arch / "var_ratios" / "mu-3").glob("seed*/metrics.csv")
        last = {file.parent.name: list(csv.DictReader(file.read_text().splitlines()))[-1] for file in files}
        errors.append({seed: 100 * float(row["test_error"]) for seed, row in last.items()})
    pairs = errors[0].keys() & errors[1].keys()
    expected = sum(errors[0][seed] - errors[1][seed] for seed in pairs) / len(pairs)
    first = next(line for line in results_module().claims().splitlines() if "BNN-1 < BNN, BNN-2 < BNN, BNN-3" in line)
    _, divisor, _, var_ratios, *_ = first.strip("| ").split(" | ")
    assert divisor == "labels" and var_ratios.split(", ")[0] == f"{expected:+.2f}"


@pytest.mark.parametrize("acquisition", ["random", "max_entropy", "var_ratios"])
def test_a_chosen_variance_in_readme_is_that_of_the_records(acquisition):
    of_mu = {}
    for mu in (-3, -5, -9, -11):
        files = (ROOT / "results" / "al_mnist" / "mnist" / "BNN-1" / acquisition / f"mu{mu}").glob("seed*/metrics.csv")
        last = {file.parent.name: list(csv.DictReader(file.read_text().splitlines()))[-1] for file in files}
        of_mu[mu] = {seed: 100 * float(row["test_error"]) for seed, row in last.items() if row["labels"] == "300"}
    seeds = set.intersection(*map(set, of_mu.values()))

    def best(among):
        return min(of_mu, key=lambda mu: sum(of_mu[mu][seed] for seed in among))

    line = next(line for line in results_module().init_study().splitlines() if f"BNN-1 | {acquisition} |" in line)
    other, same = (float(text.split(" (at ")[0]) for text in line.strip("| ").split(" | ")[-2:])
    assert len(seeds) > 1
    assert other == pytest.approx(sum(of_mu[best(seeds - {seed})][seed] for seed in seeds) / len(seeds), abs=0.0051)
    assert same == pytest.approx(sum(of_mu[best(seeds)][seed] for seed in seeds) / len(seeds), abs=0.0051)


def test_the_report_page_shows_the_same_errors_as_the_tables():
    shown = {}
    for section in collect.sections(collect.find(ROOT / "results")):
        if section.kind.layout.experiment == "al_mnist":
            divisor = dict(section.protocol)["kl_scale"]
            for group in section.groups:
                labels, errors = group.final("test_error")
                if labels == 300:  # the page shows all runs where all are, the tables those that are finished
                    shown[divisor, group.network, group.column, group.mu_init] = mean(errors, 100)
    for study, table in (("layer_position", "table2"), ("init_study", "table3")):
        rows = results_module().rows_of(f"{study}/mnist/{table}.csv")
        for row in (r for r in rows if int(r["n"]) and r.get("kind", "single") == "single"):
            cell = row["slice_kl_scale"], row["arch"], row["acquisition"], float(row["mu_init"])
            if cell in shown:  # networks without a KL stand in one of the slices only
                assert shown[cell] == f"{float(row['error']):.2f}", cell
    assert len(shown) > 40


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reports_are_what_the_records_say(command, tmp_path):
    module, *arguments = shlex.split(command)
    shutil.copytree(ROOT / "results", tmp_path / "results")
    kept = tmp_path / "results" / module.replace(".", "/")
    reports = {path: path.read_bytes() for path in kept.rglob("*") if path.suffix in (".csv", ".md", ".tex")}
    assert reports
    for path in reports:
        path.unlink()
    arguments = [argument for argument in arguments if not argument.startswith("--output_dir")]
    assert run(module, *arguments, f"--output_dir={tmp_path / 'results'}") == 0
    for path, content in reports.items():
        if path.name != "runs.csv":
            assert path.read_bytes() == content, path.name
        else:  # which states where the records lie
            rows = [list(csv.DictReader(text.splitlines())) for text in (content.decode(), path.read_text())]
            assert len(rows[0]) == len(rows[1])
            for was, now in zip(*rows, strict=True):
                assert {**was, "path": ""} == {**now, "path": ""}


def test_kept_records_are_whole_and_small():
    for path in (ROOT / "results").rglob("config.json"):
        assert "settings" in json.loads(path.read_text())
        assert (path.parent / "metrics.csv").exists()
    assert not [p for p in (ROOT / "results").rglob("*") if p.suffix in (".npz", ".tmp") or "tfevents" in p.name]
    assert sum(p.stat().st_size for p in (ROOT / "results").rglob("*") if p.is_file()) < 20e6


def test_unfinished_runs_go_on_by_the_command_that_is_given(tmp_path):
    (line,) = re.findall(r"^(mkdir .* && .*\\\n.*)$", (ROOT / "results" / "README.md").read_text(), re.M)
    (tmp_path / "results").symlink_to(ROOT / "results")
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        f"{line} --dry_run", shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    kept = [path.parent for path in (ROOT / "results" / "al_mnist").rglob("config.json")]
    unfinished = [path for path in kept if len((path / "metrics.csv").read_text().splitlines()) < 1 + 29]
    begun = [line.split()[1] for line in said if line.startswith("partial")]
    assert sorted(begun) == sorted(f"runs/{path.relative_to(ROOT / 'results')}" for path in unfinished)
    assert sum(line.startswith("complete") for line in said) > 10


def test_keeping_records(tmp_path, capsys):
    whole = fabricate(tmp_path / "runs" / "a" / "seed0")
    busy = fabricate(tmp_path / "runs" / "a" / "seed1", seed=1)
    (busy / "lock").write_text("{}")
    short = fabricate(tmp_path / "runs" / "a" / "seed2", seed=2)
    stated = json.loads((short / "config.json").read_text())
    stated["settings"]["max_labels"] += 10
    (short / "config.json").write_text(json.dumps(stated))
    assert run("keep", tmp_path / "runs", f"--results={tmp_path / 'kept'}") == 0
    said = capsys.readouterr()
    assert "1 record" in said.out and "seed1: it is in use, or its run was killed" in said.err
    assert re.search(r"seed2: \d+ of \d+ labels", said.err)
    kept = tmp_path / "kept" / "a" / "seed0"
    assert {path.name for path in kept.iterdir()} == {path.name for path in whole.glob("*.csv")} | {"config.json"}
    assert all((whole / path.name).read_bytes() == path.read_bytes() for path in kept.iterdir())
    assert [path.name for path in (tmp_path / "kept" / "a").iterdir()] == ["seed0"]


def test_one_record_or_a_part_of_a_tree_goes_to_its_place(tmp_path):
    place = pathlib.Path("al_mnist", "digits", "BNN-1", "var_ratios", "mu-3")
    for seed in (0, 1):
        fabricate(tmp_path / "runs" / place / f"seed{seed}", seed=seed)
    fabricate(tmp_path / "other" / "seed7", seed=7)
    kept = tmp_path / "kept"
    for part, count in ((place / "seed0", 1), (place, 2), ("", 2)):
        assert run("keep", tmp_path / "runs" / part, f"--results={kept}") == 0
        assert len(list((kept / place).iterdir())) == len(list(kept.rglob("config.json"))) == count
    assert run("keep", tmp_path / "other" / "seed7", f"--results={kept}") == 0
    assert (kept / "seed7" / "metrics.csv").exists() and not (kept / "metrics.csv").exists()


def test_a_longer_kept_record_is_not_replaced(tmp_path, capsys):
    for name, cycles in (("long", 5), ("short", 3)):
        fabricate(tmp_path / name / "a" / "seed0", cycles=cycles, max_labels=10 + 10 * cycles)
    for name, cycles in (("short", 3), ("long", 5), ("short", 5)):
        assert run("keep", tmp_path / name, f"--results={tmp_path / 'kept'}") == 0
        assert len((tmp_path / "kept" / "a" / "seed0" / "metrics.csv").read_text().splitlines()) == 1 + cycles
    said = capsys.readouterr()
    assert said.err.endswith("seed0 has gone farther\n") and said.err.count("left out") == 1
    assert said.out.endswith(": 0 records\n")


def test_keeping_a_complete_record_beside_a_longer_unfinished_one(tmp_path, capsys):
    fabricate(tmp_path / "runs" / "a", max_labels=40, cycles=3)
    fabricate(tmp_path / "runs" / "b", max_labels=60, cycles=4)
    (tmp_path / "runs" / "checkpoint").write_text("no directory of ours, and hides nothing")
    assert run("keep", tmp_path / "runs", f"--results={tmp_path / 'kept'}") == 0
    assert capsys.readouterr().err == f"left out: {tmp_path / 'runs' / 'b'}: 50 of 60 labels\n"
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["a"]


@pytest.mark.parametrize(
    "arguments",
    [["nowhere"], ["."], [".", "--results=."], ["runs", "--results=runs/kept"], ["runs", "--results=a_file"],
     ["runs", "--results=other/seed0"], ["runs", "--results="], ["--records="]],
)  # fmt: skip
def test_a_mistake_is_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("runs", "other"):
        fabricate(tmp_path / name / "seed0") if arguments[0] == "runs" else None
    (tmp_path / "a_file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    assert keep.main(["keep", *arguments]) in (1, 2) and sorted(tmp_path.rglob("*")) == before
    assert re.fullmatch(r"error: --(records|results)=\S* is not valid: it takes .+\n", capsys.readouterr().err)
