"""Does bfloat16 change anything that matters? Test errors in pairs, and the picks of one scoring pass.

Command: python -m experiments.precision_evidence [--archs=BNN-1,BNN-2,BNN] [--mus=-3,-5,-9,-11] [--seeds=5]

For every architecture and initial mean of rho, and for as many seeds: a network is trained twice on the same labelled
images, from the same weights, with the same minibatches and noise, in float32 and in bfloat16, and both predict the
test set in their precision. The pairs' differences in test error come with a 95 % confidence interval (Student's t).
For the first seed, the float32 network also scores a part of the pool in both precisions, with the same draws: how many
of the ten picks agree, and the rank correlation (Spearman) of the scores.

Writes <output_dir>/precision_evidence/<dataset>[/<setting>=<value>,...]/errors.csv and picks.csv; rows that are there
are not computed again. Run time: about a minute per pair for BNN on two cores, less for the others.
"""

import dataclasses
import sys

import numpy as np

from bayes_layers.config import NetworkSettings
from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.settings import SettingError, Settings, names_in, setting
from bayes_layers.streams import stream_generator, stream_key
from bayes_layers.uncertainty.acquisitions import MOMENTS, MOMENTS_OF_SCORE
from experiments import entry, evidence
from experiments.active_learning.config import DataSettings
from experiments.records.lock import RecordLock
from experiments.records.record import make_directory

CELL = {"arch": str, "mu_init": float, "labels": int}
ERROR_COLUMNS = {**CELL, "seed": int, "float32": float, "bfloat16": float}
PICK_COLUMNS = {**CELL, "acquisition": str, "pool": int, "picks": int, "agree": int, "spearman": float}


@dataclasses.dataclass(frozen=True)
class EvidenceSettings(Settings):
    """Precision evidence"""

    archs: str = setting("CNN,BNN-1,BNN-2,BNN", "Architectures, separated by commas, or all.", result=False)
    mus: str = setting("-3,-5,-9,-11", "Initial means of rho, separated by commas.", result=False)
    labels: int = setting(100, "Labelled images, drawn at random.", minimum=10, result=False)
    seeds: int = setting(5, "Pairs.", minimum=1, maximum=1000, result=False)
    num_samples: int = setting(100, "Monte-Carlo samples of the test and of the scoring pass.", minimum=2)
    pool_subset: int = setting(4000, "Images that are scored in both precisions.", minimum=100)
    test_subset: int = setting(0, "Test on so many of the test images; 0: all.", minimum=0)
    query_size: int = setting(10, "Picks.", minimum=1)
    output_dir: str = setting("runs", "Where the results go.", result=False)

    def __post_init__(self):
        super().__post_init__()
        self.architectures  # noqa: B018
        try:
            self.mu_values  # noqa: B018
        except ValueError:
            raise SettingError(f"--mus={self.mus} is not valid: it takes numbers, separated by commas") from None

    @property
    def architectures(self):
        """The chosen architectures."""
        return names_in("archs", self.archs, ARCHITECTURES)

    @property
    def mu_values(self):
        """The chosen initial means of rho."""
        return tuple(float(part) for part in self.mus.split(","))


@dataclasses.dataclass(frozen=True)
class EvidenceConfig(EvidenceSettings, DataSettings, evidence.FitSettings):
    """Every setting of this experiment."""


def fitted(arch, mu, seed, precision, dataset, config):
    """A network that was trained in a precision, and the data-set indices of the pool."""
    from bayes_layers import ElboTrainer, build_network
    from bayes_layers.inference.elbo import kl_weight
    from bayes_layers.inference.prediction import as_float
    from bayes_layers.layers.randomness import make_seed

    network = build_network(NetworkSettings(arch=arch, mu_init=mu), num_classes=dataset.num_classes)
    network.assign(network.initial_values(make_seed(stream_key(seed, "weights", 0))))
    network.precision = precision
    order = stream_generator(seed, "evidence").permutation(len(dataset.train_images))
    labelled, pool = order[: config.labels], order[config.labels :][: config.pool_subset]
    ElboTrainer(network, batch_size=config.batch_size, learning_rate=config.learning_rate).fit(
        as_float(dataset.train_images[labelled]),
        dataset.train_labels[labelled],
        epochs=config.epochs,
        kl_weight=kl_weight(config.kl_scale, config.labels, len(dataset.train_images)),
        seed=seed,
    )
    return network, pool


def test_error(network, seed, dataset, config):
    """The share of wrong test images."""
    from bayes_layers import PosteriorPredictive

    images = dataset.test_images[: config.test_subset or None]
    mean = PosteriorPredictive(network, config.num_samples).mean(images, stream_key(seed, "posterior", 0))
    return float(np.mean(mean.argmax(1) != dataset.test_labels[: len(images)]))


