"""Fitting the ELBO and predicting with the posterior."""

from bayes_layers._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "bayes_layers.inference.training": ["ElboTrainer", "NonFiniteLossError"],
        "bayes_layers.inference.replicas": ["ReplicaTrainer"],
        "bayes_layers.inference.prediction": ["PosteriorPredictive"],
    },
)
