"""One cell of the comparison with NUTS: sampled, fitted, recorded; and its table and picture, from records alone."""

import numpy as np

from bayes_layers.streams import stream_generator, stream_key
from experiments.errors import UserError
from experiments.priors import cells
from experiments.priors.config import smaller
from experiments.priors.nuts_config import NUTS
from experiments.priors.toy import grid_points, make_split
from experiments.records import arrays as records
from experiments.records import facts
from experiments.records.lock import RecordLock
from experiments.studies.render import to_csv, to_markdown

METHODS = {"nuts": "NUTS", "mean_field": "mean-field ADVI", "full_rank": "full-rank ADVI"}
SPLIT = 0
KEPT = 500  # draws of a chain, evenly spaced, that predictions are made of


def record_path(config, dataset, cell):
    """Where the record of one cell lies."""
    return config.nuts_records / _place(dataset, cell)


def _place(dataset, cell):
    return f"{dataset}/{','.join(cell)}.npz"


def read(config, dataset, cell):
    """`(numbers, arrays)` of one cell, or None if it was not made yet.

    Raises:
      RecordError: if it is damaged or of another protocol.
    """
    path = record_path(config, dataset, cell)
    found = _read_of_study(path, config)
    if found is not None:
        records.check_protocol(path, found[0]["nuts_protocol"], config.nuts_protocol)
    return found


def _read_of_study(path, config):
    found = records.read(path)
    if found is not None:
        records.check_protocol(path, found[0].get("protocol"), config.protocol)
    return found


def converged(config, dataset, cell, max_rhat):
    """The best comparison of one cell of a study, whatever the settings of the sampler.

    Args:
      config: a `PriorStudyConfig`.
      dataset, cell: which one.
      max_rhat: chains whose R-hat is not below this do not count.

    Returns:
      `(numbers, arrays)` with the most effective draws, or None if there is none that counts.

    Raises:
      RecordError: if a record is damaged or of another protocol.
    """
    paths = sorted((config.records / NUTS).glob(f"*/{_place(dataset, cell)}"))
    found = [record for record in (_read_of_study(path, config) for path in paths) if record is not None]
    counted = [record for record in found if record[0]["rhat"] < max_rhat]
    return max(counted, key=lambda record: record[0]["effective_draws"], default=None)


