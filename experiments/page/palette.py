"""Which colour stands for what, the same on the whole page. The colours themselves are in `style.css`."""

OTHERS = ("blue2", "orange", "green2", "purple", "red", "teal", "brown", "pink", "grey")

# The hue says from which end the Bayesian layers begin, the shade how many there are.
ARCHITECTURES = {
    "BNN": "red",
    "BNN-1": "blue1",
    "BNN-2": "blue2",
    "BNN-3": "blue3",
    "BNN1": "green1",
    "BNN2": "green2",
    "BNN3": "green3",
    "CNN": "grey",
    "MC-Dropout": "brown",
}
ACQUISITIONS = {
    "random": "grey",
    "max_entropy": "orange",
    "var_ratios": "blue2",
    "hard_var_ratios": "teal",
    "bald": "purple",
    "mean_std": "green2",
}
LAYERS = {"Conv1": "teal", "Conv2": "green2", "Dense1": "orange", "Dense2": "blue2"}


def color(table, name, number=0):
    """The colour of a name; one that the table does not know gets the colour of its number."""
    return table.get(name, OTHERS[number % len(OTHERS)])
