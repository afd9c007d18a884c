"""The numbers of Shridhar 2019 to stand beside, and where it contradicts itself. Light: no TensorFlow.

"A Comprehensive guide to Bayesian Convolutional Neural Network with Variational Inference", arXiv:1901.02731.
Accuracies are in %; no seed, deviation or number of runs is stated. What the thesis calls validation is measured on
the test images: it has no third split (sections 5.2 and 5.4).
"""

# Rows of its tables, by the words of its own.
VI_ALEXNET, ALEXNET = "Bayesian AlexNet (VI)", "Frequentist AlexNet"
VI_LENET, LENET, DROPOUT_LENET = "Bayesian LeNet-5 (VI)", "Frequentist LeNet-5", "Bayesian LeNet-5 (dropout)"
VI_HALF, VI_L1 = "Bayesian AlexNetHalf (VI)", "Bayesian AlexNet with L1 norm (VI)"
NO_DROPOUT, ONE_DROPOUT, THREE_DROPOUTS = (f"Frequentist AlexNet ({n})" for n in ("no dropout", "1 layer", "3 layers"))
SAMPLES_25, SAMPLES_100 = "Bayesian AlexNet (25 samples)", "Bayesian AlexNet (100 samples)"

# Section 5.3.
TABLE1 = {
    (VI_ALEXNET, "mnist"): 99,
    (VI_ALEXNET, "cifar10"): 73,
    (ALEXNET, "mnist"): 99,
    (ALEXNET, "cifar10"): 73,
    (VI_LENET, "mnist"): 98,
    (VI_LENET, "cifar10"): 69,
    (LENET, "mnist"): 98,
    (LENET, "cifar10"): 68,
    (DROPOUT_LENET, "mnist"): 99.5,
    (DROPOUT_LENET, "cifar10"): 83,
}
# Section 5.5.
TABLE2 = {
    (VI_ALEXNET, "cifar100"): 36,
    (ALEXNET, "cifar100"): 38,
    (VI_LENET, "cifar100"): 31,
    (LENET, "cifar100"): 33,
}
# Section 5.5: training and validation accuracy on CIFAR-100.
TABLE3 = {
    (NO_DROPOUT, "train"): 83,
    (NO_DROPOUT, "validation"): 38,
    (ONE_DROPOUT, "train"): 72,
    (ONE_DROPOUT, "validation"): 40,
    (THREE_DROPOUTS, "train"): 39,
    (THREE_DROPOUTS, "validation"): 38,
    (SAMPLES_25, "train"): 54,
    (SAMPLES_25, "validation"): 37,
    (SAMPLES_100, "train"): 48,
    (SAMPLES_100, "validation"): 37,
}
# Section 5.6: means over images of the traces (see bayes_layers.uncertainty.decomposition).
TABLE4 = {
    ("mnist", "aleatoric"): 0.0096,
    ("mnist", "epistemic"): 0.0026,
    ("cifar10", "aleatoric"): 0.1920,
    ("cifar10", "epistemic"): 0.0404,
}
# Section 5.7.1.
TABLE6 = {
    (VI_ALEXNET, "mnist"): 99,
    (VI_ALEXNET, "cifar10"): 73,
    (VI_ALEXNET, "cifar100"): 36,
    (ALEXNET, "mnist"): 99,
    (ALEXNET, "cifar10"): 73,
    (ALEXNET, "cifar100"): 38,
    (VI_HALF, "mnist"): 99,
    (VI_HALF, "cifar10"): 79,
    (VI_HALF, "cifar100"): 38,
}
# Section 5.7.2.
TABLE7 = {
    (VI_ALEXNET, "mnist"): 99,
    (VI_ALEXNET, "cifar10"): 73,
    (ALEXNET, "mnist"): 99,
    (ALEXNET, "cifar10"): 73,
    (VI_L1, "mnist"): 99,
    (VI_L1, "cifar10"): 71,
}

TRAINING_TIME_FACTOR = 2  # section 5.8, eq. 21: T = 2 x number of samples x t
FIGURE_EPOCHS = (1, 5, 20, 50, 100)  # Figures 8 and 9