class Comparer:
    """Makes the records of one cell; the sampler is compiled once for all data sets."""

    def __init__(self, config, cell, progress=None):
        """Compiles nothing yet.

        Args:
          config: a `NutsComparisonConfig`.
          cell: `(prior, hyperprior)`.
          progress: called as `progress(dataset, rounds, rhat)` after every round, or None.
        """
        from experiments.priors.judge import Nuts

        self.config, self.cell, self.progress = config, cell, progress
        self._maker = cells.CellMaker(config, cell)
        self._nuts = Nuts(*cell, config.draws, config.burn_in)

    def make(self, dataset):
        """Samples, fits and records; the mean-field fit is that of the prior study's split 0, made if it is missing."""
        from experiments.priors.joint import ToyModel

        config = self.config
        fitted, study = self._study_record(dataset)
        scale = fitted.get("scale", 1.0)
        split = make_split(dataset, config.noise, config.seed, SPLIT)
        model = ToyModel(split.x, split.y, *self.cell, scale)
        grid = grid_points(dataset)
        positions, numbers = self._sample(dataset, model, split, scale, grid)
        samples = {"nuts": model.probabilities(positions.reshape(-1, model.size), grid)}
        samples["full_rank"], numbers["full_rank_elbo"] = self._full_rank(model, grid, study)
        arrays = {f"{name}_mean": p.mean(0) for name, p in samples.items()}
        arrays |= {f"{name}_stddev": p.std(0) for name, p in samples.items()}
        arrays |= {"mean_field_mean": study["grid_mean"], "mean_field_stddev": study["grid_stddev"]}
        arrays |= {"grid": grid, "positions": positions.astype(np.float32)}
        head = {"dataset": dataset, "prior": self.cell[0], "hyperprior": self.cell[1], "scale": scale, **numbers}
        head |= {"mean_field_elbo": fitted["elbo"], "protocol": config.protocol, "nuts_protocol": config.nuts_protocol}
        head |= {"versions": facts.versions(), "git_commit": facts.git_commit()}
        records.write(record_path(config, dataset, self.cell), head, arrays)

    def _study_record(self, dataset):
        """The record of the prior study, made if it is missing."""
        found = cells.read(self.config, dataset, self.cell, SPLIT)
        if found is None:
            with RecordLock(self.config.records):
                self._maker.make(dataset, SPLIT)
            found = cells.read(self.config, dataset, self.cell, SPLIT)
        return found

    def _sample(self, dataset, model, split, scale, grid):
        """Draws and diagnostics of NUTS: rounds, each going on where the last one ended, until R-hat is small.

        The first half of the rounds is warm-up and is not counted.
        """
        from experiments.priors.judge import effective_draws, rhat

        config, rounds = self.config, []
        generator = stream_generator(config.seed, "nuts starts", SPLIT)
        starts = 0.5 * generator.normal(size=(config.chains, model.size))
        coarse, predictions = grid[::9], []
        for number in range(config.rounds):
            key = stream_key(config.seed, "nuts", number)
            chains = self._nuts(split.x, split.y, scale, starts, (key % 2**31, (key >> 32) % 2**31))
            starts, rounds = chains.positions[-1], [*rounds, chains]
            predicted = model.probabilities(chains.positions.reshape(-1, model.size), coarse).astype(np.float32)
            predictions.append(predicted.reshape(*chains.positions.shape[:2], -1))
            half = len(rounds) // 2  # the first half is warm-up: a chain may have begun far away
            recent = np.concatenate(predictions[half:])  # not thinned: of a few hundred draws, R-hat is mostly noise
            numbers = {"rhat": rhat(recent)}
            if self.progress:
                self.progress(dataset, number + 1, numbers["rhat"])
            if numbers["rhat"] < config.max_rhat:
                break
        kept = np.concatenate([c.positions for c in rounds[half:]])
        kept = kept[np.linspace(0, len(kept) - 1, min(KEPT, len(kept))).astype(int)]
        numbers["effective_draws"] = effective_draws(recent[..., ::8])  # of every point, it takes gigabytes
        numbers |= {
            "rounds": len(rounds),
            "divergent": float(np.mean([c.divergent for c in rounds])),
            "leapfrogs": float(np.mean([c.leapfrogs for c in rounds])),
        }
        return kept, numbers

    def _full_rank(self, model, grid, study):
        """Predictions of the full-rank fit with the largest ELBO, and that ELBO in nats.

        One fit begins at the mean-field one, so that the larger family is never judged by a worse optimum.

        Raises:
          UserError: if a fit diverges.
        """
        from experiments.priors.judge import full_rank

        config, best = self.config, None
        begins = [_random_start(config.seed, restart, model.size) for restart in range(config.restarts)]
        begins.append(model.unconstrained(*_mean_field(study, bool(model.num_scales))))
        for number, (start, spread) in enumerate(begins):
            key = stream_key(config.seed, "full rank", number)
            seed = (key % 2**31, (key >> 32) % 2**31)
            steps, rate = config.full_rank_steps, config.full_rank_rate
            draws, elbo = full_rank(model, start, spread, steps, rate, 1000, seed)
            if not np.isfinite(elbo):
                raise UserError(f"the full-rank fit diverged: its ELBO is {elbo}; {smaller(config, 'full_rank_rate')}")
            if best is None or elbo > best[1]:
                best = draws, elbo
        return model.probabilities(best[0], grid), best[1]


def _random_start(seed, restart, size):
    start = 0.5 * stream_generator(seed, "full rank starts", restart).normal(size=size)
    return start, np.full(size, 0.05)


def _mean_field(study, has_scales):
    """The arguments of `ToyModel.unconstrained` from the weights in a record of the prior study."""
    layers = ("Hidden1", "Hidden2", "Output")

    def of_all(kind):
        names = [f"weight/{layer}/{part}_posterior_{kind}" for layer in layers for part in ("kernel", "bias")]
        return np.concatenate([study[name].ravel() for name in names])

    scales = [
        (float(study[f"weight/{layer}/prior_log_scale_loc"]), _softplus(study[f"weight/{layer}/prior_log_scale_rho"]))
        for layer in layers
        if has_scales
    ]
    return of_all("loc"), _softplus(of_all("untransformed_scale")), scales


def _softplus(x):
    return np.logaddexp(0.0, x)


