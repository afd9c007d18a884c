"""Which records there are, what state they are in, and which belong together."""

import dataclasses
import os
import pathlib

import numpy as np

from bayes_layers.models.architectures import ARCHITECTURES, BAYESIAN_LAYERS
from bayes_layers.uncertainty.acquisitions import ACQUISITIONS
from experiments.active_learning.config import ActiveLearningConfig
from experiments.errors import RecordError
from experiments.page.text import mu_words
from experiments.records.files import LOCK
from experiments.records.layout import ACTIVE_LEARNING, layout_of
from experiments.records.load import Run, load_run, load_tables
from experiments.records.paths import text_of
from experiments.records.record import EARLIER, read_config

COMPLETE, UNFINISHED, DAMAGED, DUPLICATE = "complete", "unfinished", "damaged", "duplicate"
OWN_PLACE = ("arch", "acquisition", "dataset", "mu_init", "seed", *ACTIVE_LEARNING.changeable)


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A directory that is, or should be, a record.

    Attributes:
      path: relative to where the search began, as text.
      status: `complete`, `unfinished`, `damaged` or `duplicate`.
      message: why it is not complete, or empty.
      run: the `Run`, or None where there is nothing to show.
    """

    path: str
    status: str
    message: str
    run: Run | None

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
        """All settings but those that a page compares, as sorted pairs of texts."""
        settings = {**EARLIER, **self.settings}
        if settings.get("estimator") == "flipout":
            settings["estimator"] = "auto"  # what auto means for these networks
        if settings.get("test_dropout") == str(settings["arch"] == "MC-Dropout").lower():
            settings["test_dropout"] = "auto"  # what auto means depends on the architecture
        return tuple(sorted((name, text_of(value)) for name, value in settings.items() if name not in OWN_PLACE))


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ in their seed only, in the order of the seeds."""

    arch: str
    acquisition: str
    mu_init: float
    entries: tuple

    @property
    def mu_words(self):
        """`μ = −3`; empty for a network that is known to have no Bayesian layer."""
        return mu_words(self.mu_init) if BAYESIAN_LAYERS.get(self.arch, True) else ""

    def curve(self, column):
        """`(labels, mean, low, high)` of a column of metrics over the runs that have a value; arrays `[n]`."""
        values = {}
        for entry in self.entries:
            for label, value in zip(entry.metrics["labels"], entry.metrics[column], strict=True):
                if np.isfinite(value):
                    values.setdefault(label, []).append(value)
        labels = sorted(values)
        rows = [(np.mean(values[n]), min(values[n]), max(values[n])) for n in labels]
        return np.array(labels, float), *np.array(rows, float).reshape(-1, 3).T

    def final(self, column):
        """`(labels, values)` at the most labels at which every run has a value; `(nan, [])` if there are none."""
        known = []
        for entry in self.entries:
            pairs = zip(entry.metrics["labels"], entry.metrics[column], strict=True)
            known.append({label: value for label, value in pairs if np.isfinite(value)})
        common = set.intersection(*map(set, known))
        return (max(common), np.array([values[max(common)] for values in known])) if common else (np.nan, np.array([]))


@dataclasses.dataclass(frozen=True, eq=False)
class Section:
    """All groups of one data set and one protocol."""

    dataset: str
    protocol: tuple
    groups: tuple


def find(root):
    """Reads all records under a directory.

    Args:
      root: a directory of records, or a record itself.

    Returns:
      A list of `Entry`, in the order of their paths.
    """
    root, entries, seen = pathlib.Path(root).resolve(), [], {}
    for directory in _directories(root):
        entry = _read(directory, directory.name if directory == root else str(directory.relative_to(root)))
        if entry.run is not None:
            key = (
                entry.protocol,
                *(text_of(entry.settings[name]) for name in OWN_PLACE if name not in ACTIVE_LEARNING.changeable),
            )
            first = seen.setdefault(key, entry.path)
            if first != entry.path:
                entry = Entry(entry.path, DUPLICATE, f"the same settings as {first}; left out", None)
        entries.append(entry)
    return entries


def sections(entries):
    """The readable entries, sorted into `Section`s and their `Group`s."""
    cells = {}
    for entry in entries:
        if entry.run is not None:
            s = entry.settings
            place = cells.setdefault((s["dataset"], entry.protocol), {})
            place.setdefault((s["arch"], s["acquisition"], float(s["mu_init"])), []).append(entry)
    found = []
    for (dataset, protocol), place in cells.items():
        groups = [
            Group(*key, tuple(sorted(members, key=lambda e: e.settings["seed"]))) for key, members in place.items()
        ]
        found.append(Section(dataset, protocol, tuple(sorted(groups, key=_order))))
    return sorted(found, key=lambda section: (-sum(len(g.entries) for g in section.groups), section.protocol))


