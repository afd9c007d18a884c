"""From the records of the prior study to numbers per cell. Light: no TensorFlow."""

import math

import numpy as np

from experiments.priors.cells import SVM, read
from experiments.studies.statistics import mean_interval

# The report shows one best network per data set, at a noise that it does not state.
PUBLISHED = {("circles", "cauchy", "inverse_gamma"): 0.735, ("moons", "normal", "inverse_gamma"): 0.851}
LAYERS = ("Hidden1", "Hidden2", "Output")


class Results:
    """All records of a study that exist: `numbers[dataset, cell][split]` and `arrays[dataset, cell][split]`."""

    def __init__(self, config):
        self.config = config
        self.numbers, self.arrays = {}, {}
        for dataset in config.dataset_names:
            for cell in (SVM, *config.cells):
                found = {n: read(config, dataset, cell, n) for n in range(config.splits)}
                found = {number: record for number, record in found.items() if record is not None}
                self.numbers[dataset, cell] = {number: record[0] for number, record in found.items()}
                self.arrays[dataset, cell] = {number: record[1] for number, record in found.items()}

    def values(self, dataset, cell, name, factor=1.0):
        """One number of a cell, by split; splits in which it is undefined are left out."""
        found = {split: numbers.get(name) for split, numbers in self.numbers[dataset, cell].items()}
        return {split: factor * value for split, value in found.items() if value is not None}

    def interval(self, dataset, cell, name, factor=1.0):
        """The mean of a number over splits, with its interval."""
        return mean_interval(self.values(dataset, cell, name, factor).values())

    def scales(self, dataset, cell):
        """The learned scale of each layer's prior, by layer: its posterior medians over splits; {} if fixed."""
        found = {}
        for arrays in self.arrays[dataset, cell].values():
            for layer in LAYERS:
                loc = arrays.get(f"weight/{layer}/prior_log_scale_loc")
                if loc is not None:
                    found.setdefault(layer, []).append(math.exp(float(loc)))
        return found

    def last_layer(self, dataset, cell, split=0):
        """Posterior means and standard deviations of the last layer's kernel, `[10]` each."""
        arrays = self.arrays[dataset, cell][split]
        rho = arrays["weight/Output/kernel_posterior_untransformed_scale"].astype(np.float64)
        return arrays["weight/Output/kernel_posterior_loc"].ravel(), np.logaddexp(0.0, rho).ravel()


def geometric_mean(values):
    """The mean on the logarithmic scale, on which scales are compared."""
    return float(np.exp(np.mean(np.log(values)))) if len(values) else math.nan
