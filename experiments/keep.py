"""Keeps the small part of finished records: what tables and reports are made of, without weights, images and events.

Command: python -m experiments.keep runs/ --results=results

Copies config.json and the CSV files of every record under a directory, at the same place under --results; a megabyte
or two for a whole study. Reports read such records like full ones (--report_only, experiments.report). A record
that is unfinished, damaged, or in use is left out and named. Run time: seconds.
"""

import dataclasses
import pathlib
import sys

from bayes_layers.settings import Settings, setting
from experiments import entry
from experiments.errors import UserError
from experiments.page.collect import COMPLETE, find
from experiments.page.text import plural
from experiments.records import files


@dataclasses.dataclass(frozen=True)
class KeepSettings(Settings):
    """Keeping"""

    records: str = setting("runs", "The directory to search; may be given without --records=.", result=False)
    results: str = setting("results", "Where the small records go.", result=False)


def work(config):
    """Copies the small part of all finished records.

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
    found = find(root)
    if not found:
        raise UserError(f"--records={config.records} is not valid: it takes a directory of records, and holds none")
    kept = 0
    for each in found:
        record = root / each.path if (root / each.path).is_dir() else root  # it may be a record itself
        busy = "it is in use, or its run was killed" if files.exists(record / files.LOCK) else ""
        if busy or each.status != COMPLETE:
            print(f"left out: {record}: {busy or each.message}", file=sys.stderr)
        else:
            keep(record, target / record.relative_to(root))
            kept += 1
    print(f"{target}: {plural(kept, 'record')}")


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
