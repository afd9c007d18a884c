"""Does bfloat16 change anything that matters? Test errors in pairs, and the picks of one scoring pass.

Command: python -m experiments.precision_evidence [--archs=BNN-1,BNN-2,BNN] [--mus=-3,-5,-9,-11] [--seeds=5]

For every architecture and initial mean of rho, and for as many seeds: a network is trained twice on the same labelled
images, from the same weights, with the same minibatches and noise, in float32 and in bfloat16, and both predict the
test set in their precision. The pairs' differences in test error come with a 95 % confidence interval (Student's t).
For the first seed, the float32 network also scores a part of the pool in both precisions, with the same draws: how many
of the ten picks agree, and the rank correlation (Spearman) of the scores.

Writes <output_dir>/precision_evidence/<dataset>/errors.csv and picks.csv; rows that are there are not computed again.
Run time: about a minute per pair for BNN on two cores, less for the others.
"""

import csv
import dataclasses
import pathlib
import sys

import numpy as np

from bayes_layers.config import NetworkSettings, TrainingSettings
from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.settings import SettingError, Settings, names_in, setting
from bayes_layers.streams import stream_generator, stream_key
from bayes_layers.uncertainty.acquisitions import MOMENTS, MOMENTS_OF_SCORE
from experiments import entry
from experiments.active_learning.config import DataSettings
from experiments.records import files, tables

ERROR_COLUMNS = ("arch", "mu_init", "labels", "seed", "float32", "bfloat16")
PICK_COLUMNS = ("arch", "mu_init", "labels", "acquisition", "pool", "picks", "agree", "spearman")


@dataclasses.dataclass(frozen=True)
class EvidenceSettings(Settings):
    """Precision evidence"""

    archs: str = setting("CNN,BNN-1,BNN-2,BNN", "Architectures, separated by commas, or all.")
    mus: str = setting("-3,-5,-9,-11", "Initial means of rho, separated by commas.")
    labels: int = setting(100, "Labelled images, drawn at random.", minimum=10)
    seeds: int = setting(5, "Pairs.", minimum=1, maximum=1000)
    num_samples: int = setting(100, "Monte-Carlo samples of the test and of the scoring pass.", minimum=2)
    pool_subset: int = setting(4000, "Images that are scored in both precisions.", minimum=100)
    test_subset: int = setting(0, "Test on so many of the test images; 0: all.", minimum=0)
    query_size: int = setting(10, "Picks.", minimum=1)
    output_dir: str = setting("runs", "Where the results go.")

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
class EvidenceConfig(EvidenceSettings, DataSettings, TrainingSettings):
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


def summarize(errors, picks):
    """Lines of text from the rows of both tables."""
    from scipy import stats

    lines = []
    for cell in dict.fromkeys((row["arch"], row["mu_init"]) for row in errors):
        mine = [row for row in errors if (row["arch"], row["mu_init"]) == cell]
        exact, low = (np.array([100 * float(row[name]) for row in mine]) for name in ("float32", "bfloat16"))
        difference = low - exact
        half = stats.sem(difference) * stats.t.ppf(0.975, len(mine) - 1) if len(mine) > 1 else np.nan
        agreements = [
            f"{row['acquisition']} {row['agree']}/{row['picks']}"
            for row in picks
            if (row["arch"], row["mu_init"]) == cell
        ]
        lines.append(
            f"{cell[0]:<11} mu {float(cell[1]):>4g}: float32 {exact.mean():5.2f} %, bfloat16 {low.mean():5.2f} %, "
            f"difference {difference.mean():+.2f} +- {half:.2f} ({len(mine)} pairs); picks {', '.join(agreements)}"
        )
    return lines


def work(config):
    """Fills both tables and prints what they say."""
    from experiments import datasets

    name = datasets.resolve(config.dataset, config.data_dir)
    dataset = datasets.load(name, config.data_dir)
    if config.labels + config.query_size > len(dataset.train_images):
        raise SettingError(f"--labels={config.labels} is not valid: {name} has {len(dataset.train_images)} images")
    entry.start_tensorflow()
    directory = pathlib.Path(config.output_dir) / "precision_evidence" / name
    directory.mkdir(parents=True, exist_ok=True)
    errors, picks = _read(directory / "errors.csv"), _read(directory / "picks.csv")
    done = {(row["arch"], float(row["mu_init"]), int(row["labels"]), int(row["seed"])) for row in errors}
    cells = [(a, mu) for a in config.architectures for mu in (config.mu_values if a != "CNN" else (-3.0,))]
    wanted = [(a, mu, seed) for seed in range(config.seeds) for a, mu in cells]
    for number, (arch, mu, seed) in enumerate(wanted, 1):
        if (arch, mu, config.labels, seed) in done:
            continue
        head = {"arch": arch, "mu_init": mu, "labels": config.labels}
        row = {**head, "seed": seed}
        for precision in ("float32", "bfloat16"):
            network, pool = fitted(arch, mu, seed, precision, dataset, config)
            row[precision] = test_error(network, seed, dataset, config)
            if seed == 0 and precision == "float32" and network.is_stochastic:
                images = dataset.train_images[pool]
                for found in compare_scores(network, images, config.query_size, config.num_samples):
                    picks.append({**head, "pool": len(pool), "picks": config.query_size, **found})
                files.write_text(directory / "picks.csv", tables.csv_text(PICK_COLUMNS, picks))
        errors.append(row)
        files.write_text(directory / "errors.csv", tables.csv_text(ERROR_COLUMNS, errors))
        print(f"[{number}/{len(wanted)}] {arch}, mu {mu:g}, seed {seed}", flush=True)
    print("\n".join([f"{directory}:", *summarize(errors, picks)]))


def _read(path):
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


main = entry.point(work, EvidenceConfig, description=__doc__, groups=(EvidenceSettings, DataSettings, TrainingSettings))


if __name__ == "__main__":
    sys.exit(main())
