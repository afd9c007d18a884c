"""The report's three conclusions from the toy data, as comparisons with numbers. From records alone.

> variational inference allows to approximate posterior distribution;
> posterior distribution helps to make conclusions about certainties;
> hyperpriors is almost all gives the better results, especially on noisy data.
"""

import numpy as np

from bayes_layers.layers.prior_names import PROPER_PRIORS
from experiments.priors import comparison
from experiments.priors.nuts_config import NutsSettings
from experiments.studies.claims import UNDECIDED, Claim, compare, judge
from experiments.studies.claims_page import comparison_table

MAX_RHAT = NutsSettings.max_rhat
HOW = f"""
## How this was decided

- A pair is two numbers of the same split. The claim is always that a is lower than b. Differences come with Student's
  95 % interval over splits, p is of the two-sided sign test, Holm's correction runs over the conclusions judged here.
- Supported: an adjusted p of at most 0.05, all comparisons the claimed way. Not supported: an adjusted p of at most
  0.05 against it. Undecided: everything else, and always below 6 splits.
- The first conclusion is not a matter of accuracy: only a comparison with the exact posterior can tell
  (`python -m experiments.nuts_comparison` with the settings of this study; of its records those count whose R-hat is
  below {MAX_RHAT:g}). An approximation is called good if the predictive means differ by less than 0.05 on an average,
  and fair in its spread if the mean predictive standard deviation is between 0.8 and 1.25 times the exact one;
  supported if all cells of this study with a proper prior were compared and are both, not supported if most of those
  compared are not fair.
"""


def page(results):
    """The page of conclusions, Markdown.

    Args:
      results: the `Results`.
    """
    claims = [_certainty(results), _hyperpriors(results)]
    verdicts = judge(claims)
    word, sentence = _approximation(results.config)
    summary = [f"1. Variational inference approximates the posterior: **{word}**. {sentence}"]
    for number, (claim, verdict) in enumerate(zip(claims, verdicts, strict=True), 2):
        summary.append(f"{number}. {claim.sentence}: **{verdict.word}**. {claim.note} ({verdict.why})")
    lines = ["# The report's conclusions\n", *summary]
    for claim in claims:
        lines += [f"\n## {claim.name}\n", comparison_table(claim.comparisons)]
    return "\n".join(lines) + HOW


def _certainty(results):
    """Predictions that are wrong should have the larger spread over posterior samples."""
    comparisons, ratios = [], []
    for dataset in results.config.dataset_names:
        sides = {}
        for name in ("stddev_right", "stddev_wrong"):
            by_split = {}
            for cell in results.config.cells:
                for split, value in results.values(dataset, cell, name, 100).items():
                    by_split.setdefault(split, []).append(value)
            sides[name] = {split: float(np.mean(values)) for split, values in by_split.items()}
        right, wrong = sides["stddev_right"], sides["stddev_wrong"]
        ratios += [wrong[split] / right[split] for split in set(right) & set(wrong)]
        comparisons.append(compare("right predictions", "wrong predictions", f"{dataset}, all cells", right, wrong))
    text = f"The standard deviation is {np.mean(ratios):.2f} times as large on wrong predictions" if ratios else ""
    return Claim(
        "Certainty: standard deviation of the prediction, in points of probability",
        "The posterior tells where predictions are uncertain",
        "conclusion 2",
        comparisons,
        note=text + ".",
        measure="the standard deviation of right predictions",
    )


def _hyperpriors(results):
    """Errors under each hyperprior against tuned fixed scales, pooled over priors, paired by split."""
    cells = results.config.cells
    priors = [prior for prior, hyperprior in cells if hyperprior == "fixed" and prior != "flat"]
    better, counted, comparisons = 0, 0, []
    for dataset in results.config.dataset_names:
        learned = [cell for cell in cells if cell[0] in priors and cell[1] != "fixed"]
        for cell in learned:
            here = results.interval(dataset, cell, "accuracy").mean
            counted, better = (
                counted + 1,
                better + (here > results.interval(dataset, (cell[0], "fixed"), "accuracy").mean),
            )
        with_hyperprior = _mean_error(results, dataset, learned)
        fixed = _mean_error(results, dataset, [(prior, "fixed") for prior in priors])
        comparisons.append(
            compare("error (%) with a hyperprior", "error (%) with a tuned scale", dataset, with_hyperprior, fixed)
        )
    return Claim(
        "Hyperpriors",
        "Hyperpriors give the better results in almost all cases",
        "conclusion 3",
        comparisons,
        note=f"The mean accuracy is higher than with tuned fixed scales in {better} of {counted} cells; one noise, "
        f"{results.config.noise:g}, was run, so that nothing is said about noisier data.",
    )


def _mean_error(results, dataset, cells):
    """The mean error in % over cells, of the splits that all of them have."""
    errors = [results.values(dataset, cell, "accuracy", 100) for cell in cells]
    if not errors:
        return {}
    return {split: 100 - float(np.mean([e[split] for e in errors])) for split in set.intersection(*map(set, errors))}


def _approximation(config):
    """Verdict and sentence on the first conclusion, from the records of the comparison with NUTS."""
    wanted = [(d, cell) for d in config.dataset_names for cell in config.cells if cell[0] in PROPER_PRIORS]
    found = [comparison.converged(config, *place, MAX_RHAT) for place in wanted]
    rows = [comparison.distances(arrays, "mean_field") for _, arrays in filter(None, found)]
    coverage = f"{len(rows)} of {len(wanted)} cells with a proper prior (R-hat below {MAX_RHAT:g})"
    if not rows:
        return UNDECIDED, f"No comparison with the exact posterior was made yet: of {coverage}."
    means = np.array([row["mean_distance"] for row in rows])
    ratios = np.array([row["stddev_ratio"] for row in rows])
    good, fair = means < 0.05, (ratios > 0.8) & (ratios < 1.25)
    is_supported = len(rows) == len(wanted) and np.all(good & fair)
    word = "supported" if is_supported else "not supported" if np.mean(fair) < 0.5 else UNDECIDED
    return word, (
        f"Against NUTS, the mean-field predictive means differ by {means.mean():.3f} on an average (at most "
        f"{means.max():.3f}; good in {good.sum()} of {len(rows)} cells), but their spread is {ratios.min():.2f} to "
        f"{ratios.max():.2f} times the exact one (fair in {fair.sum()} of {len(rows)}). Compared were {coverage}."
    )
