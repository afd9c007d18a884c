"""Pure functions of predicted probabilities `[S, B, C]`: scores, decompositions, calibration."""

from bayes_layers._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "bayes_layers.uncertainty.scores": ["acquisition_score", "moments_of"],
        "bayes_layers.uncertainty.calibration": ["evaluate"],
        "bayes_layers.uncertainty.decomposition": [
            "averages_by_class",
            "covariances",
            "uncertainties",
            "uncertainties_of",
        ],
        "bayes_layers.uncertainty.detection": ["auroc"],
    },
)
