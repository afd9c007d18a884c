"""Runs on disk: directories, locks, checkpoints, tables, figures."""

from bayes_layers._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"experiments.records.load": ["load_run"]})
