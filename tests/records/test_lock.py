"""Two processes never work on one record."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from experiments.errors import RecordError
from experiments.records import lock
from experiments.records.lock import RecordLock
from tests.conftest import ROOT

HOLD = """
import sys, time
from experiments.records.lock import RecordLock
with RecordLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_live_holder_is_named(holder, tmp_path):
    with (
        pytest.raises(RecordError, match=f"in use by process {holder.pid} on {socket.gethostname()}"),
        RecordLock(tmp_path),
    ):
        pass
    os.kill(holder.pid, signal.SIGSTOP)  # suspended is not dead
    with pytest.raises(RecordError, match="in use"), RecordLock(tmp_path):
        pass
    os.kill(holder.pid, signal.SIGCONT)


def test_a_dead_holders_lock_is_taken_over(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert (tmp_path / lock.NAME).exists()
    with RecordLock(tmp_path) as mine:
        mine.check()
    assert list(tmp_path.iterdir()) == []


def write_lock(path, age=0.0, **changes):
    content = {"host": "another", "pid": os.getpid(), "started": psutil.Process().create_time(),
               "heartbeat": time.time(), "token": "x", "where": lock._where(), **changes}  # fmt: skip
    (path / lock.NAME).write_text(json.dumps(content))
    os.utime(path / lock.NAME, (time.time() - age,) * 2)


def test_another_hosts_lock_goes_by_its_heartbeat(tmp_path):
    write_lock(tmp_path)
    with pytest.raises(RecordError, match="on another"), RecordLock(tmp_path):
        pass
    write_lock(tmp_path, age=2 * lock.STALE_SECONDS)
    with RecordLock(tmp_path):
        pass


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_another_hosts_clock_does_not_matter(ahead, tmp_path):
    write_lock(tmp_path, heartbeat=time.time() + ahead)  # written just now, by a clock that differs
    with pytest.raises(RecordError, match="on another"), RecordLock(tmp_path):
        pass
    write_lock(tmp_path, age=2 * lock.STALE_SECONDS, heartbeat=time.time() + ahead)
    with RecordLock(tmp_path):
        pass


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_our_own_clock_does_not_matter(ahead, tmp_path, monkeypatch):
    """It may differ from the file system's, by which a lock's age goes."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    write_lock(tmp_path, age=ahead)  # written just now
    with pytest.raises(RecordError, match="on another"), RecordLock(tmp_path):
        pass
    write_lock(tmp_path, age=ahead + 2 * lock.STALE_SECONDS)
    with RecordLock(tmp_path):
        pass


def test_a_reused_process_number_is_not_the_holder(tmp_path):
    write_lock(tmp_path, host=socket.gethostname(), started=1.0, age=60)
    with RecordLock(tmp_path):
        pass


def test_a_lock_that_was_taken_over_is_noticed_before_writing(tmp_path):
    with RecordLock(tmp_path) as mine:
        write_lock(tmp_path)
        with pytest.raises(RecordError, match="taken over"):
            mine.check()
    assert (tmp_path / lock.NAME).exists()  # the other's lock is left alone


def test_garbage_goes_by_its_age(tmp_path):
    path = tmp_path / lock.NAME
    path.write_text("garbage")
    with pytest.raises(RecordError, match="in use"), RecordLock(tmp_path):
        pass
    os.utime(path, (0, 0))
    with RecordLock(tmp_path):
        pass


def test_the_heartbeat_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.05)
    with RecordLock(tmp_path):
        first = json.loads((tmp_path / lock.NAME).read_text())["heartbeat"]
        time.sleep(0.5)
        assert json.loads((tmp_path / lock.NAME).read_text())["heartbeat"] > first


def test_of_many_that_find_a_stale_lock_one_wins(tmp_path):
    write_lock(tmp_path, host=socket.gethostname(), started=1.0, age=60)
    script = HOLD.replace("time.sleep(60)", "time.sleep(3)")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(6)
    ]
    codes = [(racer.communicate(), racer.returncode)[1] for racer in racers]
    assert codes.count(0) == 1
