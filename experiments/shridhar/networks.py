"""The networks of Shridhar 2019 by the words of its tables: the settings of their runs. Light: no TensorFlow."""

from experiments.shridhar import published

NETWORKS = {
    published.VI_ALEXNET: {"model": "alexnet", "inference": "variational"},
    published.ALEXNET: {"model": "alexnet", "inference": "frequentist"},
    published.VI_LENET: {"model": "lenet5", "inference": "variational"},
    published.LENET: {"model": "lenet5", "inference": "frequentist"},
    published.DROPOUT_LENET: {"model": "lenet5", "inference": "dropout"},
    published.VI_HALF: {"model": "alexnet_half", "inference": "variational"},
    published.NO_DROPOUT: {"model": "alexnet", "inference": "frequentist", "dropout_layers": "0"},
    published.ONE_DROPOUT: {"model": "alexnet", "inference": "frequentist", "dropout_layers": "1"},
    published.THREE_DROPOUTS: {"model": "alexnet", "inference": "frequentist", "dropout_layers": "3"},
    published.SAMPLES_25: {"model": "alexnet", "inference": "variational", "train_samples": 25},
    published.SAMPLES_100: {"model": "alexnet", "inference": "variational", "train_samples": 100},
}


def rows(*names):
    """The networks of a table, in its order."""
    return {name: NETWORKS[name] for name in names}
