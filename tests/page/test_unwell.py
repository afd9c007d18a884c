"""The report page of what is damaged, unreadable, unfinished or double, and users' mistakes, by the real `main`."""

import csv
import errno
import json
import os
import pathlib
import re
import shutil

import pytest

from experiments import report
from experiments.records import files
from tests.fabricated import fabricate
from tests.page.pages import Page, write


@pytest.mark.parametrize("name", ["metrics.csv", "acquisitions.csv", "posterior.csv"])
def test_a_kept_record_that_lacks_a_table_is_damaged_not_unfinished(name, tmp_path):
    kept = fabricate(tmp_path / "kept")
    shutil.rmtree(kept / "checkpoint")
    (kept / name).unlink()
    page = Page(write(tmp_path))
    assert "1 damaged" in page.text and f"{name} is damaged (it is missing)" in page.text


def config_with(path, **changes):
    config = json.loads((path / "config.json").read_text())
    for name, value in changes.items():
        config["settings"].pop(name) if value is None else config["settings"].__setitem__(name, value)
    (path / "config.json").write_text(json.dumps(config))


def label_with(path, text):
    """Makes a small record of it, whose first image has another label."""
    shutil.rmtree(path / "checkpoint")
    rows = list(csv.DictReader((path / "acquisitions.csv").read_text().splitlines()))
    rows[0]["label"] = text
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    (path / "acquisitions.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: config_with(p, arch=None), "config.json has no 'arch'"),
        (lambda p: config_with(p, query_size=0), "query_size < 1"),
        (lambda p: config_with(p, seed="x"), "seed = 'x'"),
        (lambda p: (p / "config.json").write_text("[]"), "not a configuration"),
        (lambda p: (p / "config.json").unlink(), "no config.json"),
        (lambda p: (p / "checkpoint" / "latest").write_text("{}"), "not a pointer"),
        (lambda p: label_with(p, "-1"), "labels that no data set has"),
        (lambda p: label_with(p, "1000000000"), "labels that no data set has"),
        (lambda p: label_with(p, ""), "label has a cell that is empty"),
        (lambda p: (p / "acquired.npz").write_bytes(b"PK"), "acquired.npz is damaged"),
        (lambda p: (p / "acquisitions.csv").write_bytes(b"\xff"), "acquisitions.csv is damaged"),
    ],
)
def test_damage_is_shown_not_raised(spoil, words, tmp_path):
    fabricate(tmp_path / "well")
    spoil(fabricate(tmp_path / "unwell", arch="BNN"))
    page = Page(write(tmp_path))
    assert "1 complete1 damaged" in page.text and words in page.text
    assert "BNN-1" in page.text


def test_a_record_that_is_being_written(tmp_path):
    path = fabricate(tmp_path / "a", cycles=3)
    (path / "lock").write_text("{}")
    assert "40 of 60 labels; a process is at work, or was stopped" in write(tmp_path)
    (path / "metrics.csv").write_text("")
    assert "could not be read while a process was at work on it" in write(tmp_path)


def without_last_row(text):
    return text[: text.rindex("\n", 0, -1) + 1]


def header_alone(text):
    return text[: text.index("\n") + 1]


def with_the_first_image_last(text):
    rows = list(csv.reader(text.splitlines()))
    column = rows[0].index("index")
    rows[-1][column] = rows[1][column]
    return "\n".join(map(",".join, rows)) + "\n"


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("posterior.csv", without_last_row, "it has not the rows of every cycle"),
        ("calibration.csv", without_last_row, "it has not the rows of every cycle"),
        ("posterior.csv", header_alone, "it has not the rows of every cycle"),
        ("calibration.csv", header_alone, "it has not the rows of every cycle"),
        ("acquisitions.csv", with_the_first_image_last, "it has an image twice"),
        ("posterior.csv", lambda text: text[:-2], "posterior ends within a line"),
        ("metrics.csv", lambda text: text[:-2], "metrics ends within a line"),
        ("metrics.csv", lambda text: text.replace(",0.01,", ",nan,", 1), "train_nll is nan"),
        (
            "metrics.csv",
            lambda text: re.sub(r"^4,60,0", "4,60,7", text, flags=re.M),
            "test_error of metrics.csv is not",
        ),
    ],
)
def test_kept_tables_that_do_not_fit_are_damaged(name, spoil, words, tmp_path):
    kept = fabricate(tmp_path / "kept", layers=("Dense1", "Dense2"))
    shutil.rmtree(kept / "checkpoint")
    assert report.main(["report", str(tmp_path)]) == 0 and "1 complete" in Page(write(tmp_path)).text
    text = (kept / name).read_text()
    assert spoil(text) != text
    (kept / name).write_text(spoil(text))
    page = Page(write(tmp_path))
    assert "1 damaged" in page.text and words in page.text and not page.rows


def test_of_two_records_with_the_same_settings_the_longer_is_shown(tmp_path):
    fabricate(tmp_path / "a", max_labels=40, cycles=3)
    fabricate(tmp_path / "b", max_labels=60, cycles=4)
    page = Page(write(tmp_path))
    assert "athe same settings as b, which has gone farther; left out" in page.text
    assert "b50 of 60 labels" in page.text and "Test error (%) at 50 labels" in page.text