def protocol_words(section, all_sections):
    """A protocol in words: the settings that differ from the defaults, or between the sections of the page."""
    defaults = {field.name: field.default for field in dataclasses.fields(ActiveLearningConfig)}
    told_apart = set().union(*(set(section.protocol) ^ set(other.protocol) for other in all_sections))
    words = []
    for name, value in section.protocol:
        default = defaults.get(name)
        is_decided = default == "auto" and name != "estimator"  # on the machine, or by the architecture
        if (name, value) in told_apart or (not is_decided and value != text_of(default)):
            words.append(f"{name} = {value}")
    return words


def position(known, name):
    """Where a name stands in a table of names; unknown ones come last."""
    return (known.index(name), "") if name in known else (len(known), name)


def _order(group):
    return position(ARCHITECTURES, group.arch), position(ACQUISITIONS, group.acquisition), -group.mu_init


def _directories(root):
    for directory, names, files in os.walk(root):
        names.sort()
        if "config.json" in files or "metrics.csv" in files or "checkpoint" in names:
            names.clear()  # a record holds no records
            if not _is_of_another_experiment(directory):
                yield pathlib.Path(directory)


def _is_of_another_experiment(directory):
    try:
        return layout_of(read_config(directory) or {}) is not ACTIVE_LEARNING
    except (RecordError, OSError):
        return False


def _read(directory, name):
    try:
        run = load_run(directory) if (directory / "checkpoint").exists() else load_tables(directory)
        _check(run)
    except (RecordError, OSError) as error:
        message = str(error).replace(str(directory), "").lstrip("/ ")
        return Entry(name, *_why_unreadable(directory, message), None)
    missing = _missing_labels(run)
    words = f"{run.tables['metrics']['labels'][-1]:,.0f} of {missing:,} labels" if missing else ""
    if missing and (directory / LOCK).exists():
        words += "; a process is at work, or was stopped"
    return Entry(name, UNFINISHED if missing else COMPLETE, words, run)


def _why_unreadable(directory, message):
    if "no finished cycle yet" in message:
        return UNFINISHED, "no cycle is finished yet"
    if (directory / LOCK).exists():
        return UNFINISHED, f"could not be read while a process was at work on it: {message}"
    return DAMAGED, message


def _check(run):
    """Raises RecordError unless the run has what a page is made of."""
    try:
        _check_config(run.config)
        metrics = run.tables["metrics"]
        for name in ("acquisitions", "posterior", "calibration"):
            if not np.isin(run.tables[name]["cycle"], metrics["cycle"]).all():
                raise ValueError(f"{name}.csv speaks of a cycle that metrics.csv does not have")
        if metrics["cycle"].tolist() != list(range(len(metrics["cycle"]))) or not len(metrics["cycle"]):
            raise ValueError("the cycles of metrics.csv are not 0, 1, 2, ...")
    except KeyError as error:
        raise RecordError(f"{run.path} is damaged: config.json has no {error}") from error
    except (TypeError, ValueError) as error:
        raise RecordError(f"{run.path} is damaged: {error}") from error


def _check_config(config):
    numbers = dict.fromkeys(("seed", "max_labels", "initial_labels", "query_size"), int)
    texts = dict.fromkeys(("arch", "acquisition", "dataset"), str)
    for name, kind in {**numbers, **texts, "mu_init": (int, float)}.items():
        if not isinstance(config["settings"][name], kind):
            raise TypeError(f"config.json says {name} = {config['settings'][name]!r}")
    if config["settings"]["query_size"] < 1:
        raise ValueError("config.json says query_size < 1")
    if not isinstance(config["dataset"], dict) or not isinstance(config["versions"], dict):
        raise TypeError("config.json has no data set, or no versions")
    for change in config["history"]:
        change["from_cycle"], "; ".join(change["changes"])


def _missing_labels(run):
    """How many labels a run will end with, if it has not come there yet; else 0."""
    settings = run.config["settings"]
    steps = (settings["max_labels"] - settings["initial_labels"]) // settings["query_size"]
    goal = int(settings["initial_labels"] + steps * settings["query_size"])
    return goal if run.tables["metrics"]["labels"][-1] < goal else 0
