"""Records: killed, full, damaged, locked, foreign."""

import functools
import io
import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from bayes_layers import processor
from experiments.errors import RecordError
from experiments.records import arrays, checkpoint, facts, files, record, tables
from experiments.records.lock import RecordLock
from experiments.records.record import Record
from tests.conftest import ROOT, content
from tests.records import commit_loop

LAST_CYCLE = 2


@functools.cache
def commit_loops():
    command = [sys.executable, "-m", "tests.records.commit_loop"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def commit_in_a_process(directory, fault="", last_cycle=LAST_CYCLE):
    loops = commit_loops()
    print(json.dumps([str(directory), last_cycle, fault]), file=loops.stdin, flush=True)
    returncode, stderr = json.loads(loops.stdout.readline())
    return subprocess.CompletedProcess([], returncode, stderr=stderr)


@pytest.fixture(scope="module", autouse=True)
def _no_loops_are_left():
    yield
    if commit_loops.cache_info().currsize:
        commit_loops().communicate(timeout=60)
        commit_loops.cache_clear()


def whole_content(path):
    return {**content(path), **{p.name: p.read_bytes() for p in (path / "checkpoint").iterdir()}}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("uninterrupted") / "record"
    assert commit_in_a_process(path).returncode == 0
    return path


def test_a_kill_at_every_write_sync_and_rename_loses_nothing(uninterrupted, tmp_path):
    """Each number is one step on disk: open, half a write, sync, rename, sync of the directory, removal."""
    kills = 0
    for step in range(1, 1000):
        path = tmp_path / str(step)
        killed = commit_in_a_process(path, f"kill:{step}")
        if killed.returncode == 0:
            break
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        kills += 1
        again = commit_in_a_process(path)
        assert again.returncode == 0, (step, again.stderr)
        assert whole_content(path) == whole_content(uninterrupted), step
        shutil.rmtree(path)
    assert kills > 30 * LAST_CYCLE


@pytest.mark.parametrize("step", [1, 7, 20, 40, 41, 42, 43, 60])
def test_a_full_disk_loses_nothing(uninterrupted, tmp_path, step):
    path = tmp_path / "record"
    full = commit_in_a_process(path, f"enospc:{step}")
    assert full.returncode == 1 and "No space left on device" in full.stderr
    assert not list(path.rglob(".*.tmp"))
    assert commit_in_a_process(path).returncode == 0
    assert whole_content(path) == whole_content(uninterrupted)


def test_a_longer_run_goes_on(uninterrupted, tmp_path):
    path = tmp_path / "record"
    assert commit_in_a_process(path, last_cycle=1).returncode == 0
    assert commit_in_a_process(path).returncode == 0
    assert whole_content(path) == whole_content(uninterrupted)


def damage(path, how):
    kind, name = how.split(" ")
    file = path / name
    if kind == "truncate":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "remove":
        file.unlink()
    elif kind == "flip":
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0xFF
        file.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "how",
    [f"truncate {name}.csv" for name in tables.COLUMNS]
    + [f"flip {name}.csv" for name in tables.COLUMNS]
    + [
        f"{kind} {name}"
        for kind in ("truncate", "empty")
        for name in ("acquired.npz", "checkpoint/000002.npz", "checkpoint/latest", "config.json", "metrics.csv")
    ]
    + ["remove checkpoint/latest", "remove checkpoint/000002.npz", "remove config.json", "flip checkpoint/000002.npz"],
)
def test_damage_is_named_and_nothing_is_changed(uninterrupted, tmp_path, how):
    path = tmp_path / "record"
    shutil.copytree(uninterrupted, path)
    damage(path, how)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    again = commit_in_a_process(path, last_cycle=5)
    assert again.returncode == 1
    last_line = again.stderr.strip().splitlines()[-1]
    assert "RecordError" in last_line and how.split("/")[-1].split(" ")[-1] in last_line and "damaged" in last_line
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["image", "label", "index", "cycle"])
def test_a_flipped_bit_in_any_acquired_array_is_named(uninterrupted, tmp_path, name):
    data = bytearray((uninterrupted / record.ACQUIRED).read_bytes())
    with np.load(io.BytesIO(data)) as file:
        arrays = {each: file[each] for each in file.files}
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        info = file.getinfo(f"{name}.npy")
    data[info.header_offset + 30 + len(info.filename) + info.file_size] ^= (
        1  # among the last values, before the padding
    )
    file = tmp_path / record.ACQUIRED
    file.write_bytes(data)
    with pytest.raises(RecordError, match=r"acquired\.npz is damaged"):
        record.acquired_in(file)
    file.write_bytes(files.npz_bytes({**arrays, name: arrays[name][1:]}))
    with pytest.raises(RecordError, match=r"acquired\.npz is damaged .its arrays have different lengths"):
        record.acquired_in(file)


