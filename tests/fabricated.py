"""Records without training: made up numbers, written by the package's own code for records."""

import hashlib
import pathlib

import numpy as np

from experiments.records import checkpoint, files, record, tables

SETTINGS = {
    "seed": 0,
    "precision": "float32",
    "jit_compile": "false",
    "replicas": 1,
    "num_samples": 100,
    "sampling": "weights",
    "epochs": 200,
    "batch_size": 64,
    "learning_rate": 0.001,
    "weight_decay": 0.0,
    "kl_scale": "labels",
    "warm_start": False,
    "dataset": "digits",
    "acquisition": "var_ratios",
    "initial_labels": 20,
    "balanced_init": True,
    "query_size": 10,
    "pool_subset": 0,
    "scoring": "full",
    "arch": "BNN-1",
    "mu_init": -3.0,
    "sigma_init": 0.1,
    "loc_init": "tfp",
    "test_dropout": "false",
    "max_labels": 60,
    "test_every": 1,
}


class _HeldLock:
    def check(self):
        pass


def fabricate(path, *, cycles=5, layers=("Dense2",), facts=None, images=None, **settings):
    """Writes a record of `cycles` committed cycles; returns its path.

    Args:
      path: the directory, which is made.
      cycles: how many cycles are committed.
      layers: names of the Bayesian layers.
      facts: entries of `config.json` besides the settings.
      images: uint8 `[n, H, W, C]` from which the acquired images are taken in turn; None for noise.
      **settings: what differs from `SETTINGS`.
    """
    path, settings = pathlib.Path(path), {**SETTINGS, **settings}
    (path / "checkpoint").mkdir(parents=True)
    text = repr([settings[name] for name in ("arch", "acquisition", "mu_init", "seed", "dataset", "epochs")])
    random = np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16))
    config = {
        "settings": settings,
        "versions": {"python": "3.11", "bayes_layers": "0.1.0"},
        "git_commit": None,
        "device": "a processor",
        "dataset": {"name": settings["dataset"], "version": "1", "train_images": 1297, "test_images": 500},
        "history": [],
        **(facts or {}),
    }
    files.write_json(path / "config.json", config)
    state = _state(settings, cycles, layers, random)
    checkpoint.write(path / "checkpoint", state)
    order = np.array(record.acquired_order(state))
    acquired = {
        "image": random.integers(0, 256, (len(order), 8, 8, 1), np.uint8)
        if images is None
        else images[order % len(images)],
        "label": np.array(tables.column(state.rows["acquisitions"], "label", int)),
        "index": order,
        "cycle": np.array(tables.column(state.rows["acquisitions"], "cycle", int)),
    }
    record.Record(path, _HeldLock()).publish(state, acquired)
    return path


def _state(settings, cycles, layers, random):
    rows = {name: [] for name in tables.COLUMNS}
    level = random.uniform(0.8, 1.2)
    for cycle in range(cycles):
        labels = settings["initial_labels"] + settings["query_size"] * cycle
        error = min(0.9, level * 4 / labels**0.75 * random.uniform(0.85, 1.15))
        rows["metrics"].append(tables.row(
            "metrics", cycle=cycle, labels=labels, test_error=error, test_nll=3 * error, test_brier=1.5 * error,
            test_ece=error / 3, train_nll=0.01, train_kl=3000.0, kl_weight=1 / labels, train_seconds="1.000",
            score_seconds="2.000" if cycle < cycles - 1 else None, test_seconds="0.500"))  # fmt: skip
        for rank in range(settings["query_size"] if cycle else settings["initial_labels"]):
            index = len(rows["acquisitions"])
            score = 0.8 - 0.01 * rank if cycle else None
            rows["acquisitions"].append(
                tables.row("acquisitions", cycle=cycle, rank=rank, index=index, label=index % 10, score=score)
            )
        for i, layer in enumerate(layers):
            sigma = 0.05 * (i + 1) + cycle / 1e3
            rows["posterior"].append(tables.row("posterior", cycle=cycle, layer=layer, sigma_mean=sigma, sigma_std=5e-3,
                                                snr_median=0.7, kl=3000.0 * (i + 1)))  # fmt: skip
        for i in range(15):
            rows["calibration"].append(tables.row("calibration", cycle=cycle, bin=i, count=10 * i,
                                                  confidence=(i + 0.5) / 15 if i else None,
                                                  accuracy=(i + 0.2) / 15 if i else None))  # fmt: skip
    return checkpoint.State(cycles - 1, 100 * cycles, rows, {}, [], {"nll": np.zeros(2)})
