"""Small records: an experiment of seconds or minutes, with its settings and tables, made in one commit.

The last file of a record to be written is `settings.json`; a record without it is made again, from the files
`unfinished_*` if the experiment has left some.
"""

import csv
import dataclasses
import json
import pathlib

from experiments.errors import RecordError, UserError
from experiments.records import facts, figures, files, tables
from experiments.records.checkpoint import damaged
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

    def _known(self):
        file = self.path / SETTINGS
        try:
            return json.loads(file.read_text()) if file.exists() else None
        except (OSError, ValueError) as error:
            raise damaged(file, error) from error

    def make(self, run, source=None):
        """Runs the experiment unless its tables are there; with `report_only` they have to be.

        Args:
          run: called with the config for a dict from a table's file name to its columns and rows (dicts), or from
            another file's name to its bytes.
          source: SHA-256 of what is examined, or None; tables that were made of something else are made again.

        Raises:
          UserError: if the tables are to be read only, and are not there; if the directory cannot be made.
        """
        known = self._known()
        if known is not None and self.config.report_only:
            return
        if known is not None and known.get("source") == source:
            self._tidy()
            return
        if self.config.report_only:
            raise UserError(f"--report_only finds nothing in {self.path}; leave it out to run the experiment")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path} cannot be made: {error.strerror}; give another --output_dir") from error
        files.remove(self.path / SETTINGS)
        for name, content in run(self.config).items():
            self.write(name, content)
        settings = {
            field.name: getattr(self.config, field.name)
            for field in dataclasses.fields(self.config)
            if field.metadata["in_record"]
        }
        origin = {"versions": facts.versions(), "git_commit": facts.git_commit(), "device": facts.device()}
        files.write_json(self.path / SETTINGS, {"settings": settings, "source": source, **origin})
        self._tidy()

    def _tidy(self):
        for path in self.path.glob(f"{UNFINISHED}*"):
            files.remove(path)

    def write(self, name, content):
        """Writes a table (columns and rows) or bytes."""
        data = content if isinstance(content, bytes) else tables.csv_text(*content).encode()
        files.write_bytes(self.path / name, data)

    def rows(self, name):
        """The rows of a table, dicts of texts.

        Raises:
          RecordError: if it is not there.
        """
        try:
            return list(csv.DictReader((self.path / name).read_text().splitlines()))
        except OSError as error:
            raise RecordError(
                f"{self.path / name} cannot be read: {error.strerror}; remove {SETTINGS} there"
            ) from error

    def write_figure(self, name, figure):
        """Writes a matplotlib figure as PNG."""
        figures.save(figure, self.path / name)
