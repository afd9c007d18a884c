"""Bayesian layers for tf_keras, the networks built from them, and what their posteriors say.

Importing this package is cheap: TensorFlow is loaded when a name that needs it is first used.
"""

from bayes_layers._lazy import lazy_exports

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "bayes_layers.layers": [
            "Convolution2DFlipout",
            "Convolution2DLocalReparameterization",
            "DenseFlipout",
            "DenseLocalReparameterization",
            "DeterministicConvolution2D",
            "DeterministicDense",
            "MonteCarloDropout",
        ],
        "bayes_layers.models": ["Network", "build_network", "load_network", "posterior_as_prior"],
        "bayes_layers.conversion": ["bayesian", "predict_samples"],
        "bayes_layers.inference": ["ElboTrainer", "PosteriorPredictive"],
    },
)
