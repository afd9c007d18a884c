"""Keeps the small part of finished records: what tables and reports are made of, without weights, images and events.

Command: python -m experiments.keep runs/ --results=results

Copies config.json and the CSV files of every record under a directory, at the same place under --results; a megabyte
or two for a whole study. Reports read such records like full ones (--report_only, experiments.report). A record
that is unfinished, damaged, or in use is left out and named, and so is one that was kept from a longer run.
Run time: seconds.
"""

import dataclasses
import pathlib
import sys

from bayes_layers.settings import Settings, check_directory, setting
from experiments import entry
from experiments.errors import UserError
from experiments.page.collect import COMPLETE, find
from experiments.page.text import plural
from experiments.records import files
from experiments.records.layout import LAYOUTS, is_record
from experiments.records.trained import place_of


@dataclasses.dataclass(frozen=True)
class KeepSettings(Settings):
    """Keeping"""

    records: str = setting("runs", "The directory to search; given first, it needs no --records=.", result=False)
    results: str = setting("results", "Where the small records go.", result=False)

    def __post_init__(self):
        super().__post_init__()
        check_directory("records", self.records)
        check_directory("results", self.results)


def work(config):
    """Copies the small part of all finished records.

    Args:
      config: a `KeepSettings`.

    Raises:
      UserError: if there is no such directory, no record in it, or the target is in it or cannot be one.
    """
    root, target = pathlib.Path(config.records).expanduser(), pathlib.Path(config.results).expanduser()
    if not root.is_dir():
        raise UserError(f"--records={config.records} is not valid: it takes a directory of records")
    if root.resolve() in (target.resolve(), *target.resolve().parents):
        raise UserError(f"--results={config.results} is not valid: it takes a directory outside of --records")
    if is_record(target) or (target.exists() and not target.is_dir()):
        raise UserError(f"--results={config.results} is not valid: it takes a directory, and not a record itself")
    found = find(root)
    if not found:
        raise UserError(f"--records={config.records} is not valid: it takes a directory of records, and holds none")
    kept = 0
    for each in found:
        record = root / each.path if (root / each.path).is_dir() else root  # it may be a record itself
        place = target / _place(record, root)
        busy = "it is in use, or its run was killed" if files.exists(record / files.LOCK) else ""
        if busy or each.status != COMPLETE:
            print(f"left out: {record}: {busy or each.message}", file=sys.stderr)
        elif _length(place) > _length(record):
            print(f"left out: {record}: {place} has gone farther", file=sys.stderr)
        else:
            keep(record, place)
            kept += 1
    print(f"{target}: {plural(kept, 'record')}")


def _place(record, root):
    """Where a record goes: as it lies under `root`, or, if that is a part of a tree of records, in the whole tree."""
    place, whole = record.relative_to(root), place_of(record)
    is_part = whole.parts[0] in LAYOUTS and not set(place.parts) & set(LAYOUTS)
    return whole if is_part or record == root else place


def _length(record):
    """The rows of a record's metrics; 0 if there is none."""
    file = record / "metrics.csv"
    return len(file.read_bytes().splitlines()) if file.exists() else 0


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