def distances(arrays, method):
    """How far an approximation is from NUTS, over the grid.

    Returns:
      dict: `mean_distance` and `mean_distance_max`, of predictive means; `stddev_distance`, of predictive standard
      deviations (mean absolute differences); `stddev_ratio`, of their means over the grid.
    """
    mean = np.abs(arrays[f"{method}_mean"] - arrays["nuts_mean"])
    stddev = np.abs(arrays[f"{method}_stddev"] - arrays["nuts_stddev"])
    return {
        "mean_distance": float(mean.mean()),
        "mean_distance_max": float(mean.max()),
        "stddev_distance": float(stddev.mean()),
        "stddev_ratio": float(arrays[f"{method}_stddev"].mean() / arrays["nuts_stddev"].mean()),
    }


def tables(config, found):
    """`distances.csv` and `distances.md`.

    Args:
      config: a `NutsComparisonConfig`.
      found: dict from (dataset, cell) to `(numbers, arrays)`.

    Returns:
      Dict from a file's name to its text.
    """
    rows, lines = [], []
    for (dataset, cell), (numbers, arrays) in found.items():
        for method in ("mean_field", "full_rank"):
            row = {"dataset": dataset, "prior": cell[0], "hyperprior": cell[1], "method": method}
            row |= {**distances(arrays, method), "elbo": numbers[f"{method}_elbo"]}
            row |= {name: numbers[name] for name in ("scale", "rhat", "effective_draws", "divergent", "rounds")}
            rows.append(row)
            lines.append(
                [
                    dataset,
                    *cell,
                    METHODS[method],
                    f"{row['mean_distance']:.3f} ({row['mean_distance_max']:.2f})",
                    f"{row['stddev_distance']:.3f}",
                    f"{row['stddev_ratio']:.2f}",
                    f"{row['elbo']:.1f}",
                    f"{row['rhat']:.3f}{'' if row['rhat'] < config.max_rhat else ' (too large)'}",
                    f"{row['effective_draws']:.0f}",
                ]
            )
    header = ["data", "prior", "hyperprior", "method", "predictive mean: distance (greatest)", "standard deviation: "]
    header[-1] += "distance"
    header += ["ratio", "ELBO (nats)", "NUTS: R-hat", "NUTS: effective draws"]
    text = (
        "# How far the approximations are from the posterior\n\nMean absolute differences from NUTS over a grid of "
        "the plane, of the predictive mean and of the predictive standard deviation; the ratio of mean standard "
        "deviations; R-hat and effective draws are the worst over predictions. Fixed scales are those that the prior "
        "study tuned.\n\n"
    )
    return {"distances.csv": to_csv(rows), "distances.md": text + to_markdown(header, lines)}


def picture(dataset, found):
    """The maps of all methods for each cell of a data set, the bytes of a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from experiments.priors.pictures import TITLES, draw_map, png

    figure, axes = plt.subplots(
        len(found), 6, figsize=(14, 2.1 * len(found) + 1.2), layout="constrained", squeeze=False
    )
    for number, (row, (cell, (_, arrays))) in enumerate(zip(axes, found.items(), strict=True)):
        top = max(float(arrays[f"{method}_stddev"].max()) for method in METHODS)
        for place, (method, name) in enumerate(METHODS.items()):
            mean = arrays[f"{method}_mean"]
            image = draw_map(row[place], dataset, mean, limits=(0, 1), cmap="RdBu_r", boundary=mean)
            spread = draw_map(row[place + 3], dataset, arrays[f"{method}_stddev"], limits=(0, top), cmap="viridis")
            if number == 0:
                row[place].set_title(f"{name}: mean", fontsize=9)
                row[place + 3].set_title(f"{name}: std. deviation", fontsize=9)
            if place:
                apart = distances(arrays, method)
                row[place].set_xlabel(f"distance {apart['mean_distance']:.3f}", fontsize=8)
                row[place + 3].set_xlabel(f"ratio {apart['stddev_ratio']:.2f}", fontsize=8)
        row[0].set_ylabel(f"{cell[0]}\n{TITLES[cell[1]]}", fontsize=9)
        figure.colorbar(image, ax=row[2], shrink=0.9)
        figure.colorbar(spread, ax=row[5], shrink=0.9)
    figure.suptitle(f"{dataset}: the posterior predictive by NUTS and by two approximations (dashed: probability 1/2)")
    return png(figure)