def compare_scores(network, images, count, num_samples):
    """Scores images in both precisions with the same draws; a dict per acquisition function."""
    from scipy.stats import spearmanr

    from bayes_layers import PosteriorPredictive
    from bayes_layers.uncertainty import scores

    moments = []
    for precision in ("float32", "bfloat16"):
        network.precision = precision
        moments.append(
            PosteriorPredictive(network, num_samples).moments(images, stream_key(0, "posterior", 0), MOMENTS)
        )
    rows = []
    for acquisition in MOMENTS_OF_SCORE:
        both = [np.asarray(scores.score_from_moments(acquisition, moment)) for moment in moments]
        picks = [set(np.argsort(-score, kind="stable")[:count]) for score in both]
        is_constant = any(np.ptp(score) == 0 for score in both)
        correlation = "" if is_constant else round(float(spearmanr(*both).statistic), 5)
        rows.append({"acquisition": acquisition, "agree": len(picks[0] & picks[1]), "spearman": correlation})
    return rows


def cell_of(row):
    """Network, initial mean of rho and labels of a row."""
    return tuple(row[name] for name in CELL)


def summarize(errors, picks):
    """Lines of text from the rows of both tables, one for each network, initial mean of rho and number of labels."""
    from scipy import stats

    lines = []
    for cell in dict.fromkeys(map(cell_of, errors)):
        mine = [row for row in errors if cell_of(row) == cell]
        exact, low = (np.array([100 * row[name] for row in mine]) for name in ("float32", "bfloat16"))
        difference = low - exact
        half = stats.sem(difference) * stats.t.ppf(0.975, len(mine) - 1) if len(mine) > 1 else np.nan
        agreements = [f"{row['acquisition']} {row['agree']}/{row['picks']}" for row in picks if cell_of(row) == cell]
        lines.append(
            f"{cell[0]:<11} mu {cell[1]:>4g}, {cell[2]} labels: float32 {exact.mean():5.2f} %, "
            f"bfloat16 {low.mean():5.2f} %, difference {difference.mean():+.2f} +- {half:.2f} ({len(mine)} pairs); "
            f"picks {', '.join(agreements)}"
        )
    return lines


class Tables:
    """Both tables of a directory, with one commit per pair of networks."""

    def __init__(self, directory):
        self.errors = evidence.Table(directory / "errors.csv", ERROR_COLUMNS, (*CELL, "seed"))
        self.picks = evidence.Table(directory / "picks.csv", PICK_COLUMNS, (*CELL, "acquisition"))

    def read(self):
        """Reads both again."""
        self.errors.read()
        self.picks.read()

    def commit(self, error, picks):
        """Writes a pair's rows: picks first, so that a pair whose error is there is whole after a kill in between."""
        self.picks.put(picks)
        self.errors.put([error])
        if picks:
            self.picks.write()
        self.errors.write()

    def missing(self, config):
        """Pairs `(arch, mu_init, seed)` whose rows are not there, once each, in the order of seeds."""
        cells = [(a, mu) for a in config.architectures for mu in (config.mu_values if a != "CNN" else (-3.0,))]
        wanted = dict.fromkeys((*cell, seed) for seed in range(config.seeds) for cell in cells)
        return [pair for pair in wanted if not self._is_whole(*pair, config.labels)]

    def _is_whole(self, arch, mu, seed, labels):
        has_picks = seed or arch == "CNN" or all((arch, mu, labels, name) in self.picks for name in MOMENTS_OF_SCORE)
        return has_picks and (arch, mu, labels, seed) in self.errors


def compare_pair(arch, mu, seed, dataset, config):
    """Trains a network in both precisions.

    Returns:
      The row of errors, and the rows of picks (of the first seed, if it has noise).
    """
    head = {"arch": arch, "mu_init": mu, "labels": config.labels}
    error, picks = {**head, "seed": seed}, []
    for precision in ("float32", "bfloat16"):
        network, pool = fitted(arch, mu, seed, precision, dataset, config)
        error[precision] = test_error(network, seed, dataset, config)
        if seed == 0 and precision == "float32" and network.is_stochastic:
            rows = compare_scores(network, dataset.train_images[pool], config.query_size, config.num_samples)
            picks = [{**head, "pool": len(pool), "picks": config.query_size, **row} for row in rows]
    return error, picks


def work(config):
    """Fills both tables and prints what they say."""
    from experiments import datasets

    name = datasets.resolve(config.dataset, config.data_dir)
    directory = evidence.directory("precision_evidence", name, config)
    found = Tables(directory)
    if found.missing(config):
        dataset = datasets.load(name, config.data_dir)
        if config.labels + config.query_size > len(dataset.train_images):
            raise SettingError(f"--labels={config.labels} is not valid: {name} has {len(dataset.train_images)} images")
        make_directory(directory, config.output_dir)
        with RecordLock(directory) as lock:
            entry.start_tensorflow()
            found.read()
            missing = found.missing(config)
            for number, (arch, mu, seed) in enumerate(missing, 1):
                rows = compare_pair(arch, mu, seed, dataset, config)
                lock.check()
                found.commit(*rows)
                print(f"[{number}/{len(missing)}] {arch}, mu {mu:g}, seed {seed}", flush=True)
    print("\n".join([f"{directory}:", *summarize(found.errors.rows, found.picks.rows)]))


main = entry.point(
    work, EvidenceConfig, description=__doc__, groups=(EvidenceSettings, DataSettings, evidence.FitSettings)
)


if __name__ == "__main__":
    sys.exit(main())
