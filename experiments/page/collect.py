"""Which records there are, what state they are in, and which belong together."""

import dataclasses
import os
import pathlib

import numpy as np

from experiments.errors import RecordError
from experiments.page.kinds import Kind, kind_of, own_of
from experiments.page.text import mu_words
from experiments.records.files import LOCK, exists
from experiments.records.layout import ARITHMETIC, is_record
from experiments.records.load import Run, load_either
from experiments.records.paths import text_of

MOST_CLASSES = 1000
COMPLETE, UNFINISHED, DAMAGED = "complete", "unfinished", "damaged"
UNREADABLE, DUPLICATE = "unreadable", "duplicate"


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A directory that is, or should be, a record.

    Attributes:
      path: relative to where the search began, as text.
      status: `complete`, `unfinished`, `damaged`, `unreadable`, or `duplicate` of another one that has gone as far.
      message: why it is not complete, or empty.
      run: the `Run`, or None where there is nothing to show.
    """

    path: str
    status: str
    message: str
    run: Run | None

    @property
    def kind(self):
        """Its `Kind`."""
        return kind_of(self.run.config)

    @property
    def settings(self):
        """The settings of its `config.json`."""
        return self.run.config["settings"]

    @property
    def metrics(self):
        """Columns of its table of metrics."""
        return self.run.tables["metrics"]

    @property
    def protocol(self):
        """All settings but those that a page compares, and the arithmetic, as sorted pairs of texts."""
        stated = self.kind.stated(self.settings).items()
        return tuple(sorted((name, text_of(value)) for name, value in stated if name not in self.kind.compares))

    @property
    def arithmetic(self):
        """The settings of the arithmetic, as sorted pairs of texts."""
        return tuple(sorted((name, text_of(self.settings[name])) for name in ARITHMETIC if name in self.settings))

    @property
    def x(self):
        """What its curves are drawn against: labelled images, or epochs."""
        return self.metrics[self.kind.x]

    @property
    def place(self):
        """All that tells it from other records."""
        settings, changeable = self.settings, self.kind.layout.changeable
        names = [name for name in self.kind.compares if name in settings and name not in changeable]
        return self.kind.layout.experiment, self.protocol, *((name, text_of(settings[name])) for name in names)


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ in their seed only, in the order of the seeds.

    Attributes:
      network, column: what stands before its row and above its column in tables.
      mu_init: a number; None where it is none of the rows.
      entries: tuple of `Entry`.
    """

    network: str
    column: str
    mu_init: float | None
    entries: tuple

    @property
    def kind(self):
        """The `Kind` of its records."""
        return self.entries[0].kind

    @property
    def network_and_column(self):
        """`BNN-1 · var_ratios`."""
        return f"{self.network} · {self.column}"

    @property
    def mu_words(self):
        """`μ = −3`; empty for a network that is known to have no Bayesian layer."""
        is_deterministic = self.entries[0].run.is_bayesian is False
        return "" if self.mu_init is None or is_deterministic else mu_words(self.mu_init)

    def curve(self, column):
        """`(x, mean, low, high)` of a column of metrics over the runs that have a value; arrays `[n]`."""
        values = {}
        for entry in self.entries:
            for x, value in zip(entry.x, entry.metrics[column], strict=True):
                if np.isfinite(value):
                    values.setdefault(x, []).append(value)
        points = sorted(values)
        rows = [(np.mean(values[x]), min(values[x]), max(values[x])) for x in points]
        return np.array(points, float), *np.array(rows, float).reshape(-1, 3).T

    def final(self, column):
        """`(x, values)` at the last x at which every run has a value; `(nan, [])` if there are none."""
        known = []
        for entry in self.entries:
            pairs = zip(entry.x, entry.metrics[column], strict=True)
            known.append({x: value for x, value in pairs if np.isfinite(value)})
        common = set.intersection(*map(set, known))
        return (max(common), np.array([values[max(common)] for values in known])) if common else (np.nan, np.array([]))


@dataclasses.dataclass(frozen=True, eq=False)
class Section:
    """All groups of one kind, one data set and one protocol."""

    kind: Kind
    dataset: str
    protocol: tuple
    groups: tuple


