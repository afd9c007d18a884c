"""Does a trained network's uncertainty tell foreign images from familiar ones? AUROC from a record's checkpoint.

Source: section 4.2 of Shridhar 2019 says what epistemic and aleatoric uncertainty are for, and tests neither; this
does, as Hendrycks & Gimpel 2017 do.

Command: python -m experiments.out_of_distribution --record=runs/image_classification/mnist/lenet5/variational/seed0

Expected: there is no number in the thesis. 0.5 is chance, 1 a perfect separation. A network of point estimates has no
epistemic uncertainty: its AUROC by that is exactly 0.5. Run time: a minute on two CPU cores, most of it for --foreign
data sets that are read for the first time.

The familiar images are the record's test set. Data sets that cannot be had are left out, which auroc.md says; once they
can be had, the same command measures again. Results are in
<output_dir>/out_of_distribution/<record>[/<setting>=<value>...]/: auroc.csv|md (a row per kind of foreign images, a
column per score), left_out.csv, scores.csv (mean scores), histograms.png, settings.json; with --report_only they are
made anew from the CSV files, without TensorFlow.
"""

import dataclasses
import sys

import numpy as np

from bayes_layers.settings import SettingError, Settings, names_in, setting
from bayes_layers.streams import stream_key
from experiments import datasets, entry
from experiments.errors import DataError
from experiments.examination import foreign
from experiments.records import figures
from experiments.records.paths import wrapped
from experiments.records.small import SmallRecord
from experiments.records.trained import open_trained, place_of, source_for_report
from experiments.studies.render import to_markdown

KINDS = ("digits", "mnist", "cifar10", *foreign.NOISES, *foreign.TRANSFORMS)
SCORES = {
    "max_probability": "1 - max p",
    "entropy": "H[p]",
    "expected_entropy": "mean H[p_t]",
    "mutual_information": "I[y; w]",
    "aleatoric": "trace, aleatoric",
    "epistemic": "trace, epistemic",
}
BINS = 40
COLUMNS = {
    "auroc.csv": ("foreign", "images", *SCORES),
    "left_out.csv": ("foreign", "why"),
    "scores.csv": ("kind", *SCORES),
    "histograms.csv": ("kind", "score", "bin", "share"),
}


@dataclasses.dataclass(frozen=True)
class ForeignConfig(Settings):
    """Out of distribution"""

    record: str = setting("", "Directory of the record whose network is examined.", result=False)
    foreign: str = setting("all", f"Kinds of foreign images, separated by commas, or all: {', '.join(KINDS)}.")
    images: int = setting(10_000, "The most images of each kind.", minimum=1, maximum=1_000_000)
    num_samples: int = setting(100, "Monte-Carlo samples.", minimum=1, maximum=1_000_000)
    seed: int = setting(0, "Weight draws and noise follow from it.", minimum=0, maximum=2**31 - 1)
    data_dir: str = setting(
        "",
        "Where TFDS keeps its data sets; empty: TFDS_DATA_DIR, else ~/tensorflow_datasets.",
        result=False,
        in_record=False,
    )
    output_dir: str = setting("runs", "Where results are kept.", result=False, in_record=False)
    report_only: bool = setting(False, "Write table and picture from what is there.", result=False, in_record=False)

    def __post_init__(self):
        super().__post_init__()
        self.kinds  # noqa: B018

    @property
    def kinds(self):
        """The kinds of foreign images."""
        return names_in("foreign", self.foreign, KINDS)


def scores_of(predictive, images, key):
    """The uncertainty scores of images, dict from the names of `SCORES` to `[B]`."""
    from bayes_layers.uncertainty.decomposition import UNCERTAINTY_MOMENTS, uncertainties

    moments = predictive.moments(images, key, UNCERTAINTY_MOMENTS)
    found = {**uncertainties(moments), "max_probability": 1.0 - moments["mean"].max(axis=-1)}
    return {name: found[name] for name in SCORES}


def measure(config, trained):
    """Predicts all kinds of images.

    Args:
      config: a `ForeignConfig`.
      trained: a `Trained` record.

    Returns:
      The record's files: a dict for `SmallRecord.make`.
    """
    entry.start_tensorflow()
    from bayes_layers import PosteriorPredictive
    from bayes_layers.uncertainty import auroc

    network = trained.network()
    predictive = PosteriorPredictive(network, config.num_samples)
    key = stream_key(config.seed, "posterior")
    test_images = datasets.load(trained.dataset, config.data_dir).test_images
    scores = {trained.dataset: scores_of(predictive, test_images[: config.images], key)}
    lines, left_out = [], []
    for kind in wanted(config, trained.dataset):
        try:
            images = foreign.foreign_images(kind, test_images, config.data_dir, config.images, config.seed)
        except DataError as error:
            print(f"left out: {kind}: {error}", file=sys.stderr)
            left_out.append({"foreign": kind, "why": " ".join(str(error).split())})
            continue
        scores[kind] = scores_of(predictive, images, key)
        area = {name: auroc(scores[trained.dataset][name], scores[kind][name]) for name in SCORES}
        lines.append({"foreign": kind, "images": len(images), **area})
    means = [{"kind": kind, **{name: float(np.mean(v)) for name, v in found.items()}} for kind, found in scores.items()]
    tables = (lines, left_out, means, _histograms(scores))
    return {name: (columns, rows) for (name, columns), rows in zip(COLUMNS.items(), tables, strict=True)}


