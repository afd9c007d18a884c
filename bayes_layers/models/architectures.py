"""Which networks exist, as a table. Light: no TensorFlow.

Zeng, Lesnikowski & Alvarez 2018, Table 1: eight placements of the Bayesian layers in one CNN.
`MC-Dropout` is the deterministic network whose dropout also samples at prediction, as in
Gal, Islam & Ghahramani 2017.

Shridhar 2019, Tables 5, 11, 12 and 13: LeNet-5, AlexNet and AlexNet of half the width. All their layers
are Bayesian, or none is: that is a setting of its own (`inference`).
"""

LAYERS = ("Conv1", "Conv2", "Dense1", "Dense2")

BAYESIAN_LAYERS = {
    "BNN": ("Conv1", "Conv2", "Dense1", "Dense2"),
    "BNN-1": ("Dense2",),
    "BNN-2": ("Dense1", "Dense2"),
    "BNN-3": ("Conv2", "Dense1", "Dense2"),
    "BNN1": ("Conv1",),
    "BNN2": ("Conv1", "Conv2"),
    "BNN3": ("Conv1", "Conv2", "Dense1"),
    "CNN": (),
    "MC-Dropout": (),
}

ARCHITECTURES = tuple(BAYESIAN_LAYERS)  # of Zeng et al.

IMAGE_NETWORKS = ("lenet5", "alexnet", "alexnet_half")  # of Shridhar
INFERENCES = ("variational", "frequentist", "dropout")

NETWORKS = ARCHITECTURES + IMAGE_NETWORKS


def is_bayesian(arch, inference="variational"):
    """Whether any layer of a network has a posterior over its weights; `inference` is that of an image network."""
    return inference == "variational" if arch in IMAGE_NETWORKS else bool(BAYESIAN_LAYERS[arch])
