"""How many parameters the networks of Shridhar 2019 have (sections 4.3, 5.7.1; Tables 5, 11, 12 and 13).

Command: python -m experiments.shridhar.parameter_counts

Expected (the thesis): a Bayesian network has twice the parameters of a frequentist one, and `halving the number of
parameters of Bayesian AlexNet` by halving its filters makes both comparable. Counted: nearly twice (biases have no
posterior here), and about a quarter. Run time: seconds.

Results are in <output_dir>/shridhar/parameter_counts/: parameter_counts.csv|md|tex, layers.csv.
"""

import dataclasses
import pathlib
import sys

from bayes_layers.models.architectures import IMAGE_NETWORKS
from bayes_layers.settings import Settings, setting
from experiments import datasets, entry
from experiments.records.files import write_files
from experiments.shridhar.shared import TITLES
from experiments.studies.render import to_csv, to_latex, to_markdown

NAME = "parameter_counts"
INFERENCES = ("frequentist", "variational")


@dataclasses.dataclass(frozen=True)
class CountsConfig(Settings):
    """Parameter counts"""

    output_dir: str = setting("runs", "Where results are kept.", result=False, in_record=False)


def layer_rows(model, inference, dataset):
    """A dict per layer and `all`, as `bayes_layers.pruning.sparsity` counts them."""
    from bayes_layers import pruning
    from bayes_layers.models.registry import build_network
    from experiments.classification.config import ClassificationConfig

    network = build_network(
        ClassificationConfig(model=model, inference=inference).network,
        datasets.IMAGE_SHAPES[dataset],
        datasets.SIZES[dataset][2],
    )
    head = {"model": model, "inference": inference, "dataset": dataset}
    return [
        {**head, "layer": row["layer"], "weights": row["weights"], "parameters": row["parameters"]}
        for row in pruning.sparsity(network)
    ]


def report(layers):
    """The files of the table.

    Args:
      layers: all `layer_rows`.
    """
    totals = {
        (row["model"], row["inference"], row["dataset"]): row["parameters"] for row in layers if row["layer"] == "all"
    }
    names = dict.fromkeys(dataset for _, _, dataset in totals)
    header = ["", *(TITLES[name] for name in names), *(f"{TITLES[name]}: times frequentist AlexNet" for name in names)]
    lines = [
        [
            f"{model}, {inference}",
            *(f"{totals[model, inference, name]:,}" for name in names),
            *(f"{totals[model, inference, name] / totals['alexnet', 'frequentist', name]:.2f}" for name in names),
        ]
        for model in IMAGE_NETWORKS
        for inference in INFERENCES
    ]
    title = "Parameters of the networks (two for a weight with a posterior; biases have none)"
    return {
        f"{NAME}.md": f"# {title}\n\n{to_markdown(header, lines)}",
        f"{NAME}.tex": f"% {title}\n{to_latex(header, lines)}",
        f"{NAME}.csv": to_csv(
            [{"model": m, "inference": i, "dataset": d, "parameters": n} for (m, i, d), n in totals.items()]
        ),
        "layers.csv": to_csv(layers),
    }


def work(config):
    """Counts, and writes the table.

    Args:
      config: a `CountsConfig`.
    """
    entry.start_tensorflow()
    layers = [
        row
        for dataset in ("mnist", "cifar10", "cifar100")
        for model in IMAGE_NETWORKS
        for inference in INFERENCES
        for row in layer_rows(model, inference, dataset)
    ]
    files = report(layers)
    directory = pathlib.Path(config.output_dir).expanduser() / "shridhar" / NAME
    write_files(directory, files)
    print(f"{files[f'{NAME}.md']}\nresults: {directory}")


main = entry.point(work, CountsConfig, description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
