"""Networks as data: which layers there are, and which of them are Bayesian."""

from bayes_layers._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "bayes_layers.models.network": ["Network", "load_network"],
        "bayes_layers.models.transfer": ["posterior_as_prior"],
        "bayes_layers.models.registry": ["build_network"],
    },
)
