"""What a `config.json` may say, and how one of wrong types is met by whatever reads records."""

import json

import pytest

from experiments import keep
from experiments.errors import RecordError
from experiments.records.record import read_config
from tests.conftest import ROOT
from tests.fabricated import fabricate
from tests.page.pages import Page, write

WRONG = {
    "max_labels": ["40", None, True, 40.5],
    "precision": [5, ["a"], None],
    "jit_compile": [["true"], {}, True],
    "learning_rate": [float("nan"), float("inf"), "0.1"],
    "balanced_init": [1, "true"],
    "kl_scale": [["labels"], None],
    "no_such_setting": [float("nan"), [], None],
}


def spoil(path, **changes):
    known = json.loads((path / "config.json").read_text())
    parts = {name: changes.pop(name) for name in ("dataset", "versions", "history") if name in changes}
    (path / "config.json").write_text(json.dumps({**known, **parts, "settings": {**known["settings"], **changes}}))


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_setting_of_another_type_is_damage(name, value, tmp_path):
    path = fabricate(tmp_path)
    spoil(path, **{name: value})
    with pytest.raises(RecordError, match=f"config.json is damaged .*{name} = "):
        read_config(path)


@pytest.mark.parametrize(
    "parts",
    [{"dataset": "digits"}, {"versions": []}, {"history": 5}, {"history": [{"changes": ["a"]}]}, {"history": ["a"]}],
)
def test_another_part_of_another_type_is_damage(parts, tmp_path):
    path = fabricate(tmp_path)
    spoil(path, **parts)
    with pytest.raises(RecordError, match=r"config.json is damaged"):
        read_config(path)


def test_brackets_without_end_are_damage(tmp_path):
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(RecordError, match=r"config.json is damaged"):
        read_config(tmp_path)


def test_what_another_version_may_know_is_let_pass(tmp_path):
    path = fabricate(tmp_path)
    spoil(path, arch="BNN-17", mu_init=-3, kl_scale=0.5, a_new_setting="new")
    assert read_config(path)["settings"]["arch"] == "BNN-17"
    kept = list((ROOT / "results").rglob("seed*/config.json"))
    assert len(kept) > 80 and all(read_config(file.parent) for file in kept)


@pytest.mark.parametrize(("name", "value"), [("precision", 5), ("jit_compile", ["true"]), ("mu_init", float("nan"))])
def test_the_other_records_are_shown_and_kept(name, value, tmp_path, capsys):
    fabricate(tmp_path / "runs" / "well", cycles=5)
    spoil(fabricate(tmp_path / "runs" / "unwell", seed=1), **{name: value})
    page = Page(write(tmp_path / "runs"))
    assert "1 damaged" in page.text and "not a configuration" in page.text
    assert keep.main(["keep", str(tmp_path / "runs"), f"--results={tmp_path / 'kept'}"]) == 0
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["well"]
    assert "unwell: config.json is damaged" in capsys.readouterr().err
