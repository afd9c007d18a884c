"""How fast: this package against the naive way, in turn, as medians and ratios.

Command: python -m experiments.benchmark [--quick] [--archs=BNN-1,BNN-2] [--works=train_step] [--json=FILE]

The naive way is `experiments.naive`: the same network from plain tfp.layers, float32, a compiled function per batch
(64 for training, 1,000 for prediction), and one full pass over the images per Monte-Carlo sample. It runs in a
process of its own. Works:

  train_step       one minibatch of 64: gradients of the ELBO and Adam
  score_pool       variation ratios of 60,000 images with 100 samples, for the ten best
  predict_test     the predictive distribution of 10,000 images with 100 samples
  picks_agreement  which share of the ten that full scoring picks racing picks, for every acquisition function

Naive prediction is timed over one pass and multiplied by the samples; ours is timed in full on `--images` images, and
scaled to the pool's size. Networks that predict are fitted to 100 images. The floor is the time that the arithmetic of
the way that was taken needs at the machine's measured rate of matrix products in that precision, or its bytes at the
measured rate of copying; its share of our time says what is left to win.

Results: docs/benchmarks.md. Run time on two cores: an hour for all, 25 minutes with --quick.
"""

import dataclasses
import sys

from bayes_layers.models.architectures import ARCHITECTURES
from bayes_layers.settings import Settings, names_in, setting
from experiments import datasets, entry
from experiments.active_learning.config import DataSettings
from experiments.records import files
from experiments.speed import figure, floor, programs
from experiments.speed.baseline import NaiveProcess
from experiments.speed.works import WORKS, Bench


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings(Settings):
    """Benchmark"""

    archs: str = setting("all", "Architectures, separated by commas, or all.")
    works: str = setting("all", f"Works, separated by commas: {', '.join(WORKS)}; or all.")
    repeats: int = setting(5, "How many times each side is timed, in turn.", minimum=1)
    images: int = setting(60000, "Images on which our prediction is timed.", minimum=1000, maximum=60000)
    quick: bool = setting(False, "3 repeats, 12,000 images.")
    json: str = setting("", "A file for the rows, as a JSON list.")
    figure: str = setting("", "A file for the rows as a picture.")
    export_stablehlo: str = setting(
        "",
        "Write the XLA programs of training and scoring to this directory, as portable StableHLO with inputs and "
        "outputs, and time nothing; experiments.run_programs does that with JAX, on a GPU for instance.",
    )
    export_works: str = setting("all", f"Which programs, separated by commas: {', '.join(programs.PROGRAMS)}; or all.")
    replicas: int = setting(1, "Networks side by side in the exported train.", minimum=1, maximum=256)
    precision: str = setting("auto", "Arithmetic of our side, as in al_mnist.", choices=("auto", "float32", "bfloat16"))
    estimator: str = setting(
        "flipout", "Estimator of our side, as in al_mnist.", choices=("flipout", "local_reparameterization")
    )
    scoring: str = setting("race", "Scoring of our side, as in al_mnist.", choices=("race", "full"))

    def __post_init__(self):
        super().__post_init__()
        self.architectures, self.chosen_works, self.chosen_programs  # noqa: B018

    @property
    def architectures(self):
        """The chosen architectures."""
        return names_in("archs", self.archs, ARCHITECTURES)

    @property
    def chosen_works(self):
        """The chosen works."""
        return names_in("works", self.works, WORKS)

    @property
    def chosen_programs(self):
        """The programs to export; with replicas there is only train."""
        known = programs.PROGRAMS if self.replicas == 1 else ("train",)
        return names_in("export_works", self.export_works, known)


@dataclasses.dataclass(frozen=True)
class BenchmarkConfig(BenchmarkSettings, DataSettings):
    """Every setting of the benchmark."""


def work(config):
    """Times everything that is asked for and prints a table, or exports programs.

    Args:
      config: a `BenchmarkConfig`.
    """
    if config.quick:
        config = config.replace(repeats=3, images=12000)
    archs = config.architectures
    if config.export_stablehlo:
        entry.start_tensorflow()
        precision = "float32" if config.precision == "auto" else config.precision
        settings = {"estimator": config.estimator, "precision": precision, "replicas": config.replicas}
        programs.export(config.export_stablehlo, archs, config.chosen_programs, **settings)
        return
    dataset_name = datasets.resolve(config.dataset, config.data_dir)
    entry.start_tensorflow()
    rates = floor.machine_rates(config.precision)
    print(", ".join(_rate_text(name, rate) for name, rate in rates.items()))
    print(
        f"{'work':<16}{'arch':<12}{'acquisition':<17}{'naive':>12}{'ours':>12}{'ratio':>8}{'floor share':>13}",
        flush=True,
    )
    rows = []
    with NaiveProcess() as naive:
        bench = Bench(config, datasets.load(dataset_name, config.data_dir), naive, rates)
        for name in config.chosen_works:
            for arch in archs:
                found = WORKS[name](bench, arch)
                for row in found if isinstance(found, list) else [found]:
                    rows.append(row)
                    print(_line(row), flush=True)
    for arch, rate in bench.rates_of_naive.items():
        print(f"naive, {arch}: {rate:,.0f} images per second and sample")
    if config.json:
        files.write_json(config.json, rows)
    if config.figure:
        figure.draw(rows, config.figure)


def _rate_text(name, rate):
    return f"copy: {rate / 1e9:.1f} GB/s" if name == "copy" else f"{name} matrix product: {rate / 1e9:.0f} GFLOP/s"


def _line(row):
    head = f"{row['work']:<16}{row['arch']:<12}{row['acquisition'] or '':<17}"
    if row["ours_s"] is None:
        return f"{head}{100 * row['agreement']:>6.0f} % of the picks"
    unit, factor = ("ms", 1e3) if row["work"] == "train_step" else ("s", 1)
    return (
        f"{head}{factor * row['naive_s']:>9.2f} {unit:<2}{factor * row['ours_s']:>9.2f} {unit:<2}"
        f"{row['ratio']:>7.1f}x{100 * row['floor_share']:>11.0f} %"
    )


main = entry.point(work, BenchmarkConfig, description=__doc__, groups=(BenchmarkSettings, DataSettings))


if __name__ == "__main__":
    sys.exit(main())
