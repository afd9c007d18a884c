"""What is random in a network, and how it is drawn."""

from bayes_layers._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "bayes_layers.layers.flipout": ["Convolution2DFlipout", "DenseFlipout"],
        "bayes_layers.layers.local_reparameterization": [
            "Convolution2DLocalReparameterization",
            "DenseLocalReparameterization",
        ],
        "bayes_layers.layers.deterministic": ["DeterministicConvolution2D", "DeterministicDense"],
        "bayes_layers.layers.dropout": ["MonteCarloDropout"],
        "bayes_layers.layers.posteriors": ["mean_field_normal"],
        "bayes_layers.layers.priors": ["PosteriorPrior", "Prior"],
        "bayes_layers.layers.randomness": ["make_seed", "fold_in"],
        "bayes_layers.streams": ["stream_key"],
    },
)
