"""Pure functions of predicted probabilities `[S, B, C]`: acquisition scores and calibration."""

from bayes_layers._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "bayes_layers.uncertainty.scores": ["acquisition_score", "moments_of"],
        "bayes_layers.uncertainty.calibration": ["evaluate"],
    },
)
