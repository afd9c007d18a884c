"""The tables of a record: their columns, their text, and back. Light: no TensorFlow.

Cells are kept as text from the moment a row is made, so that a table that was read and written again
is the same, byte for byte. Floats are written with the fewest digits that give them back.
"""

import csv
import io

COLUMNS = {
    "metrics": (
        "cycle",
        "labels",
        "test_error",
        "test_nll",
        "test_brier",
        "test_ece",
        "train_nll",
        "train_kl",
        "kl_weight",
        "train_seconds",
        "score_seconds",
        "test_seconds",
    ),
    "acquisitions": ("cycle", "rank", "index", "label", "score"),
    "posterior": ("cycle", "layer", "sigma_mean", "sigma_std", "snr_median", "kl"),
    "calibration": ("cycle", "bin", "count", "confidence", "accuracy"),
}

WHOLE_NUMBERS = {"cycle", "epoch", "rank", "index", "label", "labels", "bin", "count"}  # columns without empty cells

TIME_COLUMNS = ("train_seconds", "score_seconds", "test_seconds")


def cell(value):
    """The text of a value: empty for None and nan, seconds and floats by their shortest repr."""
    if value is None or value != value:
        return ""
    return str(value) if isinstance(value, (str, int)) else repr(float(value))


def row(table, columns=COLUMNS, /, **values):
    """A row of a table as a dict of texts; `columns` is a dict from tables to their columns.

    Raises:
      KeyError: if a value has no column.
    """
    unknown = set(values) - set(columns[table])
    if unknown:
        raise KeyError(f"{table} has no column {sorted(unknown)}")
    return {column: cell(values.get(column)) for column in columns[table]}


def to_text(table, rows, columns=COLUMNS):
    """The CSV text of a table."""
    return csv_text(columns[table], rows)


def csv_text(columns, rows):
    """The CSV text of rows (dicts) with these columns."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def from_text(table, text, columns=COLUMNS):
    """The rows of a table's CSV text.

    Raises:
      ValueError: if it is not a table of this name, or is cut off.
    """
    if not text.endswith("\n"):
        raise ValueError(f"{table} ends within a line")
    reader = csv.DictReader(io.StringIO(text))
    try:
        names, rows = tuple(reader.fieldnames or ()), list(reader)
    except csv.Error as error:
        raise ValueError(f"{table} is no CSV: {error}") from error
    if names != columns[table]:
        raise ValueError(f"the columns of {table} are {','.join(columns[table])}, found {','.join(names)}")
    if any(None in r or None in r.values() for r in rows):
        raise ValueError(f"{table} has a row that is too short or too long")
    return rows


def column(rows, name, kind=float):
    """One column as a list of numbers, None where the cell is empty.

    Raises:
      ValueError: if a cell is neither a number nor empty (which is how nan is written).
    """
    values = [kind(r[name]) if r[name] != "" else None for r in rows]
    if any(value != value for value in values):
        raise ValueError(f"{name} is nan")
    return values


def check_numbers(rows, name):
    """Raises ValueError unless a column of any table holds what is written there."""
    if name not in WHOLE_NUMBERS:
        column(rows, name)
    elif not all(value is not None and abs(value) < 2**63 for value in column(rows, name, int)):
        raise ValueError(f"{name} has a cell that is empty, or no such number")
