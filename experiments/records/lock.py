"""One process per record: a lock file with host, process and heartbeat.

On the same host, boot and process namespace a lock is stale when its process is gone (or its number belongs to
another process and its heartbeat has stopped); elsewhere, when its heartbeat is older than `STALE_SECONDS`. A stale
lock is taken over. Ages are differences between two files' times of one file system: clocks of machines may differ.
"""

import contextlib
import json
import os
import pathlib
import socket
import threading
import time
import uuid

from experiments.errors import RecordError, RecordInUse
from experiments.records.files import LOCK

NAME = LOCK
HEARTBEAT_SECONDS = 15.0
STALE_SECONDS = 120.0


class RecordLock:
    """A context manager that holds a record's lock, and keeps its heartbeat.

    Raises:
      RecordInUse: on entry if a live process holds it; from `check` if another process has taken it over.
      RecordError: on entry if it is no lock of ours.
    """

    def __init__(self, directory):
        self.path = pathlib.Path(directory) / NAME
        self._token = uuid.uuid4().hex
        self._stop = threading.Event()
        self._thread = None
        self._now = 0.0  # when we last tried, by the clock of the file system

    def __enter__(self):
        while not self._try_create():
            content = _read(self.path)
            if content is None:  # its holder has just left
                continue
            if not _is_stale(self.path, content, self._now):
                if "pid" not in content:
                    raise RecordError(
                        f"{self.path} is in use or is not a lock of this program; delete it if no run is active there"
                    )
                raise RecordInUse(
                    f"the record {self.path.parent} is in use by process {content.get('pid')} on "
                    f"{content.get('host')}; wait for it, stop it, or give another --seed or --output_dir"
                )
            self._remove_stale(content)
        self._thread = threading.Thread(target=self._keep_heartbeat, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()
        if (_read(self.path) or {}).get("token") == self._token:
            self.path.unlink(missing_ok=True)

    def check(self):
        """Raises RecordInUse unless the lock is still ours; called before every commit."""
        if (_read(self.path) or {}).get("token") != self._token:
            raise RecordInUse(
                f"the record {self.path.parent} was taken over by another process; this one stops without writing to it"
            )

    def _content(self):
        import psutil  # here, not above: reports, which read the lock's name, do without it

        process = psutil.Process()
        return json.dumps(
            {
                "host": socket.gethostname(),
                "pid": process.pid,
                "started": process.create_time(),
                "where": _where(),
                "heartbeat": time.time(),
                "token": self._token,
            }
        )

    def _try_create(self):
        """Creates the lock with its content at once: a hard link of a finished file cannot be half there."""
        draft = self.path.with_name(f".lock-{self._token}.tmp")
        with open(draft, "w") as file:
            file.write(self._content())
            file.flush()
            self._now = os.fstat(file.fileno()).st_mtime
        try:
            os.link(draft, self.path)
            return True
        except (FileExistsError, FileNotFoundError):  # held; or our draft was swept away by the holder
            return False
        finally:
            draft.unlink(missing_ok=True)

    def _remove_stale(self, content):
        """Moves a stale lock away; puts it back if it turns out to be another, live one."""
        aside = self.path.with_name(f".lock-{self._token}.stale.tmp")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        if (_read(aside) or {}).get("token") != content.get("token"):
            with contextlib.suppress(FileExistsError):
                os.link(aside, self.path)
        aside.unlink(missing_ok=True)

    def _keep_heartbeat(self):
        draft = self.path.with_name(f".lock-{self._token}.tmp")
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):
                if (_read(self.path) or {}).get("token") == self._token:
                    draft.write_text(self._content())
                    os.rename(draft, self.path)


def _where():
    """What tells this boot and this process namespace from others of the same host name (containers)."""
    try:
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _read(path):
    """The lock's content; None if there is none, an empty dict if it is no lock's content."""
    try:
        content = json.loads(path.read_text())
        return content if isinstance(content, dict) else {}
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}


def _is_stale(path, content, now):
    """Whether a lock's holder is gone; `now` is the time of the file system that it lies on."""
    import psutil

    try:
        age = now - path.stat().st_mtime  # each heartbeat writes it anew
        if content["host"] != socket.gethostname() or content["where"] != _where():
            return age > STALE_SECONDS
        is_another = abs(psutil.Process(content["pid"]).create_time() - content["started"]) > 1.0
        return is_another and age > 2 * HEARTBEAT_SECONDS  # a stepped clock also moves create_time
    except psutil.NoSuchProcess:
        return True
    except FileNotFoundError:  # its holder has just left
        return True
    except (KeyError, TypeError, ValueError, psutil.Error):  # not a lock of ours: go by its age
        return age > STALE_SECONDS
