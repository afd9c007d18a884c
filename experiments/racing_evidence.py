"""Does racing pick what full scoring picks? Counts of cycles and of picks, on trained networks.

Command: python -m experiments.racing_evidence [--archs=BNN-2,MC-Dropout] [--labels=20,100] [--pool_subset=15000]

For every architecture and number of randomly labelled images a network is trained with the paper's protocol (200
epochs, the KL divided by the labels), and the pool is scored in full, once, with 100 samples. On the stored samples the
race of `bayes_layers.inference.race` then runs for each acquisition function as it would have run, and its ten picks
are compared with those of full scoring. What is random in the race's statement is the order of the samples: so the ten
best are also raced in `--orders` random orders of the same samples, against their own tenth score, the hardest
threshold that there can be.

Writes <output_dir>/racing_evidence/<dataset>[/<setting>=<value>,...]/evidence.csv, a row per architecture, labels and
acquisition; rows that are there are not computed again. Run time on two cores: half a minute per cell for the networks
that are Bayesian from the first dense layer on, five minutes for the others, training not included; less with
--pool_subset.
"""

import dataclasses
import math
import sys

import numpy as np

from bayes_layers.config import DeviceSettings, NetworkSettings
from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.processor import resolve_precision
from bayes_layers.settings import SettingError, Settings, names_in, same_setting, setting
from bayes_layers.streams import stream_generator, stream_key
from bayes_layers.uncertainty.acquisitions import MOMENTS_OF_SCORE
from experiments import entry, evidence
from experiments.active_learning.config import DataSettings
from experiments.records.lock import RecordLock
from experiments.records.record import make_directory

