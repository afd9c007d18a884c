"""Small records: two processes, failures, damage."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from bayes_layers.settings import Settings, setting
from experiments.errors import DataError, RecordError, RecordInUse
from experiments.records import files
from experiments.records.small import SETTINGS, SmallRecord
from tests.conftest import ROOT

TABLE = {"squares.csv": (("x", "y"), [{"x": x, "y": x * x} for x in range(5)]), "one.npz": b"bytes"}


@dataclasses.dataclass(frozen=True)
class TinyConfig(Settings):
    """Tiny"""

    points: int = setting(5, "Points.")
    output_dir: str = setting("runs", "Where.", result=False, in_record=False)
    report_only: bool = setting(False, "Read.", result=False, in_record=False)


@pytest.fixture
def made(tmp_path):
    book = SmallRecord("tiny", TinyConfig(output_dir=str(tmp_path)))
    book.make(lambda config: TABLE, "first")
    return book


def content(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_a_record_states_its_files(made):
    assert sorted(content(made.path)) == ["one.npz", SETTINGS, "squares.csv"]
    stated = json.loads((made.path / SETTINGS).read_text())["sha256"]
    assert stated == {name: hashlib.sha256((made.path / name).read_bytes()).hexdigest() for name in TABLE}
    assert made.rows("squares.csv", ("x", "y"))[4] == {"x": "4", "y": "16"} and made.source == "first"


def test_of_two_processes_one_makes_it(tmp_path):
    book, entered, leave = SmallRecord("tiny", TinyConfig(output_dir=str(tmp_path))), threading.Event(), []

    def run(config):
        entered.set()
        with pytest.raises(RecordInUse, match=f"in use by process {os.getpid()}"):
            book.make(lambda config: leave.append("not called"))
        return TABLE

    book.make(run)
    assert entered.is_set() and not leave and book.is_made and not (book.path / files.LOCK).exists()


def test_who_finds_it_made_meanwhile_leaves_it(made, monkeypatch):
    """Another process makes it between the look and the lock."""
    answers = iter([False, True])
    monkeypatch.setattr(made, "_is_of", lambda source: next(answers))
    made.make(lambda config: pytest.fail("it is made"), "first")


@pytest.mark.parametrize("error", [DataError("no data"), KeyboardInterrupt()])
def test_what_cannot_be_made_again_stays(made, error):
    before = content(made.path)

    def run(config):
        raise error

    with pytest.raises(type(error)):
        made.make(run, "second")
    assert content(made.path) == before
    SmallRecord("tiny", made.config.replace(report_only=True)).make(run)
    with pytest.raises(RecordError, match="made of another state"):
        SmallRecord("tiny", made.config.replace(report_only=True)).make(run, "second")


def test_it_is_made_again_when_asked(made):
    made.make(lambda config: {"squares.csv": (("x",), [{"x": 7}])}, "first", again=True)
    assert made.rows("squares.csv", ("x",)) == [{"x": "7"}]


@pytest.mark.parametrize("size", [0, 3, 8, 9, -2])
@pytest.mark.parametrize("is_old", [False, True])
def test_a_truncated_table_is_named(made, size, is_old):
    file, settings = made.path / "squares.csv", made.path / SETTINGS
    file.write_bytes(file.read_bytes()[:size])
    if is_old:  # from before the digests were stated: a whole number of rows looks like a table
        known = json.loads(settings.read_text())
        del known["sha256"]
        settings.write_text(json.dumps(known))
        if size == 8:
            assert len(made.rows("squares.csv", ("x", "y"))) == 1
            return
    with pytest.raises(RecordError, match=r"squares\.csv is damaged .*remove settings\.json there") as error:
        made.rows("squares.csv", ("x", "y"))
    assert "\n" not in str(error.value)


def test_a_table_of_other_columns_is_named(made):
    with pytest.raises(RecordError, match=r"squares\.csv is damaged .the columns of squares\.csv are x,z, found x,y"):
        made.rows("squares.csv", ("x", "z"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": 3}', "\xff"])
def test_damaged_settings_are_named(made, text):
    (made.path / SETTINGS).write_bytes(text.encode("latin-1"))
    with pytest.raises(RecordError, match=r"settings\.json is damaged"):
        made.make(lambda config: TABLE, "first")


WRITE = """
import pathlib, sys
from experiments.records import files
for _ in range(150):
    files.write_bytes(pathlib.Path(sys.argv[1]), sys.argv[2].encode() * 50_000)
"""


def test_two_processes_that_write_one_file_leave_it_whole(tmp_path):
    path = tmp_path / "one.npz"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(path), letter], cwd=ROOT, stderr=subprocess.PIPE)
        for letter in "ab"
    ]
    said = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], said
    assert path.read_bytes() in (b"a" * 50_000, b"b" * 50_000) and list(tmp_path.iterdir()) == [path]


def test_what_was_left_half_written_long_ago_goes(tmp_path):
    path = tmp_path / "one.npz"
    killed = subprocess.run(
        [sys.executable, "-c", WRITE, str(path), "a"], cwd=ROOT, env={**os.environ, files.FAULT_VARIABLE: "kill:2"}
    )
    (leftover,) = files.temporaries(tmp_path)
    assert killed.returncode == -9 and leftover.stat().st_size == 25_000
    of_another = tmp_path / ".another.npz.12.tmp"
    of_another.write_bytes(b"")
    files.write_bytes(path, b"b")  # perhaps another machine is still at it
    assert leftover.exists() and path.read_bytes() == b"b"
    for file in (leftover, of_another):
        os.utime(file, (time.time() - 7200,) * 2)
    files.write_bytes(path, b"c")
    assert sorted(tmp_path.iterdir()) == sorted([path, of_another])
    files.remove_temporaries(tmp_path)  # for the holder of the lock
    assert list(tmp_path.iterdir()) == [path]
