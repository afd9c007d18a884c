"""One HTML page about all records under a directory.

Command: python -m experiments.report runs/

Writes runs/report.html: tables of results, learning curves, and for each run of active learning or image classification
its calibration, the posterior of each layer over the cycles or epochs, and the acquired images. The page is one file
without scripts, which opens without a server or a network, on a phone as well. It is made from records alone, and
TensorFlow need not be installed. Records that are unfinished or damaged are named as such; nothing of a damaged record
is shown. Run time: seconds.
"""

import dataclasses
import pathlib
import sys

from bayes_layers.settings import Settings, setting
from experiments import entry
from experiments.errors import UserError
from experiments.records import files


@dataclasses.dataclass(frozen=True)
class ReportSettings(Settings):
    """Report"""

    records: str = setting(
        "runs", "The directory to search, or one record; given first, it needs no --records=.", result=False
    )
    output: str = setting("", "The page's file; empty: report.html in the directory of records.", result=False)
    images: int = setting(
        10_000,
        "Acquired images on the page; where there are more, cycles are left out evenly.",
        minimum=0,
        result=False,
    )


def work(config):
    """Writes the page.

    Args:
      config: a `ReportSettings`.

    Raises:
      UserError: if there is no such directory, or no record in it.
    """
    from experiments.page import collect, document
    from experiments.page.text import plural

    root = pathlib.Path(config.records).expanduser()
    if not config.records or not root.is_dir():
        raise UserError(f"--records={config.records} is not valid: it takes a directory of records")
    try:
        entries = collect.one_of_each(collect.find(root))
    except OSError as error:
        raise UserError(f"--records={config.records} cannot be read: {error.strerror}") from error
    if not entries:
        raise UserError(f"--records={config.records} is not valid: it takes a directory of records, and holds none")
    target = pathlib.Path(config.output).expanduser() if config.output else root / "report.html"
    if not target.parent.is_dir() or (target.exists() and not target.is_file()):
        raise UserError(f"--output={config.output} is not valid: it takes a file in a directory that exists")
    page = document.page(entries, config.images).encode(errors="backslashreplace")  # a path may be no UTF-8
    try:
        files.write_bytes(target.resolve(), page)  # of a link, what it points to
    except OSError as error:
        raise UserError(f"--output={target} cannot be written: {error.strerror}; give another") from error
    unwell = sum(one.status not in (collect.COMPLETE, collect.DUPLICATE) for one in entries)
    print(f"{target}: {plural(len(entries), 'record')}" + (f", {unwell} of them not complete" if unwell else ""))


main = entry.point(work, ReportSettings, description=__doc__, first="records")


if __name__ == "__main__":
    sys.exit(main())
