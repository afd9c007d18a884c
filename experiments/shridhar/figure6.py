"""Figure 6 of Shridhar 2019 (section 4.2): a regression in one dimension, with both uncertainties.

Command: python -m experiments.shridhar.figure6

Expected: inside of the data the noise of both networks is that of the data (standard deviation 0.05 on the left, 0.2
on the right). Where there are no data, the deterministic network is as certain as ever; the variational one has an
epistemic uncertainty as well, which is largest in the gap and stays bounded far outside, where it is overconfident too
(so the figure's caption). The thesis shows a figure of another work, without its data or network (its reference 22);
this is a task of the same kind. Run time: half a minute on two CPU cores.

The networks: two hidden layers of tanh units, two outputs, the mean and the standard deviation of a Normal; the
variational one has a Normal posterior on all weights and biases, prior N(0, 1), and dense layers by local
reparameterisation.

Results are in <output_dir>/shridhar_figure6[/<setting>=<value>...]/seed<seed>/: points.csv, predictions.csv (from which
the picture is drawn, also with --report_only and without TensorFlow), figure6.png, settings.json.
"""

import dataclasses
import sys

import numpy as np

from bayes_layers.settings import Settings, setting
from bayes_layers.streams import stream_generator, stream_key
from experiments import entry
from experiments.records import figures
from experiments.records.small import SmallRecord

NOISE = {"left": 0.05, "right": 0.2}
NETWORKS = ("deterministic", "variational")
POINTS = ("x", "y")
COLUMNS = ("network", "x", "mean", "aleatoric", "epistemic")  # the last two are variances


@dataclasses.dataclass(frozen=True)
class Figure6Config(Settings):
    """Regression"""

    points: int = setting(400, "Data points, half on each side of the gap.", minimum=2, maximum=100_000)
    units: int = setting(20, "Units in each of the two hidden layers.", minimum=1, maximum=10_000)
    epochs: int = setting(500, "Passes over the points.", minimum=1, maximum=100_000)
    batch_size: int = setting(50, "Points in a minibatch.", minimum=1, maximum=100_000)
    learning_rate: float = setting(0.01, "Adam's learning rate.", above=0, maximum=1e3)
    mu_init: float = setting(-3.0, "Mean of the initial rho; sigma = softplus(rho).", minimum=-100, maximum=100)
    num_samples: int = setting(200, "Draws of the weights.", minimum=1, maximum=100_000)
    seed: int = setting(0, "All randomness follows from this number.", minimum=0, maximum=2**31 - 1)
    output_dir: str = setting("runs", "Where results are kept.", result=False, in_record=False)
    report_only: bool = setting(False, "Draw the picture from what is there.", result=False, in_record=False)


def make_data(points, seed):
    """Points on both sides of a gap, y = sin(3 x) + noise.

    Args:
      points: N.
      seed: int.

    Returns:
      x float32 `[N, 1]`, y float32 `[N]`.
    """
    generator = stream_generator(seed, "regression")
    left = points // 2
    x = np.concatenate([generator.uniform(-1, -0.25, left), generator.uniform(0.25, 1, points - left)])
    noise = np.where(x < 0, NOISE["left"], NOISE["right"]) * generator.standard_normal(points)
    return x[:, None].astype(np.float32), (np.sin(3 * x) + noise).astype(np.float32)


def build(kind, config):
    """One of the `NETWORKS`, at its initial values."""
    from bayes_layers import DenseLocalReparameterization, DeterministicDense, Network
    from bayes_layers.layers.randomness import make_seed

    posterior = {"mu_init": config.mu_init, "loc_init": "glorot", "variational_bias": True}

    def dense(units, activation, name):
        if kind == "variational":
            return DenseLocalReparameterization(units, activation=activation, name=name, **posterior)
        return DeterministicDense(units, activation=activation, name=name)

    layers = [dense(config.units, "tanh", "Hidden1"), dense(config.units, "tanh", "Hidden2"), dense(2, None, "Output")]
    network = Network(layers, (1,), name=kind)
    network.assign(network.initial_values(make_seed(stream_key(config.seed, "weights"))))
    return network


def predict(kind, config, x, y, at):
    """Fits a network and predicts.

    Args:
      kind: one of `NETWORKS`.
      config: a `Figure6Config`.
      x, y: the data.
      at: inputs `[B, 1]`.

    Returns:
      Rows of predictions.csv.
    """
    from bayes_layers import ElboTrainer
    from bayes_layers.inference.elbo import mean_normal_nll
    from bayes_layers.inference.regression import normal_samples, split_variance

    network = build(kind, config)
    trainer = ElboTrainer(
        network, learning_rate=config.learning_rate, batch_size=config.batch_size, nll=mean_normal_nll
    )
    trainer.fit(x, y, epochs=config.epochs, kl_weight=1 / len(x), seed=config.seed)
    samples = normal_samples(network, at, config.num_samples, stream_key(config.seed, "posterior"))
    columns = (at[:, 0], *split_variance(*samples))
    return [dict(zip(COLUMNS, (kind, *map(float, values)), strict=True)) for values in zip(*columns, strict=True)]


def run(config):
    """Fits both networks: dict from the names of the record's tables to their columns and rows."""
    entry.start_tensorflow()
    x, y = make_data(config.points, config.seed)
    at = np.linspace(-2, 2, 161, dtype=np.float32)[:, None]
    points = [{"x": float(a), "y": float(b)} for a, b in zip(x[:, 0], y, strict=True)]
    predictions = [row for kind in NETWORKS for row in predict(kind, config, x, y, at)]
    return {"points.csv": (POINTS, points), "predictions.csv": (COLUMNS, predictions)}


def draw(points, predictions):
    """Figure 6 from the rows of both tables (dicts of texts): a matplotlib figure."""
    plt = figures.pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True, layout="constrained")
    for kind, axis in zip(NETWORKS, axes, strict=True):
        rows = [row for row in predictions if row["network"] == kind]
        x, mean, aleatoric, epistemic = (np.array([float(row[name]) for row in rows]) for name in COLUMNS[1:])
        both, doubt = 2 * np.sqrt(aleatoric + epistemic), 2 * np.sqrt(epistemic)
        axis.fill_between(x, mean - both, mean + both, color="C1", alpha=0.3, lw=0, label="± 2 sd: total")
        if doubt.any():
            axis.fill_between(x, mean - doubt, mean + doubt, color="C0", alpha=0.4, lw=0, label="± 2 sd: epistemic")
        axis.plot(x, mean, color="C0", label="mean")
        axis.plot(*([float(row[name]) for row in points] for name in "xy"), "k.", ms=2, alpha=0.6, label="data")
        axis.set(title=f"{kind.capitalize()} network", xlabel="x", xlim=(x.min(), x.max()))
        axis.legend(loc="upper left", fontsize=8)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("y")
    return figure


def work(config):
    """Makes the record if there is none, and draws the picture.

    Args:
      config: a `Figure6Config`.
    """
    record = SmallRecord("shridhar_figure6", config)
    record.make(run)
    points, predictions = record.rows("points.csv", POINTS), record.rows("predictions.csv", COLUMNS)
    record.write_figure("figure6.png", draw(points, predictions))
    print(f"figure: {record.path}/figure6.png")


main = entry.point(work, Figure6Config, description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
