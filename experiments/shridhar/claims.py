"""The claims of Shridhar 2019 (section 5): what the runs behind its tables say to them.

Command: python -m experiments.shridhar.claims

Expected (the thesis): inference by a posterior costs no accuracy (Table 1); AlexNetHalf gains 6 points on CIFAR-10
(Table 6); aleatoric and epistemic uncertainty are about 20 and 15 times larger on CIFAR-10 than on MNIST (Table 4), and
epistemic uncertainty falls as accuracy rises (section 5.6); Bayesian networks begin lower (Figure 7); their standard
deviations fall (Figure 8); pruning costs little (Table 7). Each is supported, not supported or undecided, with the
numbers and the number of seeds.

Run time: 30 runs (three seeds) of 100 epochs, those of Tables 1, 4 and 6. The same command goes on where it stopped;
--report_only judges by the records that are there. Three seeds are the least that can decide anything.

Results are in <output_dir>/shridhar/claims/: claims.md, claims.csv, runs.csv.
"""

import sys

import numpy as np
from scipy import stats

from experiments.comparison import study
from experiments.comparison.results import accuracy, first_accuracy, train_accuracy
from experiments.comparison.tables import protocol
from experiments.shridhar import published
from experiments.shridhar.figure8 import by_layer
from experiments.shridhar.networks import rows
from experiments.shridhar.shared import TITLES
from experiments.shridhar.table4 import ratios
from experiments.shridhar.table7 import fine_tuned
from experiments.studies.collect import COMPLETE
from experiments.studies.verdicts import Claim, Estimate, page

NAME, DATASETS = "claims", ("mnist", "cifar10")
ROWS = rows(published.VI_ALEXNET, published.ALEXNET, published.VI_LENET, published.LENET, published.VI_HALF)
PAIRS = ((published.VI_ALEXNET, published.ALEXNET), (published.VI_LENET, published.LENET))
MARGIN = 2.0  # points


def report(results):
    """The files of the page."""
    complete = sum(row.state == COMPLETE for row in results.rows)
    config = results.study
    summary = (
        f"{complete} of {len(results.rows)} runs are complete. {protocol(config)}; seeds {config.seed} to "
        f"{config.seed + config.seeds - 1}."
    )
    return page("The claims of Shridhar 2019", summary, claims(results))


def claims(results):
    """The claims, as a list of `Claim`.

    Args:
      results: the `Results`.
    """
    datasets = dict.fromkeys(cell.dataset for cell in results.cells)
    return [
        Claim(
            "No loss of accuracy",
            "Bayesian CNNs achieve accuracies comparable to those of the same architectures by frequentist inference.",
            "section 5.3, Table 1",
            [
                _gap(results, *pair, name, accuracy, -MARGIN, MARGIN, published.TABLE1)
                for pair in PAIRS
                for name in datasets
            ],
            f"Comparable was taken to mean: within {MARGIN:g} points.",
        ),
        Claim(
            "Half of the filters",
            "AlexNet with half of the filters gains 6 per cent of accuracy on CIFAR-10.",
            "section 5.7.1, Table 6",
            [_gap(results, published.VI_HALF, published.VI_ALEXNET, "cifar10", accuracy, 3, 12, published.TABLE6)],
            "6 points were taken to mean: from half of it to twice it.",
        ),
        Claim(
            "Twenty times",
            "The aleatoric uncertainty of CIFAR-10 is about twenty times as large as that of MNIST.",
            "section 5.6, Table 4",
            [_ratio(results, "aleatoric", 20)],
        ),
        Claim(
            "Fifteen times",
            "The epistemic uncertainty of CIFAR-10 is about fifteen times larger than that of MNIST.",
            "section 5.6, Table 4",
            [_ratio(results, "epistemic", 15)],
        ),
        Claim(
            "Epistemic uncertainty falls",
            "Epistemic uncertainty falls as accuracy rises.",
            "section 5.6",
            [
                Estimate(f"{row}, {TITLES[name]}", correlations(results, row, name), high=0,
                unit="rank") for row in (published.VI_ALEXNET, published.VI_LENET) for name in datasets
            ],
            "The estimate is Spearman's rank correlation of both over the epochs of a run.",
        ),
        Claim(
            "A low start",
            "Bayesian networks start with a lower accuracy than frequentist ones.",
            "section 5.3, Figure 7",
            [_gap(results, *pair, name, first_accuracy, -np.inf, 0) for pair in PAIRS for name in datasets],
            "After the first epoch; by the validation error where that epoch was not tested.",
        ),
        Claim(
            "Falling deviations",
            "The standard deviation of the posterior decreases over the epochs.",
            "section 5.3, Figure 8",
            [
                Estimate(f"{published.VI_LENET}, {TITLES[name]}, last epoch / first",
                         results.values(published.VI_LENET, name, deviation_ratio), high=1, unit="ratio")
                for name in datasets
            ],
            "Of the geometric mean over layers of the layers' mean standard deviations.",
        ),
        Claim(
            "Regularisation",
            "Bayesian networks overfit less: the gap between training and test accuracy is smaller.",
            "section 5.5, Figure 10 (of CIFAR-100)",
            [_gap(results, *pair, name, overfitting, -np.inf, 0) for pair in PAIRS for name in datasets],
        ),
        Claim(
            "Pruning by L1",
            "Pruning by the L1 norm gives comparable accuracies.",
            "section 5.7.2, Table 7",
            [_pruned(results, name) for name in datasets],
            f"Comparable was taken to mean: within {MARGIN:g} points, after fine-tuning; `table7` has the sparsity.",
        ),
    ]  # fmt: skip