def find(root):
    """Reads all records under a directory, each for itself.

    Args:
      root: a directory of records, or a record itself.

    Returns:
      A list of `Entry`, in the order of their paths.

    Raises:
      OSError: if the directory itself cannot be read.
    """
    root, entries = pathlib.Path(root).resolve(), []
    for directory, error in _directories(root):
        name = directory.name if directory == root else str(directory.relative_to(root))
        if error and directory == root:
            raise error
        entries.append(Entry(name, UNREADABLE, error.strerror, None) if error else _read(directory, name))
    return entries


def one_of_each(entries):
    """The entries; of several with the same settings the one that has gone farthest is shown, at ties the first."""
    farthest = {}
    for entry in entries:
        if entry.run is not None:
            known = farthest.setdefault(entry.place, entry)
            if len(entry.x) > len(known.x):
                farthest[entry.place] = entry
    return [_unless_duplicate(entry, farthest) for entry in entries]


def _unless_duplicate(entry, farthest):
    shown = entry if entry.run is None else farthest[entry.place]
    if shown is entry:
        return entry
    how_far = "as far" if len(shown.x) == len(entry.x) else "farther"
    return Entry(entry.path, DUPLICATE, f"the same settings as {shown.path}, which has gone {how_far}; left out", None)


def sections(entries):
    """The readable entries, sorted into `Section`s and their `Group`s.

    The arithmetic tells sections apart only where a run was made with several: as in the studies, it is otherwise a
    matter of the machine, and of the posterior's width.
    """
    parts = {}
    for entry in entries:
        if entry.run is not None:
            parts.setdefault((entry.kind, entry.settings["dataset"], entry.protocol), []).append(entry)
    cells = {}
    for (kind, dataset, protocol), members in parts.items():
        runs = {(_cell(entry), _seed(entry)) for entry in members}
        for entry in members:
            stated = protocol if len(runs) == len(members) else tuple(sorted((*protocol, *entry.arithmetic)))
            cells.setdefault((kind, dataset, stated), {}).setdefault(_cell(entry), []).append(entry)
    found = []
    for (kind, dataset, protocol), place in cells.items():
        groups = [
            Group(network, _column_words(column, own, place), mu, tuple(sorted(members, key=_seed)))
            for (network, column, own, mu), members in place.items()
        ]
        found.append(Section(kind, dataset, protocol, tuple(sorted(groups, key=_order))))
    return sorted(found, key=lambda section: (-sum(len(g.entries) for g in section.groups), section.protocol))


def _cell(entry):
    """What the runs of a `Group` share: network, column, settings of the column, initial variance."""
    s, kind = entry.settings, entry.kind
    mu = float(s["mu_init"]) if "mu_init" in s and "mu_init" not in kind.own else None
    return s[kind.network], s[kind.column], own_of(kind, s), mu


def _seed(entry):
    return entry.settings["seed"]


def _column_words(column, own, place):
    """A column's name, with what tells its runs from others of the column in the section."""
    told_apart = set().union(*(set(own) ^ set(other) for _, name, other, _ in place if name == column))
    return ", ".join([column, *(f"{name} = {value}" for name, value in own if (name, value) in told_apart)])


def protocol_words(section, all_sections):
    """A protocol in words: the settings that differ from the defaults, or between the sections of the page."""
    defaults = {field.name: field.default for field in dataclasses.fields(section.kind.config_class)}
    others = [other for other in all_sections if other.kind is section.kind]
    told_apart = set().union(*(set(section.protocol) ^ set(other.protocol) for other in others))
    words = []
    for name, value in section.protocol:
        default = defaults.get(name)
        is_decided = default == "auto" and name != "estimator"  # on the machine, or by the architecture
        if (name, value) in told_apart or (not is_decided and value != text_of(default)):
            words.append(f"{name} = {value}")
    return [*words, *_own_words(section, defaults)]