def wanted(config, familiar):
    """The wanted kinds of images that are foreign to a network of the data set `familiar`.

    Raises:
      SettingError: if there are none.
    """
    kinds = [kind for kind in config.kinds if kind != familiar]
    if not kinds:
        others = ", ".join(kind for kind in KINDS if kind != familiar)
        raise SettingError(
            f"--foreign={config.foreign} is not valid: it takes all, or names of {others} for this record, whose "
            f"network was trained on {familiar}"
        )
    return kinds


def _rows(book, name):
    return book.rows(name, COLUMNS[name])


def missing_of(book, kinds):
    """Those of the wanted `kinds` that a made record lacks."""
    there = {row["foreign"] for row in _rows(book, "auroc.csv")}
    return [kind for kind in kinds if kind not in there]


def can_gain(config, trained, book):
    """Whether measuring again would find kinds that a made record lacks, and lose none that it has.

    Args:
      config: a `ForeignConfig`.
      trained: a `Trained` record.
      book: its `SmallRecord`, which is made.
    """
    kinds = wanted(config, trained.dataset)
    missing = missing_of(book, kinds)
    if not missing:
        return False
    entry.start_tensorflow()  # before what reads data sets does it, aloud
    try:
        test_images = datasets.load(trained.dataset, config.data_dir).test_images
    except DataError:
        return False
    able = {kind for kind in kinds if _can_be_had(kind, test_images, config)}
    return able > set(kinds) - set(missing)


def _can_be_had(kind, test_images, config):
    try:
        foreign.foreign_images(kind, test_images, config.data_dir, 1, config.seed)
        return True
    except DataError as error:
        print(f"left out: {kind}: {error}", file=sys.stderr)
        return False


def _histograms(scores):
    """The share of each kind's images in each bin of mutual information and expected entropy, up to ln C."""
    rows = []
    for kind, found in scores.items():
        for name in ("expected_entropy", "mutual_information"):
            top = max(values[name].max() for values in scores.values()) or 1.0
            counts, edges = np.histogram(found[name], BINS, (0.0, top))
            rows += [
                {"kind": kind, "score": name, "bin": float(edge), "share": float(count) / len(found[name])}
                for edge, count in zip(edges[:-1], counts, strict=True)
            ]
    return rows


def draw(rows, title):
    """The histograms as a matplotlib figure: an axis per score, a line per kind."""
    figure, axes = figures.pyplot().subplots(1, 2, figsize=(11, 4), layout="constrained")
    names = {"expected_entropy": "expected entropy (nats)", "mutual_information": "mutual information (nats)"}
    for axis, (name, label) in zip(axes, names.items(), strict=True):
        kinds = dict.fromkeys(row["kind"] for row in rows)
        for i, kind in enumerate(kinds):
            mine = [row for row in rows if row["kind"] == kind and row["score"] == name]
            style = {"color": "black", "lw": 2} if i == 0 else {"color": f"C{i - 1}"}
            label_of = f"{kind} (familiar)" if i == 0 else kind
            bins, shares = ([float(row[column]) for row in mine] for column in ("bin", "share"))
            axis.step(bins, shares, where="post", label=label_of, **style)
        axis.set(xlabel=label, ylabel="share of images", yscale="log")
        axis.grid(alpha=0.3)
    axes[1].legend(fontsize=8)
    figure.suptitle(title)
    return figure


def table(rows, familiar, place, missing=()):
    """`auroc.md`.

    Args:
      rows: of auroc.csv.
      familiar: the data set of the record.
      place: where the record lies among all records.
      missing: the kinds of images that were wanted and left out.

    Returns:
      str.
    """
    header = ["foreign images", *SCORES.values()]
    lines = [[row["foreign"], *(f"{float(row[name]):.3f}" for name in SCORES)] for row in rows]
    said = f"\nLeft out, since they could not be had: {', '.join(missing)}.\n" if missing else ""
    return (
        f"# Foreign images: AUROC of `{place}`\n\nFamiliar: the test set of {familiar}. 0.5 is chance, 1 perfect.\n\n"
        f"{to_markdown(header, lines)}{said}"
    )


def work(config):
    """Measures unless it is done, and writes table and picture.

    Args:
      config: a `ForeignConfig`.
    """
    if not config.record:
        raise SettingError("--record= is not valid: it takes the directory of a record with a trained network")
    book = SmallRecord("out_of_distribution", config, place_of(config.record))
    if config.report_only:
        book.make(None, source_for_report(config.record))
    else:
        trained = open_trained(config.record)
        wanted(config, trained.dataset)
        again = book.is_made and book.source == trained.sha256 and can_gain(config, trained, book)
        book.make(lambda config: measure(config, trained), trained.sha256, again)
    familiar = _rows(book, "scores.csv")[0]["kind"]
    missing = missing_of(book, [kind for kind in config.kinds if kind != familiar])
    text = table(_rows(book, "auroc.csv"), familiar, place_of(config.record), missing)
    book.write("auroc.md", text.encode())
    book.write_figure("histograms.png", draw(_rows(book, "histograms.csv"), wrapped(place_of(config.record))))
    print(f"{text}\nresults: {book.path}")


main = entry.point(work, ForeignConfig, description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