def correlations(results, row, dataset):
    """`epistemic_correlation` of the runs of a cell that have one, a dict from seed to number."""
    found = results.values(row, dataset, epistemic_correlation)
    return {seed: value for seed, value in found.items() if value is not None}


def epistemic_correlation(row):
    """Spearman's correlation of test accuracy and epistemic uncertainty over the epochs of a run.

    None for fewer than three tested epochs, or where one of the two never changes.
    """
    errors, epistemic = row.metrics["test_error"], row.metrics["epistemic"]
    tested = ~np.isnan(errors)
    if tested.sum() < 3 or np.ptp(errors[tested]) == 0 or np.ptp(epistemic[tested]) == 0:
        return None
    return float(stats.spearmanr(1 - errors[tested], epistemic[tested]).statistic)


def deviation_ratio(row):
    """Last posterior standard deviation of a run divided by the first: the geometric mean over layers."""
    sigmas = [values["sigma_mean"] for values in by_layer(row.run, "posterior").values()]
    return float(np.exp(np.mean([np.log(sigma[-1] / sigma[0]) for sigma in sigmas])))


def overfitting(row):
    """Training minus test accuracy in points at the last epoch."""
    return train_accuracy(row) - accuracy(row)


def _gap(results, a, b, dataset, measure, low, high, numbers=None):
    """The estimate of a - b, paired by seed."""
    of_a, of_b = (results.values(row, dataset, measure) for row in (a, b))
    gaps = {seed: of_a[seed] - of_b[seed] for seed in of_a if seed in of_b}
    known = numbers and [numbers.get((row, dataset)) for row in (a, b)]
    thesis = known[0] - known[1] if known and None not in known else None
    return Estimate(f"{a} - {b}, {TITLES[dataset]}", gaps, low, high, "points", thesis)


def _ratio(results, part, times):
    numbers = published.TABLE4
    thesis = round(numbers["cifar10", part] / numbers["mnist", part], 1)
    return Estimate(f"{part}, CIFAR-10 / MNIST", ratios(results, part), times / 2, times * 2, "ratio", thesis)


def _pruned(results, dataset):
    before = results.values(published.VI_ALEXNET, dataset, accuracy)
    after = fine_tuned(results, dataset, "magnitude", "test_accuracy")
    numbers = [published.TABLE7.get((row, dataset)) for row in (published.VI_L1, published.VI_ALEXNET)]
    thesis = None if None in numbers else numbers[0] - numbers[1]
    gaps = {seed: value - before[seed] for seed, value in after.items()}
    return Estimate(f"pruned - whole, {TITLES[dataset]}", gaps, -MARGIN, MARGIN, "points", thesis)


main = study.point(NAME, __doc__, ROWS, DATASETS, report)


if __name__ == "__main__":
    sys.exit(main())
