"""What runs cost: seconds per architecture, for the paper's "maintain the speed".

Sums are `math.fsum`'s: Python 3.12 adds floats in another way than 3.11.
"""

import math

from experiments.studies.render import to_csv


def cost_csv(rows):
    """`cost.csv`: seconds per architecture, acquisition, device, threads and arithmetic, from the records.

    Args:
      rows: the complete `Row`s of a study.

    Returns:
      CSV text. Scoring is averaged over the cycles that scored the pool (`random` has none). Times of runs that
      shared a machine with others, or of other devices, do not compare.
    """
    groups = {}
    for row in rows:
        arithmetic = (row.settings.get("precision"), row.settings.get("jit_compile"))
        place = (row.config.arch, row.config.acquisition, row.device, row.threads, *arithmetic)
        groups.setdefault(place, []).append(row)
    return to_csv([_cost(key, group) for key, group in groups.items()])


def _cost(key, group):
    scored = [row for row in group if row.config.acquisition != "random"]
    cycles = sum(len(row.metrics["labels"]) for row in group)
    parts = ("train", "score", "test")
    seconds = {name: math.fsum(_known([row.metrics[f"{name}_seconds"] for row in group])) for name in parts}
    return {
        **dict(zip(("arch", "acquisition", "device", "threads", "precision", "jit_compile"), key, strict=True)),
        "runs": len(group),
        "seconds_per_run": math.fsum(seconds.values()) / len(group),
        "train_seconds_per_cycle": seconds["train"] / cycles,
        "score_seconds_per_scored_cycle": _mean([row.metrics["score_seconds"] for row in scored]),
        "test_seconds_per_tested_cycle": _mean([row.metrics["test_seconds"] for row in group]),
    }


def _known(columns):
    return [value for column in columns for value in column if not math.isnan(value)]


def _mean(columns):
    values = _known(columns)
    return math.fsum(values) / len(values) if values else None
