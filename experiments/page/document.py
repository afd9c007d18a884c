"""The page as a whole."""

import collections
import importlib.resources

from experiments.page import collect
from experiments.page.curves import learning_curves
from experiments.page.details import group_details
from experiments.page.kinds import KINDS
from experiments.page.markup import Markup, tag
from experiments.page.results import results
from experiments.page.text import plural
from experiments.records.layout import arithmetic_of, arithmetics_sentence, devices_sentence

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
FEW = 3  # so many things are unfolded at first


def page(entries, most_images=10_000):
    """The report of some records as one HTML document.

    Args:
      entries: list of `Entry` (`collect.find`).
      most_images: how many acquired images the page shows in all.

    Returns:
      str; the same records give the same text.
    """
    sections = collect.sections(entries)
    readable = sum(entry.run is not None for entry in entries)
    per_run = most_images // max(1, readable)
    title = _title([kind.title for kind in KINDS.values() if any(section.kind is kind for section in sections)])
    body = [
        tag("header", tag("h1", title), tag("p", _counts(entries), class_="lead"), _contents(sections)),
        _notices([entry for entry in entries if entry.status != collect.COMPLETE]),
        [_section(section, number, sections, per_run) for number, section in enumerate(sections)],
        tag("footer", "Made by ", tag("code", "python -m experiments.report"), " from records alone."),
    ]
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"{title}: {plural(len(entries), 'record')}"),
        tag("style", Markup(importlib.resources.files(__package__).joinpath("style.css").read_text())),
    ]
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', tag('main', body)), lang='en')}\n"


def _title(titles):
    """The titles of the kinds on a page in one: "Bayesian active learning and image classification"."""
    first, *others = titles or [next(iter(KINDS.values())).title]
    return " and ".join([first, *(title.removeprefix("Bayesian ") for title in others)])


def _counts(entries):
    if not entries:
        return "No record was found."
    counts = collections.Counter(entry.status for entry in entries)
    order = (collect.COMPLETE, collect.UNFINISHED, collect.DAMAGED, collect.UNREADABLE, collect.DUPLICATE)
    parts = [tag("span", tag("b", f"{counts[status]:,}"), f" {status}", class_=f"count {status}") for status in order
             if counts[status]]  # fmt: skip
    return [
        tag("span", tag("b", f"{len(entries):,}"), " record" if len(entries) == 1 else " records", class_="count"),
        parts,
    ]


def _contents(sections):
    if len(sections) < 2:
        return None
    links = [
        tag("li", tag("a", _name(section, sections), " · ", _words(section, sections), href=f"#s{number}"))
        for number, section in enumerate(sections)
    ]
    return tag("nav", tag("ul", links))


def _name(section, sections):
    """A section's data set; where the page has several kinds of records, also which."""
    several = len({each.kind for each in sections}) > 1
    return f"{section.dataset}: {section.kind.title.removeprefix('Bayesian ')}" if several else section.dataset


def _words(section, sections):
    return ", ".join(collect.protocol_words(section, sections)) or "the default protocol"


def _arithmetic(section):
    """Sentences on a section whose runs differ in their arithmetic, or in their devices."""
    places, devices = {}, collections.Counter()
    for group in section.groups:
        for entry in group.entries:
            devices[entry.run.config.get("device") or ""] += 1
            places.setdefault(arithmetic_of(entry.settings), {})[group.mu_words or group.network] = None
    where = {words: f"({', '.join(groups)})" for words, groups in places.items()}
    sentences = arithmetics_sentence(where), devices_sentence(devices)
    return [tag("p", sentence, class_="protocol") for sentence in sentences if sentence]


def _notices(entries):
    if not entries:
        return None
    items = [
        tag(
            "li",
            tag("span", entry.status, class_=f"badge {entry.status}"),
            tag("code", entry.path),
            tag("p", entry.message),
        )
        for entry in entries
    ]
    title = f"Not complete, or left out: {plural(len(entries), 'record')}"
    return tag("details", tag("summary", title), tag("ul", items), class_="notices", open=len(entries) <= FEW)


def _section(section, number, sections, images_per_run):
    anchors = {group: f"g{number}-{i}" for i, group in enumerate(section.groups)}
    is_open = len(section.groups) == 1 and number < FEW
    by_network = {}
    for group in section.groups:
        by_network.setdefault(group.network, []).append(group_details(group, anchors[group], images_per_run, is_open))
    return tag(
        "section",
        tag("h2", _name(section, sections)),
        tag("p", _words(section, sections), class_="protocol"),
        _arithmetic(section),
        results(section, anchors),
        tag("h3", "Learning curves"),
        learning_curves(section),
        tag("h3", "Runs in detail"),
        [tag("div", details, class_="architecture") for details in by_network.values()],
        id=f"s{number}",
    )