def test_labels_needed_are_of_complete_runs(tmp_path):
    shutil.rmtree(fabricate(tmp_path / "a", cycles=5) / "checkpoint")
    text = (tmp_path / "a" / "metrics.csv").read_text()
    rows = list(csv.reader(text.splitlines()))
    for row, error in zip(rows[1:], ("0.5", "0.3", "0.08", "0.07", "0.03"), strict=True):
        row[2] = error
    (tmp_path / "a" / "metrics.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    fabricate(tmp_path / "b", cycles=1, seed=1)
    fabricate(tmp_path / "c", cycles=1, arch="BNN")
    page = Page(write(tmp_path))
    start = page.text.index("Labels needed for a test error of 10 %")
    assert "medians over complete runs" in page.text[start:]
    assert ["BNN-1|μ = −3", "40|5 %: 60"] in page.rows and ["BNN|μ = −3", "not complete"] in page.rows


def test_a_file_named_like_the_checkpoints_hides_no_records(tmp_path):
    """TensorFlow's own checkpoints have one."""
    fabricate(tmp_path / "a")
    (tmp_path / "checkpoint").write_text("model_checkpoint_path: ...")
    assert "1 record1 complete" in Page(write(tmp_path)).text


def test_a_path_that_is_no_text(tmp_path):
    fabricate(tmp_path / os.fsdecode(b"bad\xff"))
    assert "bad\\udcff" in write(tmp_path)


def test_what_may_not_be_read_is_named(tmp_path, monkeypatch):
    fabricate(tmp_path / "a")
    kept = fabricate(tmp_path / "kept", seed=1)
    shutil.rmtree(kept / "checkpoint")
    fabricate(tmp_path / "closed" / "b", seed=2)

    scandir, read_text = os.scandir, pathlib.Path.read_text  # permissions do not bind root, as whom tests may run

    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    def closed(path):
        return refuse(path) if str(path).endswith("closed") else scandir(path)

    def unreadable(path, *how, **named):
        return refuse(path) if path == kept / "metrics.csv" else read_text(path, *how, **named)

    monkeypatch.setattr(os, "scandir", closed)
    monkeypatch.setattr(pathlib.Path, "read_text", unreadable)
    page = Page(write(tmp_path))
    assert "1 complete2 unreadable" in page.text
    assert "closedPermission denied" in page.text and "keptmetrics.csv: Permission denied" in page.text


@pytest.mark.parametrize("output", ["{tmp}/pipe", "{tmp}/to_pipe", "/dev/null"])
def test_a_page_replaces_nothing_but_a_file(output, tmp_path, capsys):
    fabricate(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_pipe").symlink_to(tmp_path / "pipe")
    output = output.replace("{tmp}", str(tmp_path))
    assert report.main(["report", str(tmp_path), f"--output={output}"]) == 1
    assert f"--output={output} is not valid: it takes a file" in capsys.readouterr().err
    assert not pathlib.Path(output).is_file()


def test_a_page_goes_where_a_link_points(tmp_path):
    fabricate(tmp_path / "a")
    (tmp_path / "real.html").write_text("")
    (tmp_path / "link.html").symlink_to(tmp_path / "real.html")
    assert report.main(["report", str(tmp_path), f"--output={tmp_path / 'link.html'}"]) == 0
    assert (tmp_path / "link.html").is_symlink() and "BNN-1" in (tmp_path / "real.html").read_text()


def test_a_page_that_cannot_be_written(tmp_path, monkeypatch, capsys):
    fabricate(tmp_path / "a")
    monkeypatch.setenv("BAYES_LAYERS_FAULT", f"enospc:{files._steps_taken + 2}")
    assert report.main(["report", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: --output={tmp_path / 'report.html'} cannot be written: No space left on device")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{tmp}/nowhere"], "--records={tmp}/nowhere is not valid: it takes a directory of records"),
        (["{tmp}"], "--records={tmp} is not valid: it takes a directory of records, and holds none"),
        (["--records="], "--records= is not valid: it takes a directory of records"),
        (["{tmp}", "two"], "unexpected argument 'two'"),
        (["{tmp}", "--images=-1"], "--images=-1 is not valid: it takes a whole number of at least 0"),
        (["{tmp}/a", "--output={tmp}/no/where.html"], "--output={tmp}/no/where.html is not valid"),
        (["--record=x"], "there is no flag --record; did you mean --records?"),
    ],
)
def test_mistakes_are_one_line(arguments, words, tmp_path, capsys):
    if "/a" in arguments[0]:
        fabricate(tmp_path / "a")
    assert report.main(["report", *(a.replace("{tmp}", str(tmp_path)) for a in arguments)]) in (1, 2)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and words.replace("{tmp}", str(tmp_path)) in line


def test_records_behind_a_link_are_found_once(tmp_path):
    fabricate(tmp_path / "elsewhere" / "seed1", seed=1)
    runs = tmp_path / "runs"
    fabricate(runs / "here" / "seed0")
    (runs / "linked").symlink_to(tmp_path / "elsewhere")
    (runs / "linked_again").symlink_to(tmp_path / "elsewhere")
    (runs / "here" / "loop").symlink_to(runs)
    assert ": 2 records" in Page(write(runs)).text and "left out" not in Page(write(runs)).text
