"""Keeps the small part of finished records: what tables and reports are made of, without weights, images and events.

Command: python -m experiments.keep runs/ --results=results

Copies config.json and the CSV files of every record under a directory, at the same place under --results; a megabyte
or two for a whole study. Reports read such records like full ones (--report_only, experiments.report). A record
that is in use, or whose run was killed, is left out and named. Run time: seconds.
"""

import dataclasses
import os
import pathlib
import sys

from bayes_layers.settings import Settings, setting
from experiments import entry
from experiments.errors import UserError
from experiments.page.text import plural
from experiments.records import files
from experiments.records.lock import NAME as LOCK_NAME


@dataclasses.dataclass(frozen=True)
class KeepSettings(Settings):
    """Keeping"""

    records: str = setting("runs", "The directory to search; may be given without --records=.", result=False)
    results: str = setting("results", "Where the small records go.", result=False)


def work(config):
    """Copies the small part of all records.

    Args:
      config: a `KeepSettings`.

    Raises:
      UserError: if there is no such directory, no record in it, or it is the target itself.
    """
    root, target = pathlib.Path(config.records).expanduser(), pathlib.Path(config.results).expanduser()
    if not root.is_dir():
        raise UserError(f"--records={config.records} is not valid: it takes a directory of records")
    if root.resolve() == target.resolve():
        raise UserError(f"--results={config.results} is not valid: it takes another directory than --records")
    records = sorted(pathlib.Path(folder) for folder, _, names in os.walk(root) if "config.json" in names)
    if not records:
        raise UserError(f"--records={config.records} is not valid: it takes a directory of records, and holds none")
    busy = [record for record in records if (record / LOCK_NAME).exists()]
    for record in busy:
        print(f"left out: {record} is in use, or its run was killed", file=sys.stderr)
    for record in set(records) - set(busy):
        keep(record, target / record.relative_to(root))
    print(f"{target}: {plural(len(records) - len(busy), 'record')}")


def keep(record, target):
    """Copies one record's config.json and CSV files.

    Args:
      record: its directory.
      target: the directory of the small record, which is made.
    """
    target.mkdir(parents=True, exist_ok=True)
    for file in [*sorted(record.glob("*.csv")), record / "config.json"]:  # the last one makes it a record
        files.write_bytes(target / file.name, file.read_bytes())


main = entry.point(work, KeepSettings, description=__doc__, first="records")


if __name__ == "__main__":
    sys.exit(main())
