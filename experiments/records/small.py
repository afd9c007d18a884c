"""Small records: an experiment of seconds or minutes, with its settings and tables, made in one commit.

The last file of a record to be written is `settings.json`, which also states the SHA-256 of the others; a record
without it is made again, from the files `unfinished_*` if the experiment has left some. Who makes a record holds its
lock, and what was there before stays until the new results are complete.
"""

import contextlib
import dataclasses
import hashlib
import json
import pathlib

from experiments.errors import RecordError, RecordInUse, UserError
from experiments.records import facts, figures, files, tables
from experiments.records.lock import RecordLock
from experiments.records.paths import changed_settings

SETTINGS = "settings.json"  # not config.json, by which the records of runs are found
UNFINISHED = "unfinished_"  # begins the names of files that are removed when the record is made


class SmallRecord:
    """The tables of one experiment with one config.

    It is at `<output_dir>/<name>[/<part>][/<setting>=<value>[,...]][/seed<seed>]`, for settings that are not at their
    defaults, and with the seed if there is such a setting.
    """

    def __init__(self, name, config, part=""):
        """Finds the place; nothing is written.

        Args:
          name: the experiment's directory under `--output_dir`.
          config: frozen settings with `output_dir` and `report_only` (which says to read only).
          part: a directory between the name and the settings, such as what was examined.
        """
        self.config = config
        root = pathlib.Path(config.output_dir).expanduser() / name / part
        changed = changed_settings("", config, ("seed",)).removeprefix(",")
        self.path = root / changed / (f"seed{config.seed}" if hasattr(config, "seed") else "")

    @property
    def is_made(self):
        """Whether the tables are there."""
        return self._known() is not None

    @property
    def source(self):
        """SHA-256 of what was examined; None if nothing was, or the tables are not there."""
        return self.stated("source")

    def stated(self, name):
        """What `settings.json` states under a name; None if it does not."""
        return (self._known() or {}).get(name)

    def _known(self):
        file = self.path / SETTINGS
        try:
            known = json.loads(file.read_text())
            known["settings"].items()
            return known
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(file, f"not the settings of a record: {error!r}") from error

    def make(self, run, source=None, again=False, **facts_of_source):
        """Runs the experiment unless its tables are there; with `report_only` they have to be.

        Args:
          run: called with the config for a dict from a table's file name to its columns and rows (dicts), or from
            another file's name to its bytes.
          source: SHA-256 of what is examined, or None; tables that were made of something else are made again. With
            `report_only` None stands for whatever they were made of.
          again: whether to make them again even so.
          **facts_of_source: JSON values that `settings.json` states beside it.

        Raises:
          UserError: if the tables are to be read only, and are not there; if the directory cannot be made.
          RecordError: if the tables are to be read only, and were made of something else.
          RecordInUse: if another process makes them.
        """
        if self.config.report_only:
            self._check(source)
            return
        if self._is_of(source) and not again:
            self._tidy()
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path} cannot be made: {error.strerror}; give another --output_dir") from error
        with RecordLock(self.path) as lock:
            if again or not self._is_of(source):  # another process may just have made it
                self._make(run, {"source": source, **facts_of_source}, lock)
            self._remove_unfinished()

    def _check(self, source):
        known = self._known()
        if known is None:
            raise UserError(f"--report_only finds nothing in {self.path}; leave it out to run the experiment")
        if source is not None and known.get("source") != source:
            raise RecordError(
                f"{self.path} was made of another state of the record; leave --report_only out to make it again"
            )

    def _is_of(self, source):
        known = self._known()
        return known is not None and known.get("source") == source

    def _make(self, run, of_source, lock):
        contents = {name: _bytes(content) for name, content in run(self.config).items()}
        lock.check()
        files.remove(self.path / SETTINGS)
        for name, data in contents.items():
            files.write_bytes(self.path / name, data)
        settings = {
            field.name: getattr(self.config, field.name)
            for field in dataclasses.fields(self.config)
            if field.metadata["in_record"]
        }
        origin = {"versions": facts.versions(), "git_commit": facts.git_commit(), "device": facts.device()}
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
        files.write_json(self.path / SETTINGS, {"settings": settings, **of_source, **origin, "sha256": digests})

    def _tidy(self):
        """Removes what a process has left that was killed after its last write, unless one is at work there."""
        if list(self.path.glob(f"{UNFINISHED}*")):
            with contextlib.suppress(RecordInUse), RecordLock(self.path):
                self._remove_unfinished()

    def _remove_unfinished(self):
        files.remove_temporaries(self.path)
        for path in self.path.glob(f"{UNFINISHED}*"):
            files.remove(path)

    def write(self, name, content):
        """Writes a table (columns and rows) or bytes."""
        files.write_bytes(self.path / name, _bytes(content))

    def rows(self, name, columns):
        """The rows of a table with these columns, dicts of texts.

        Raises:
          RecordError: if it is not there, or not what was written.
        """
        file = self.path / name
        try:
            data = file.read_bytes()
        except OSError as error:
            raise RecordError(f"{file} cannot be read: {error.strerror}; remove {SETTINGS} there") from error
        expected = (self._known() or {}).get("sha256", {}).get(name)  # the first records do not state it
        if expected is not None and hashlib.sha256(data).hexdigest() != expected:
            raise _damaged(file, f"its SHA-256 is not the one in {SETTINGS}")
        try:
            return tables.from_text(name, data.decode(), {name: columns})
        except ValueError as error:
            raise _damaged(file, error) from error

    def write_figure(self, name, figure):
        """Writes a matplotlib figure as PNG."""
        figures.save(figure, self.path / name)


def _bytes(content):
    return content if isinstance(content, bytes) else tables.csv_text(*content).encode()


def _damaged(file, why):
    why = " ".join(str(why).split())[:150]
    return RecordError(f"{file} is damaged ({why}); remove {SETTINGS} there to make it again")