def test_no_flipped_bit_of_a_file_of_arrays_is_believed(tmp_path):
    path, head = tmp_path / "one.npz", {"settings": {"seed": 1}}
    values = {"mean": np.arange(6, dtype=np.float32).reshape(2, 3), "count": np.arange(5)}
    arrays.write(path, head, values)
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        try:
            found_head, found = arrays.read(path)
        except RecordError as error:
            assert "is damaged" in str(error) and "\n" not in str(error)
            refused += 1
            continue
        assert found_head == head and list(found) == list(values), place
        for name, value in values.items():
            np.testing.assert_array_equal(found[name], value, strict=True)
    assert refused > len(whole) / 2
    for size in (0, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(RecordError, match="is damaged"):
            arrays.read(path)
    path.write_bytes(files.npz_bytes({"record": np.array(json.dumps(head)), **values}))  # from before it was stated
    assert arrays.read(path)[0] == head and arrays.read(tmp_path / "none.npz") is None


def test_another_configuration_or_data_set_is_refused(uninterrupted, tmp_path):
    path = tmp_path / "record"
    shutil.copytree(uninterrupted, path)
    with RecordLock(path) as lock:
        facts = {"versions": {}, "git_commit": None, "device": "a test", "dataset": {"sha256": "0"}}
        with pytest.raises(RecordError, match="another configuration \\(arch=BNN there, CNN here\\)"):
            Record(path, lock).open({**facts, "settings": {"arch": "CNN"}})
        with pytest.raises(RecordError, match="other images"):
            Record(path, lock).open({**facts, "settings": {"arch": "BNN"}, "dataset": {"sha256": "1", "name": "mnist"}})


def test_changed_versions_are_appended_not_refused(uninterrupted, tmp_path):
    path = tmp_path / "record"
    shutil.copytree(uninterrupted, path)
    facts = {"settings": {"arch": "BNN", "max_labels": 4}, "versions": {"tensorflow": "9"}, "git_commit": None,
             "device": "a test", "dataset": {"sha256": "0"}}  # fmt: skip
    with RecordLock(path) as lock:
        book = Record(path, lock)
        book.open(facts)
    assert book.changes == ["versions: {} -> {'tensorflow': '9'}"]
    config = json.loads((path / "config.json").read_text())
    assert config["versions"] == {} and config["history"] == [{"from_cycle": 3, "changes": book.changes}]


def test_another_number_of_threads_and_another_device_are_said(uninterrupted, tmp_path):
    path = tmp_path / "record"
    shutil.copytree(uninterrupted, path)
    facts = {"settings": {"arch": "BNN", "max_labels": 4}, "versions": {}, "git_commit": None, "device": "a test",
             "dataset": {"sha256": "0"}}  # fmt: skip
    changes = []
    for stated in ({"threads": 1}, {"threads": 1}, {"threads": 2}, {"threads": 1, "device": "a test (AVX2)"}):
        with RecordLock(path) as lock:
            book = Record(path, lock)
            book.open({**facts, **stated})
        changes.append(book.changes)
    assert changes == [[], [], ["threads: 1 -> 2"], ["device: a test -> a test (AVX2)"]]


def test_the_threads_that_tensorflow_was_told_are_stated(monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    allowed = facts.threads()
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    assert facts.threads() == 7
    for nothing in ("", "0", "x"):
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", nothing)
        assert facts.threads() == allowed


def test_the_device_tells_processors_of_one_name_apart(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    devices = []
    for flags in ((), ("avx2",), ("avx2", "avx512f", "avx512_bf16")):
        monkeypatch.setattr(processor, "features", lambda flags=flags: frozenset(flags))
        devices.append(facts.device())
    name = devices[0]
    assert name and devices == [name, f"{name} (AVX2)", f"{name} (AVX-512 BF16)"]
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert facts.device() == f"{name} (AVX-512 BF16, TF_ENABLE_ONEDNN_OPTS=0)"


@pytest.mark.parametrize("content", [[], 1, "text"])
def test_a_previous_checkpoint_of_other_content_is_damage(uninterrupted, tmp_path, content):
    path = tmp_path / "record"
    shutil.copytree(uninterrupted, path)
    previous = path / "checkpoint" / "000001.npz"
    previous.write_bytes(files.npz_bytes({"record": np.array(json.dumps(content))}))
    with pytest.raises(RecordError, match=r"000001.npz is damaged"):
        record.inspect(path)


def test_a_record_without_its_checkpoints_is_said_to_be_kept(uninterrupted, tmp_path):
    path = tmp_path / "record"
    shutil.copytree(uninterrupted, path)
    shutil.rmtree(path / "checkpoint")
    with pytest.raises(RecordError, match="was kept without its checkpoint/, and cannot be continued"):
        record.inspect(path)


def test_a_record_from_before_a_setting_existed_is_taken_for_what_it_was(tmp_path):
    record.check_settings(tmp_path, {"settings": {"arch": "BNN"}}, {"arch": "BNN", "scoring": "full"})
    with pytest.raises(RecordError, match="scoring=full there, race here"):
        record.check_settings(tmp_path, {"settings": {"arch": "BNN"}}, {"arch": "BNN", "scoring": "race"})


def test_rows_survive_the_text_and_back():
    rows = [
        tables.row("metrics", cycle=0, labels=20, test_error=0.1 + 0.2, train_nll=float("nan"), train_seconds="1.250")
    ]
    text = tables.to_text("metrics", rows)
    assert tables.from_text("metrics", text) == rows
    assert text.splitlines()[0] == (
        "cycle,labels,test_error,test_nll,test_brier,test_ece,train_nll,train_kl,kl_weight,train_seconds,score_seconds,"
        "test_seconds"
    )
    assert text.splitlines()[1] == "0,20,0.30000000000000004,,,,,,,1.250,,"
    assert tables.column(rows, "test_nll") == [None]
    with pytest.raises(KeyError):
        tables.row("metrics", error=1)
    for bad in ("cycle,labels\n", text + "1,2\n"):
        with pytest.raises(ValueError):
            tables.from_text("metrics", bad)


def test_equal_arrays_give_equal_bytes():
    first = files.npz_bytes({"a": np.arange(3)})
    time.sleep(2.1)  # zip files have a time stamp of two seconds' precision
    assert files.npz_bytes({"a": np.arange(3)}) == first


def test_inspect_reads_without_writing(uninterrupted):
    before = whole_content(uninterrupted)
    state = record.inspect(uninterrupted)
    assert state.cycle == LAST_CYCLE and record.acquired_order(state) == list(range(6))
    assert whole_content(uninterrupted) == before
    assert checkpoint.numbered_files(uninterrupted / "checkpoint")[0].name == "000002.npz"
    assert commit_loop.acquired(state.rows)["index"].tolist() == list(range(6))
