"""Keeps the small part of records: what tables and reports are made of, without weights, images and events.

Command: python -m experiments.keep runs/ --results=results [--unfinished]

Copies config.json and the CSV files of every record under a directory, at the same place under --results; a megabyte
or two for a whole study. Reports read such records like full ones (--report_only, experiments.report), and active
learning goes on from them (but with --warm_start): copied to an --output_dir, they are continued by the command that
began them. A record that is damaged is left out and named, and so is one that was kept from a longer run, or whose
place holds a full record; without --unfinished, also one that is unfinished or in use, of which otherwise the committed
cycles are kept. Interrupted, the same command again makes good what it left half-written. Run time: seconds.
"""

import dataclasses
import pathlib
import sys

from bayes_layers.settings import Settings, check_directory, setting
from experiments import entry
from experiments.errors import RecordError, UserError
from experiments.page.collect import COMPLETE, UNFINISHED, find
from experiments.page.text import plural
from experiments.records import files
from experiments.records.layout import LAYOUTS, has_checkpoint, is_record
from experiments.records.record import inspect, is_kept
from experiments.records.trained import place_of


@dataclasses.dataclass(frozen=True)
class KeepSettings(Settings):
    """Keeping"""

    records: str = setting("runs", "The directory to search; given first, it needs no --records=.", result=False)
    results: str = setting("results", "Where the small records go.", result=False)
    unfinished: bool = setting(
        False, "Keep the committed cycles or epochs of unfinished records too, also of those in use.", result=False
    )

    def __post_init__(self):
        super().__post_init__()
        check_directory("records", self.records)
        check_directory("results", self.results)


def work(config):
    """Copies the small part of all records that may be kept.

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
        why = keep(each, record, place, config.unfinished)
        if why:
            print(f"left out: {record}: {why}", file=sys.stderr)
        else:
            kept += 1
    print(f"{target}: {plural(kept, 'record')}")


def _place(record, root):
    """Where a record goes: as it lies under `root`, or, if that is a part of a tree of records, in the whole tree."""
    place, whole = record.relative_to(root), place_of(record)
    is_part = whole.parts[0] in LAYOUTS and not set(place.parts) & set(LAYOUTS)
    return whole if is_part or record == root else place


def keep(found, record, target, unfinished=False):
    """Copies one record's config.json and CSV files.

    Args:
      found: its `Entry`.
      record: its directory.
      target: the directory of the small record, which is made.
      unfinished: whether to copy it also if it is unfinished or in use.

    Returns:
      Why it was left out; empty if it was not.
    """
    is_busy = files.exists(record / files.LOCK)
    if found.status != COMPLETE and not (unfinished and found.status == UNFINISHED and found.run):
        return found.message
    if is_busy and not unfinished:
        return "it is in use, or its run was killed"
    try:
        contents = _small(record)
    except (RecordError, OSError) as error:
        return "it is just being written; give the same command again" if is_busy else str(error)
    why = _why_not_to(target, found, contents)
    if not why:
        _write(target, contents)
    return why


def _small(record):
    """The files to copy, a dict from name to bytes: what the checkpoint says, or the files of a record without one."""
    if is_kept(record):
        tables = {file.name: file.read_bytes() for file in sorted(record.glob("*.csv"))}
    else:
        tables = {f"{name}.csv": text.encode() for name, text in inspect(record).texts.items()}
    return {**tables, "config.json": (record / "config.json").read_bytes()}


def _why_not_to(target, found, contents):
    """Why a small record may not be replaced; empty if it may."""
    if has_checkpoint(target) or files.exists(target / files.LOCK):
        return f"{target} is a record with its checkpoint, or in use"
    file = target / "metrics.csv"
    if file.exists() and len(file.read_bytes().splitlines()) > len(contents["metrics.csv"].splitlines()):
        return f"{target} has gone farther"
    if found.status != COMPLETE and is_record(target) and find(target)[0].status == COMPLETE:
        return f"{target} is finished, and this is not"
    return ""


def _write(target, contents):
    target.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():  # the last one makes it a record
        files.write_bytes(target / name, data)


main = entry.point(work, KeepSettings, description=__doc__, first="records")


if __name__ == "__main__":
    sys.exit(main())
