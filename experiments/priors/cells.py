"""The records of the prior study: one file per data set, prior, hyperprior and split, made where it is missing."""

import numpy as np

from experiments.priors.toy import HELD_OUT, grid_points, make_split, svm_accuracy
from experiments.records import arrays, facts

SVM = ("svm", "rbf")


def record_path(config, dataset, cell, number):
    """Where the record of one cell (prior, hyperprior) and split lies."""
    return config.records / dataset / ",".join(cell) / f"split{number}.npz"


def read(config, dataset, cell, number):
    """The record of one cell and split.

    Returns:
      `(numbers, arrays)`, or None if it does not exist.

    Raises:
      RecordError: if it is damaged or of another protocol.
    """
    path = record_path(config, dataset, cell, number)
    found = arrays.read(path)
    if found is not None:
        arrays.check_protocol(path, found[0]["protocol"], config.protocol)
    return found


def write(config, dataset, cell, number, numbers, values):
    """Writes a record: its numbers, and a dict of arrays."""
    head = {
        "dataset": dataset,
        "prior": cell[0],
        "hyperprior": cell[1],
        "split": number,
        **numbers,
        "protocol": config.protocol,
        "versions": facts.versions(),
        "git_commit": facts.git_commit(),
    }
    arrays.write(record_path(config, dataset, cell, number), head, values)


def make_svm(config, dataset, number):
    """Makes the record of the SVM of one split."""
    accuracy, parameters = svm_accuracy(make_split(dataset, config.noise, config.seed, number))
    write(config, dataset, SVM, number, {"accuracy": accuracy, "parameters": parameters}, {})


class CellMaker:
    """Makes the records of one cell; networks are compiled once for all data sets and splits."""

    def __init__(self, config, cell):
        self.config, self.cell, self._fitters = config, cell, {}

    def make(self, dataset, number):
        """Makes the record of one split."""
        config = self.config
        split = make_split(dataset, config.noise, config.seed, number)
        tuning = self._tune(split, number) if self.cell[1] == "fixed" and self.cell[0] != "flat" else {}
        fitter = self._fitter(tuning.get("scale", 1.0))
        numbers = {**tuning, **fitter.fit(split.x, split.y, number, config.restarts)}
        samples = fitter.probabilities(split.test_x, number)
        numbers.update(scores(samples, split.test_y))
        values = fitter.network.to_arrays()
        values.update(test_mean=samples.mean(0), test_stddev=samples.std(0), test_y=split.test_y)
        if number == 0:
            grid = fitter.probabilities(grid_points(dataset), number)
            values.update(grid_mean=grid.mean(0), grid_stddev=grid.std(0))
        write(config, dataset, self.cell, number, numbers, values)

    def _tune(self, split, number):
        """The fixed scale with the least held-out NLL: `scale`, and `validation_nll` of all candidates."""
        inner, outer = slice(None, -HELD_OUT), slice(-HELD_OUT, None)
        found = {}
        for scale in self.config.scale_grid:
            fitter = self._fitter(scale)
            fitter.fit(split.x[inner], split.y[inner], number, 1)
            found[scale] = scores(fitter.probabilities(split.x[outer], number), split.y[outer])["nll_test"]
        return {"scale": min(found, key=found.get), "validation_nll": {str(s): v for s, v in found.items()}}

    def _fitter(self, scale):
        from experiments.priors.fitting import Fitter

        if scale not in self._fitters:
            self._fitters[scale] = Fitter(self.config, *self.cell, scale)
        return self._fitters[scale]


def scores(samples, labels):
    """How good predictions are, and whether their spread tells where they are wrong.

    Args:
      samples: probabilities of class 1, `[S, N]`.
      labels: classes `[N]`.

    Returns:
      dict: `accuracy`; `nll_test` in nats; `ece` with 15 bins; `stddev_wrong` and `stddev_right`, the mean standard
      deviation over samples of the wrong and the right predictions (None where there are none).
    """
    from bayes_layers.uncertainty.calibration import evaluate

    mean, stddev = samples.mean(0), samples.std(0)
    result = evaluate(np.stack([1 - mean, mean], axis=1), labels)
    wrong = (mean > 0.5) != labels
    return {
        "accuracy": 1.0 - result["error"],
        "nll_test": result["nll"],
        "ece": result["ece"],
        "stddev_wrong": float(stddev[wrong].mean()) if wrong.any() else None,
        "stddev_right": float(stddev[~wrong].mean()) if not wrong.all() else None,
    }


def make_missing(config, tell):
    """Makes all records of a study that do not exist yet; `tell` is called with a line for each."""
    for dataset in config.dataset_names:
        for number in range(config.splits):
            if read(config, dataset, SVM, number) is None:
                make_svm(config, dataset, number)
    wanted = [(cell, d, n) for cell in config.cells for d in config.dataset_names for n in range(config.splits)]
    missing = [item for item in wanted if read(config, item[1], item[0], item[2]) is None]
    maker = None
    for place, (cell, dataset, number) in enumerate(missing, 1):
        if maker is None or maker.cell != cell:
            maker = CellMaker(config, cell)
        maker.make(dataset, number)
        tell(f"[{place}/{len(missing)}] {dataset}, {cell[0]}, {cell[1]}, split {number}")
