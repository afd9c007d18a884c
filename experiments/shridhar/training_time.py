"""Training time T = 2 x samples x t, "no difference in inference time" (Shridhar 2019, section 5.8, eq. 21): measured.

Command: python -m experiments.shridhar.training_time

Expected (the thesis): a training step of a Bayesian network takes 2 S times that of the frequentist one, S being the
draws per step; prediction takes the same. No number was measured there. Of the prediction three things can be meant,
and all are measured: one pass with the posterior means, one draw of the weights, and the 25 draws of the appendix.

Steps and predictions are of random images in the shape of CIFAR-10: time does not depend on what they show. Networks
take turns, and the median over rounds is compared. Run time: ten minutes on two CPU cores; --models=lenet5 one.

Results are in <output_dir>/shridhar_training_time[/<setting>=<value>...]/: training_time.md, times.csv (every round),
ratios.csv, settings.json; with --report_only the table is made from these, without TensorFlow.
"""

import dataclasses
import statistics
import sys
import time

import numpy as np

from bayes_layers.models.architectures import IMAGE_NETWORKS
from bayes_layers.settings import SettingError, Settings, names_in, setting
from experiments import entry
from experiments.records.small import SmallRecord
from experiments.shridhar.published import CONTRADICTIONS, TRAINING_TIME_FACTOR
from experiments.studies.render import to_markdown

SHAPE, CLASSES = (32, 32, 3), 10
COLUMNS = ("model", "what", "inference", "samples", "round", "seconds")
RATIOS = ("model", "what", "samples", "seconds", "frequentist_seconds", "ratio", "thesis")


@dataclasses.dataclass(frozen=True)
class TimeConfig(Settings):
    """Training time"""

    models: str = setting("all", "Networks, separated by commas, or all.")
    train_samples: str = setting("1,2,5,10", "Draws per training step, separated by commas.")
    num_samples: int = setting(25, "Draws of a prediction.", minimum=1, maximum=10_000)
    batch_size: int = setting(256, "Images in a minibatch.", minimum=1, maximum=10_000)
    images: int = setting(2000, "Images that are predicted.", minimum=1, maximum=1_000_000)
    steps: int = setting(4, "Steps of a round of training.", minimum=1, maximum=10_000)
    rounds: int = setting(5, "Rounds.", minimum=1, maximum=1000)
    output_dir: str = setting("runs", "Where results are kept.", result=False, in_record=False)
    report_only: bool = setting(False, "Write the table from what is there.", result=False, in_record=False)

    def __post_init__(self):
        super().__post_init__()
        names_in("models", self.models, IMAGE_NETWORKS)
        self.draws  # noqa: B018

    @property
    def draws(self):
        """The numbers of draws per training step."""
        parts = [part.strip() for part in self.train_samples.split(",")]
        if not all(part.isdigit() and int(part) > 0 for part in parts):
            raise SettingError(
                f"--train_samples={self.train_samples} is not valid: it takes positive numbers, separated by commas"
            )
        return [int(part) for part in parts]


def works(config, model):
    """What is timed of a model: a dict from (what, inference, samples) to a function that does it once."""
    from bayes_layers import ElboTrainer, PosteriorPredictive
    from bayes_layers.layers.randomness import make_seed
    from bayes_layers.models.registry import build_network
    from experiments.classification.config import ClassificationConfig

    generator = np.random.default_rng(0)
    batch = generator.random((config.batch_size * config.steps, *SHAPE), np.float32)
    labels = generator.integers(0, CLASSES, len(batch))
    images = generator.random((config.images, *SHAPE), np.float32)
    found = {}

    def network_of(inference):
        settings = ClassificationConfig.preset("quick", model=model, inference=inference).network
        network = build_network(settings, SHAPE, CLASSES)
        network.assign(network.initial_values(make_seed(1)))
        return network

    def training(network, samples):
        trainer = ElboTrainer(network, batch_size=config.batch_size, train_samples=samples, learning_rate=1e-5)
        return lambda: trainer.fit(batch, labels, epochs=1, kl_weight=1e-4, seed=0)

    def prediction(network, samples):
        predictive = PosteriorPredictive(network, samples)
        return lambda: predictive.mean(images, 1)

    frequentist, variational = network_of("frequentist"), network_of("variational")
    found["training", "frequentist", 1] = training(frequentist, 1)
    found["prediction", "frequentist", 1] = prediction(frequentist, 1)
    for samples in config.draws:
        found["training", "variational", samples] = training(variational, samples)
    for samples in dict.fromkeys((1, config.num_samples)):
        found["prediction", "variational", samples] = prediction(variational, samples)
    found["prediction", "means", 1] = prediction(with_means(variational, network_of("frequentist")), 1)
    return found


def with_means(variational, frequentist):
    """A frequentist network with the posterior means of a variational one as its weights."""
    for layer in variational.bayesian_layers:
        point = frequentist.get_layer(layer.name)
        point.kernel.assign(layer.kernel_loc)
        point.bias.assign(layer.bias_posterior.distribution.loc)
    return frequentist


def measure(config):
    """Times everything: dict from the record's tables to their columns and rows."""
    entry.start_tensorflow()
    rows = []
    for model in names_in("models", config.models, IMAGE_NETWORKS):
        todo = works(config, model)
        for do in todo.values():
            do()  # compiles
        for number in range(config.rounds):
            for (what, inference, samples), do in todo.items():
                began = time.perf_counter()
                do()
                seconds = time.perf_counter() - began
                rows.append(dict(zip(COLUMNS, (model, what, inference, samples, number, seconds), strict=True)))
        print(f"{model}: measured", file=sys.stderr, flush=True)
    return {"times.csv": (COLUMNS, rows), "ratios.csv": (RATIOS, ratios(rows))}


def ratios(rows):
    """Rows of ratios.csv: medians over rounds, divided by the frequentist network's."""
    times = {}
    for row in rows:
        times.setdefault((row["model"], row["what"], row["inference"], row["samples"]), []).append(row["seconds"])
    medians = {key: statistics.median(seconds) for key, seconds in times.items()}
    found = []
    for (model, what, inference, samples), seconds in medians.items():
        if inference == "frequentist":
            continue
        base = medians[model, what, "frequentist", 1]
        thesis = TRAINING_TIME_FACTOR * samples if what == "training" else 1
        name = "prediction by the means" if inference == "means" else what
        values = (model, name, samples, seconds, base, seconds / base, thesis)
        found.append(dict(zip(RATIOS, values, strict=True)))
    return found


def table(rows):
    """`training_time.md` from the rows of ratios.csv (dicts of texts)."""
    header = ["network", "", "draws", "seconds", "frequentist", "times frequentist", "thesis"]
    lines = [
        [
            row["model"],
            row["what"],
            row["samples"],
            f"{float(row['seconds']):.3f}",
            f"{float(row['frequentist_seconds']):.3f}",
            f"{float(row['ratio']):.2f}",
            row["thesis"],
        ]
        for row in rows
    ]
    said = "".join(f"- {note}\n" for note in CONTRADICTIONS["training_time"])
    return (
        f"# Training and inference time (section 5.8)\n\n{to_markdown(header, lines)}\n"
        f"## The thesis contradicts itself\n\n{said}"
    )


def work(config):
    """Measures unless it is done, and writes the table.

    Args:
      config: a `TimeConfig`.
    """
    book = SmallRecord("shridhar_training_time", config)
    book.make(measure)
    text = table(book.rows("ratios.csv", RATIOS))
    book.write("training_time.md", text.encode())
    print(f"{text}\nresults: {book.path}")


main = entry.point(work, TimeConfig, description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