# Where the thesis contradicts itself, by the results that it concerns.
CONTRADICTIONS = {
    "table1": (
        "The row of LeNet-5 with dropout is quoted from Gal & Ghahramani, whose LeNet is another network; the "
        "text says of it that `we were not able to reproduce these reported results` (section 5.3). Ours is the "
        "LeNet-5 of Table 11 with dropout behind every hidden layer.",
        "Section 5.3 reports 98 for LeNet-5 on MNIST; the text beside Figure 8 says that its validation accuracy "
        "`has already reached 99%`.",
        "The caption says validation; there is no validation split: the images are the test set.",
    ),
    "table2": (
        "The caption names dropout, MNIST and CIFAR-10; the table has neither a row of dropout nor those columns.",
    ),
    "table3": (
        "The best validation accuracy, 40, is that of the frequentist network with one dropout layer, whose "
        "training accuracy is 72: on its own numbers the largest gap but one does not cost accuracy.",
        "AlexNet by VI has 36 in Table 2 and 37 here (25 samples, `all other experiments`).",
    ),
    "table4": (
        "What the two numbers are means of is not said. They can only be traces: a mean over ten classes is at "
        "most 0.09.",
        "Section 5.6: `epistemic uncertainty decreases proportionally to validation accuracy`. From CIFAR-10 to "
        "MNIST the accuracy of LeNet-5 rises by a factor of 1.4 (69 to 98), the epistemic uncertainty falls by "
        "one of 15.5; the error falls by a factor of 15.5 (31 to 2), too.",
        "Aleatoric uncertainty is called irreducible and then said to be larger for CIFAR-10 because of its lower "
        "accuracy and fewer training examples (section 5.6).",
    ),
    "table6": (
        "Section 5.7.1 explains the 79 by CIFAR-100, where AlexNetHalf has `a higher validation and a lower "
        "training accuracy`; its training accuracy is nowhere reported, and 38 is what the frequentist AlexNet "
        "has.",
        "Halving all widths divides the weights by about four, not by two (see `python -m "
        "experiments.shridhar.parameter_counts`): the variational AlexNetHalf has half as many parameters as the "
        "frequentist AlexNet, not as many.",
    ),
    "table7": (
        "Section 4.3 speaks of L1 normalisation of the weights, section 5.7.2 of applying the L1 norm to a "
        "trained model and removing zeros: whether it is a penalty in training is not said, nor its factor, nor "
        "the threshold, nor how many weights were removed.",
        "Section 2.5: `model pruning reduces the sparsity`; it increases it.",
    ),
    "figure7": (
        "Section 5.3 explains the low start of the Bayesian networks by uniform posteriors and says that all "
        "priors are uniform; sections 5.1.4 and 5.1.5 define Normal posteriors and Normal priors.",
        "The N(0, 1) initialisation of the frequentist networks is called `neither too small nor too large` "
        "(section 5.3). A layer's outputs then grow with the root of its number of inputs, up to 3456 here.",
    ),
    "figure8": (
        "Section 5.1.7 observed `a variance starting with a big number and gradually decreasing`; the appendix "
        "starts all networks at -10, and the conclusion prefers a `very small standard deviation`. Whether the "
        "deviation falls is a matter of where it starts (--mu_init): towards N(0, 1) the KL widens a narrow "
        "posterior.",
        "The text speaks of the standard deviation of one weight, chosen at random; nothing follows from it about "
        "the others, whose means per layer stand beside it here.",
    ),
    "figure9": ("The text calls the initialisation uniform; with section 5.1.7 it is a Normal with mean 0.",),
    "figure10": (
        "Section 5.5 says that the Bayesian AlexNet performs as one with three layers of dropout; in Table 3 "
        "their training accuracies are 54 (48) and 39, and one layer of dropout has the better validation "
        "accuracy.",
    ),
    "training_time": (
        "Equation 21 gives the factor two to two parameters per weight, and in the same section says that "
        "inference takes no longer: a prediction by one draw needs both as well, and one by T draws T times as "
        "much. Only a prediction by the means alone costs what a frequentist network's does.",
        "The appendix's sample size of 10 to 25 would make training 20 to 50 times slower than a frequentist "
        "network's; the conclusion in the abstract, `more computational and time effective`, names no number.",
    ),
}
