"""Reports of studies whose records are missing, damaged, unreadable or others', by the real `main`."""

import errno
import io
import json
import os
import pathlib

import pytest

from experiments import layer_position
from experiments.studies import grid
from experiments.studies.config import StudyConfig
from tests.studies.written import curve, layer_path, rows, write, written


def test_what_is_missing_is_shown_as_missing(tmp_path, capsys):
    study = StudyConfig(output_dir=str(tmp_path), archs="BNN,CNN", acquisitions="random", seeds=3)
    for config in grid.runs(study)[:-1]:
        write(config, "mnist", curve(config, 0.05))
    broken, short = (grid.runs(study)[i] for i in (0, 2))
    (layer_path(broken) / "metrics.csv").write_text("cycle,labels\n0,20\n")
    text = (layer_path(short) / "metrics.csv").read_text().splitlines(keepends=True)
    (layer_path(short) / "metrics.csv").write_text("".join(text[:11]))
    arguments = [f"--output_dir={tmp_path}", "--archs=BNN,CNN", "--acquisitions=random", "--report_only"]
    assert layer_position.main(["x", *arguments]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("3 of 6 runs are complete, 3 missing (see runs.csv); report: ")
    assert len(said.err.splitlines()) == 1 and "metrics.csv is damaged" in said.err
    directory = tmp_path / "layer_position" / "mnist"
    assert [row["state"] for row in rows(directory / "runs.csv")] == [
        "damaged", "complete", "partial", "complete", "complete", "missing"
    ]  # fmt: skip
    assert "(n = 1 of 3)" in (directory / "table2.md").read_text()
    assert "at 110 of 1000 labels" in (directory / "claims.md").read_text()


@pytest.mark.parametrize("damage", ["", "{}", "\x00\xff", "cycle\n", None])
@pytest.mark.parametrize("name", ["config.json", "metrics.csv"])
def test_damage_of_any_kind_is_one_line(tmp_path, capsys, name, damage):
    study = StudyConfig(output_dir=str(tmp_path), archs="CNN", acquisitions="random", seeds=2)
    for config in grid.runs(study):
        write(config, "mnist", curve(config, 0.05))
    file = layer_path(grid.runs(study)[0]) / name
    file.unlink() if damage is None else file.write_bytes(damage.encode("latin-1"))
    arguments = [f"--output_dir={tmp_path}", "--archs=CNN", "--acquisitions=random", "--seeds=2", "--report_only"]
    assert layer_position.main(["x", *arguments]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("1 of 2 runs are complete") and len(said.err.splitlines()) == 1
    if damage is None:
        assert f"{name} is damaged (it is missing)" in said.err


def test_a_record_of_other_settings_is_left_out(tmp_path, capsys):
    config = StudyConfig(output_dir=str(tmp_path)).run_config(arch="CNN", acquisition="random")
    path = write(config, "mnist", curve(config, 0.05))
    known = json.loads((path / "config.json").read_text())
    known["settings"]["epochs"] = 3
    (path / "config.json").write_text(json.dumps(known))
    arguments = [f"--output_dir={tmp_path}", "--archs=CNN", "--acquisitions=random", "--seeds=1", "--report_only"]
    assert layer_position.main(["x", *arguments]) == 0
    assert "epochs=3 there, 200 here" in capsys.readouterr().err


def test_runs_of_one_data_set_do_not_stand_for_those_of_another(tmp_path, capsys):
    study = StudyConfig(output_dir=str(tmp_path), archs="BNN", acquisitions="random", seeds=2)
    for config in grid.runs(study):
        write(config, "digits", curve(config, 0.05))
    write(grid.runs(study)[0], "mnist", curve(grid.runs(study)[0], 0.04))
    (tmp_path / "al_mnist" / "digits" / "BNN" / "random" / "mu-3" / "seed1").rename(
        tmp_path / "al_mnist" / "mnist" / "BNN" / "random" / "mu-3" / "seed1"
    )
    arguments = [f"--output_dir={tmp_path}", "--archs=BNN", "--acquisitions=random", "--seeds=2", "--report_only"]
    assert layer_position.main(["x", *arguments, "--dataset=mnist"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("1 of 2 runs are complete") and "dataset=digits there, mnist here" in said.err


def test_a_damaged_record_with_a_lock_is_named_too(tmp_path, capsys):
    study = StudyConfig(output_dir=str(tmp_path), archs="CNN", acquisitions="random", seeds=2)
    for config in grid.runs(study):
        write(config, "mnist", curve(config, 0.05))
    path = layer_path(grid.runs(study)[0])
    (path / "metrics.csv").write_text("cycle\n")
    (path / "lock").write_text("{}")
    arguments = [f"--output_dir={tmp_path}", "--archs=CNN", "--acquisitions=random", "--seeds=2", "--report_only"]
    assert layer_position.main(["x", *arguments]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("left out: in use, or was killed: ") and "metrics.csv is damaged" in line


def test_empty_directories_of_records_are_no_records(tmp_path, capsys):
    study = StudyConfig(output_dir=str(tmp_path), archs="CNN", acquisitions="random", seeds=1)
    (config,) = grid.runs(study)
    layer_path(config).mkdir(parents=True)  # as a run leaves one that finds no data
    write(config, "digits", curve(config, 0.05))
    arguments = [f"--output_dir={tmp_path}", "--archs=CNN", "--acquisitions=random", "--seeds=1", "--report_only"]
    assert layer_position.main(["x", *arguments]) == 0
    assert capsys.readouterr().out.startswith("1 of 1 runs are complete; report: " + str(tmp_path / "layer_position"))
    assert (tmp_path / "layer_position" / "digits" / "table2.md").exists()


def test_a_record_that_may_not_be_looked_into_is_damaged(tmp_path, monkeypatch, capsys):
    study = written(tmp_path, seeds=2, archs="BNN-1", acquisitions="random")
    closed = layer_path(grid.runs(study)[1])
    stat, opened, scandir = os.stat, io.open, os.scandir  # permissions do not bind root, as whom tests may run

    def unless_closed(call, includes_itself):
        def checked(path, *how, **named):
            found = pathlib.Path(os.fsdecode(path)) if isinstance(path, (str, bytes, os.PathLike)) else None
            if found and (closed in found.parents or (includes_itself and found == closed)):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *how, **named)

        return checked

    monkeypatch.setattr(os, "stat", unless_closed(stat, False))
    monkeypatch.setattr(io, "open", unless_closed(opened, False))
    monkeypatch.setattr(os, "scandir", unless_closed(scandir, True))
    arguments = [f"--output_dir={tmp_path}", "--seeds=2", "--archs=BNN-1", "--acquisitions=random"]
    assert layer_position.main(["x", *arguments, "--report_only"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("1 of 2 runs are complete, 1 missing") and "Permission denied" in said.err


def test_no_records_at_all_is_one_line(tmp_path, capsys):
    assert layer_position.main(["x", f"--output_dir={tmp_path}", "--report_only"]) == 1
    assert capsys.readouterr().err.startswith("error: --report_only finds no record of this study under")
    assert not os.listdir(tmp_path)


def test_a_record_whose_cycles_do_not_follow_each_other_is_damaged(tmp_path, capsys):
    study = StudyConfig(output_dir=str(tmp_path), archs="CNN", acquisitions="random", seeds=2)
    for config in grid.runs(study):
        write(config, "mnist", curve(config, 0.05))
    file = layer_path(grid.runs(study)[0]) / "metrics.csv"
    text = file.read_text()
    assert "\n1,30," in text
    file.write_text(text.replace("\n1,30,", "\n7,30,"))
    arguments = [f"--output_dir={tmp_path}", "--archs=CNN", "--acquisitions=random", "--seeds=2", "--report_only"]
    assert layer_position.main(["x", *arguments]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("1 of 2 runs are complete") and "its cycles are not 0, 1, 2, ..." in said.err