KEY = ("arch", "labels", "acquisition")
COLUMNS = {
    "arch": str, "labels": int, "acquisition": str, "pool": int, "picks": int, "lost": int, "largest_gap": float,
    "share_of_samples": float, "threshold": float, "order_picks": int, "order_lost": int,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class EvidenceSettings(Settings):
    """Racing evidence"""

    archs: str = setting("all", "Architectures, separated by commas, or all.", result=False)
    labels: str = setting("20,100,300,1000", "Numbers of labelled images, separated by commas.", result=False)
    num_samples: int = setting(100, "Monte-Carlo samples.", minimum=20, maximum=1000)
    query_size: int = setting(10, "Picks.", minimum=1, maximum=1000)
    pool_subset: int = setting(0, "Score a random subset of the pool of this size; 0: the whole pool.", minimum=0)
    orders: int = setting(40, "Random orders of the samples in which the best are raced again.", minimum=0)
    mu_init: float = same_setting(NetworkSettings, "mu_init", NetworkSettings.mu_init)
    seed: int = setting(0, "All randomness follows from it.", minimum=0, maximum=2**31 - 1)
    precision: str = same_setting(DeviceSettings, "precision", DeviceSettings.precision)
    output_dir: str = setting("runs", "Where the results go.", result=False)

    def __post_init__(self):
        super().__post_init__()
        self.architectures  # noqa: B018
        parts = self.labels.split(",")
        if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
            raise SettingError(f"--labels={self.labels} is not valid: it takes positive numbers, separated by commas")

    @property
    def architectures(self):
        """The chosen architectures that are sampled at all."""
        return tuple(name for name in names_in("archs", self.archs, ARCHITECTURES) if name != "CNN")

    @property
    def label_counts(self):
        """The chosen numbers of labels."""
        return tuple(int(part) for part in self.labels.split(","))


@dataclasses.dataclass(frozen=True)
class EvidenceConfig(EvidenceSettings, DataSettings, evidence.FitSettings):
    """Every setting of this experiment."""


def make_replay(samples, num_classes):
    """A `PosteriorPredictive` whose samples are its attribute `stored`, `[S, B, C]`; its images are 0 to B - 1."""
    import tensorflow as tf

    from bayes_layers import PosteriorPredictive

    class Replay(PosteriorPredictive):
        def __init__(self):
            self.network = type("Stored", (), {"num_classes": num_classes, "sampled_operations": math.inf})
            self.samples, self.sampling, self.jit_compile = samples, "weights", False
            self.tile_size, self.chunk_size = 512, 8192
            self._compiled = {}

        def draws(self, key):
            return (tf.constant(self.stored),)

        def features(self, images):
            rows = -(-len(images) // self.tile_size) * self.tile_size
            return (tf.constant(np.pad(images.astype(np.int32), [(0, rows - len(images))])),)

        def sample(self, features, key, t, chunk, draws):
            return tf.gather(draws[0][t], features[0])

    return Replay()


def judge(acquisition, probabilities, count, orders, generator, replay):
    """Races on stored samples `[S, B, C]`, and compares with full scoring.

    Returns:
      dict with the columns from `picks` on.
    """
    from bayes_layers.inference.prediction import ERROR
    from bayes_layers.inference.race import Race
    from bayes_layers.uncertainty import scores

    pieces = range(0, probabilities.shape[1], 8192)
    full = np.concatenate(
        [scores.acquisition_score(acquisition, probabilities[:, i : i + 8192]).numpy() for i in pieces]
    )
    best = np.argsort(-full, kind="stable")[:count]
    replay.stored = probabilities
    race = Race(replay, np.arange(len(full)), 0, acquisition, count, ERROR)
    raced = race.run(np.arange(len(full)))
    lost = best[np.isneginf(raced[best])]
    order_lost = 0
    for _ in range(orders):
        replay.stored = probabilities[generator.permutation(len(probabilities))][:, best]
        order_lost += lost_in_order(acquisition, replay, full[best].min())
    return {
        "picks": count,
        "lost": len(lost),
        "largest_gap": float(np.max(full[lost] - full[best].min(), initial=0.0)),
        "share_of_samples": round(race.image_samples / probabilities[:, :, 0].size, 4),
        "threshold": round(float(full[best].min()), 5),
        "order_picks": count * orders,
        "order_lost": order_lost,
    }


def lost_in_order(acquisition, replay, threshold):
    """How many of a replay's images the rule drops against a threshold."""
    from bayes_layers.inference.prediction import ERROR
    from bayes_layers.inference.race import Race

    count = replay.stored.shape[1]
    race = Race(replay, np.arange(count), 0, acquisition, count, ERROR)
    race.indices, race.threshold = np.arange(count), threshold - 1e-9
    race._draws, race._progress = replay.draws(0), lambda done: None
    alive, _ = race._stage(np.arange(count), None, 0, race.samples)
    return count - len(alive)


def samples_of(arch, labels, dataset, config):
    """Trains on random labels and returns all samples `[S, B, C]` for the pool."""
    from bayes_layers import ElboTrainer, PosteriorPredictive, build_network
    from bayes_layers.inference.elbo import kl_weight
    from bayes_layers.inference.prediction import as_float
    from bayes_layers.layers.randomness import make_seed

    settings = NetworkSettings(arch=arch, mu_init=config.mu_init)
    network = build_network(settings, num_classes=dataset.num_classes)
    network.assign(network.initial_values(make_seed(stream_key(config.seed, "weights", labels))))
    network.precision = resolve_precision(config.precision, settings)
    order = stream_generator(config.seed, "evidence", labels).permutation(len(dataset.train_images))
    labelled, pool = order[:labels], np.sort(order[labels:][: config.pool_subset or None])
    ElboTrainer(network, batch_size=config.batch_size, learning_rate=config.learning_rate).fit(
        as_float(dataset.train_images[labelled]),
        dataset.train_labels[labelled],
        epochs=config.epochs,
        kl_weight=kl_weight(config.kl_scale, labels, len(dataset.train_images)),
        seed=config.seed,
    )
    predictive = PosteriorPredictive(network, config.num_samples)
    return predictive.probabilities(dataset.train_images[pool], stream_key(config.seed, "posterior", labels))


def summarize(rows):
    """Lines of text: per acquisition, cycles with the same picks, picks, and the share of samples."""
    lines = []
    for name in MOMENTS_OF_SCORE:
        mine = [row for row in rows if row["acquisition"] == name]
        if not mine:
            continue
        total = {key: sum(row[key] for row in mine) for key in ("picks", "lost", "order_picks", "order_lost")}
        same = sum(row["lost"] == 0 for row in mine)
        shares = sorted(row["share_of_samples"] for row in mine)
        kept, kept_in_orders = total["picks"] - total["lost"], total["order_picks"] - total["order_lost"]
        lines.append(
            f"{name:<16} cycles {same} of {len(mine)}, picks {kept} of {total['picks']}, "
            f"in random orders {kept_in_orders} of {total['order_picks']}; samples "
            f"{100 * shares[0]:.0f} to {100 * shares[-1]:.0f} %, median {100 * float(np.median(shares)):.0f} %"
        )
    return lines


def work(config):
    """Fills the table and prints what it says."""
    from experiments import datasets

    name = datasets.resolve(config.dataset, config.data_dir)
    directory = evidence.directory("racing_evidence", name, config)
    table = evidence.Table(directory / "evidence.csv", COLUMNS, KEY)
    if _missing(table, config):
        dataset = datasets.load(name, config.data_dir)
        for labels in config.label_counts:
            if labels + config.query_size > len(dataset.train_images):
                raise SettingError(
                    f"--labels={config.labels} is not valid: {name} has {len(dataset.train_images)} images"
                )
        make_directory(directory, config.output_dir)
        with RecordLock(directory) as lock:
            entry.start_tensorflow()
            table.read()
            _fill(table, dataset, config, lock)
    print("\n".join([f"{table.path}:", *summarize(table.rows)]))


def _missing(table, config):
    """Pairs of architecture and labels whose rows are not there, once each."""
    wanted = dict.fromkeys((arch, labels) for labels in config.label_counts for arch in config.architectures)
    return [cell for cell in wanted if not all((*cell, name) in table for name in MOMENTS_OF_SCORE)]


def _fill(table, dataset, config, lock):
    """Makes the missing rows, and writes the table after each cell."""
    missing = _missing(table, config)
    for number, (arch, labels) in enumerate(missing, 1):
        probabilities = samples_of(arch, labels, dataset, config)
        generator = stream_generator(config.seed, "orders", labels)
        replay = make_replay(len(probabilities), probabilities.shape[2])
        for acquisition in MOMENTS_OF_SCORE:
            found = judge(acquisition, probabilities, config.query_size, config.orders, generator, replay)
            head = {"arch": arch, "labels": labels, "acquisition": acquisition, "pool": probabilities.shape[1]}
            table.put([{**head, **found}])
        lock.check()
        table.write()
        print(f"[{number}/{len(missing)}] {arch}, {labels} labels", flush=True)


main = entry.point(
    work,
    EvidenceConfig,
    description=__doc__,
    groups=(EvidenceSettings, DataSettings, evidence.FitSettings),
)


if __name__ == "__main__":
    sys.exit(main())