def _own_words(section, defaults):
    """Settings that only some columns have, as far as all runs of a column have them other than by default."""
    owns = {}
    for group in section.groups:
        settings = group.entries[0].settings
        owns.setdefault(settings[section.kind.column], []).append(set(own_of(section.kind, settings)))
    shared = set().union(*(set.intersection(*mine) for mine in owns.values()))
    return [f"{name} = {value}" for name, value in sorted(shared) if value != text_of(defaults.get(name))]


def position(known, name):
    """Where a name stands in a table of names; unknown ones come last."""
    return (known.index(name), "") if name in known else (len(known), name)


def _order(group):
    kind = group.kind
    base = group.entries[0].settings[kind.column]
    return position(kind.networks, group.network), position(kind.columns, base), group.column, -(group.mu_init or 0.0)


def _directories(root):
    """Records, with None, and directories that cannot be read, with the error; in the order of their paths."""
    errors, seen = [], set()
    for directory, names, _ in os.walk(root, onerror=errors.append, followlinks=True):
        yield from ((pathlib.Path(error.filename), error) for error in errors)
        errors.clear()
        names.sort()
        real = os.path.realpath(directory)
        if real in seen:  # by a link, which may be a loop
            names.clear()
            continue
        seen.add(real)
        if is_record(directory):
            names.clear()  # a record holds no records
            yield pathlib.Path(directory), None
    yield from ((pathlib.Path(error.filename), error) for error in errors)


def _read(directory, name):
    try:
        run = load_either(directory)
        _check(run)
    except (RecordError, OSError) as error:
        return Entry(name, *_why_not(directory, error), None)
    done, wanted = kind_of(run.config).missing(run)
    missing = done < wanted
    words = f"{done:,.0f} of {wanted:,} {'labels' if run.layout.keeps_images else 'epochs'}" if missing else ""
    if missing and exists(directory / LOCK):
        words += "; a process is at work, or was stopped"
    return Entry(name, UNFINISHED if missing else COMPLETE, words, run)


def _why_not(directory, error):
    """The status of a record that was not read, and why."""
    is_system = isinstance(error, OSError)
    words = f"{error.filename or ''}: {error.strerror or error}" if is_system else str(error)
    message = words.replace(str(directory), "").lstrip("/: ")  # as a reader of the record's own directory has it
    unit = next((unit for unit in ("cycle", "epoch") if f"no finished {unit} yet" in message), None)
    if unit:
        return UNFINISHED, f"no {unit} is finished yet"
    if exists(directory / LOCK):
        return UNFINISHED, f"could not be read while a process was at work on it: {message}"
    return UNREADABLE if is_system else DAMAGED, message


def _check(run):
    """Raises RecordError unless the run has what a page is made of."""
    try:
        kind = kind_of(run.config)
        _check_config(run.config, kind)
        unit, first = run.layout.unit, run.layout.first
        units = run.tables["metrics"][unit]
        for name, table in run.tables.items():
            if not np.isin(table[unit], units).all():
                raise ValueError(f"{name}.csv speaks of a {unit} that metrics.csv does not have")
        if units.tolist() != list(range(first, first + len(units))) or not len(units):
            raise ValueError(f"the {unit}s of metrics.csv are not {first}, {first + 1}, {first + 2}, ...")
        for column in (name for name in run.tables["metrics"] if name.endswith("_error")):
            values = run.tables["metrics"][column]
            if np.any((values < 0) | (values > 1)):
                raise ValueError(f"{column} of metrics.csv is not between 0 and 1")
        labels = run.tables["acquisitions"]["label"] if run.layout.keeps_images else units
        if not np.isin(labels, np.arange(MOST_CLASSES)).all():
            raise ValueError("acquisitions.csv has labels that no data set has")
        kind.missing(run)
    except KeyError as error:
        raise RecordError(f"{run.path} is damaged: config.json has no {error}") from error
    except (TypeError, ValueError) as error:
        raise RecordError(f"{run.path} is damaged: {error}") from error


def _check_config(config, kind):
    """Raises KeyError if a configuration lacks what a page needs; types are checked where it is read."""
    for name in (*kind.counts, *kind.texts):
        config["settings"][name]
    for name in ("dataset", "versions", "history"):
        config[name]
