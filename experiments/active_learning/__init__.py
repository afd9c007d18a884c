"""Active learning: the pool, the choice of images, the ask/tell learner and its loop."""

from bayes_layers._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "experiments.active_learning.config": ["ActiveLearningConfig"],
        "experiments.active_learning.learner": ["ActiveLearner"],
        "experiments.active_learning.loop": ["run"],
    },
)
