"""How long the runs of a sweep will yet take, from what their records say of the cycles that are committed."""

from experiments.active_learning.watch import seconds_left
from experiments.records.tables import TIME_COLUMNS


def seconds_left_of_all(rows_of, ended, parallel):
    """Seconds until the last run ends, if they share what can run side by side.

    A run with committed cycles is reckoned from them; another by its training steps, at the pace of the runs of its
    network and acquisition function that have some, else of all that have.

    Args:
      rows_of: dict from each `ActiveLearningConfig` of a sweep to its rows of metrics (dicts of texts).
      ended: those of them that are over.
      parallel: how many run at a time, at least one.

    Returns:
      Seconds, or None while no run has committed a cycle.
    """
    paces = _paces(rows_of)
    if not paces:
        return None
    left = 0.0
    for config, rows in rows_of.items():
        if config not in ended:
            pace = paces.get(_kind(config), paces[None])
            left += config.training_steps() * pace if not rows else seconds_left(config, rows)
    return left / parallel


def _paces(rows_of):
    """Seconds per training step, tests and scoring passes included, of each kind of run, and of all under None."""
    seconds, steps = {}, {}
    for config, rows in rows_of.items():
        if rows:
            taken = sum(float(row[part] or 0) for row in rows for part in TIME_COLUMNS)
            for kind in (_kind(config), None):
                seconds[kind] = seconds.get(kind, 0.0) + taken
                steps[kind] = steps.get(kind, 0) + config.training_steps(last_cycle=len(rows) - 1)
    return {kind: seconds[kind] / steps[kind] for kind in seconds}


def _kind(config):
    return config.arch, config.acquisition
