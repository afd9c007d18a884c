"""Records of image classification written by hand, so that tables and figures can be tested against known numbers."""

import dataclasses
import json

import numpy as np

from experiments.classification.place import record_path
from experiments.records import tables
from experiments.records.layout import IMAGE_CLASSIFICATION

LAYERS = ("Conv1", "Dense1")


def write(config, errors, *, epistemic=None, aleatoric=None, sigma=0.1, train_error=0.0, seconds=1.0):
    """A small record (tables without weights).

    Args:
      config: a `ClassificationConfig`.
      errors: test errors as fractions, one per epoch.
      epistemic, aleatoric: one per epoch, or None for a tenth and a half of the errors.
      sigma: standard deviation in the first epoch; it falls by a tenth in each.
      train_error: a fraction, in all epochs.
      seconds: of each epoch's training.

    Returns:
      The record's directory.
    """
    path = record_path(config, config.dataset)
    path.mkdir(parents=True)
    names = [field.name for field in dataclasses.fields(config) if field.metadata["in_record"]]
    settings = {name: getattr(config, name) for name in names if name not in config.meaningless}
    settings |= {"precision": "float32", "jit_compile": "false"}
    known = {"experiment": "image_classification", "settings": settings, "device": "a processor",
             "dataset": {"name": config.dataset}}  # fmt: skip
    (path / "config.json").write_text(json.dumps(known))
    rows, layout = IMAGE_CLASSIFICATION.empty_rows(), IMAGE_CLASSIFICATION
    errors = np.asarray(errors, float)
    epistemic = errors / 10 if epistemic is None else epistemic
    aleatoric = errors / 2 if aleatoric is None else aleatoric
    for i, error in enumerate(errors):
        epoch = i + 1
        rows["metrics"].append(
            layout.row("metrics", epoch=epoch, train_error=train_error, val_error=error, test_error=error,
                       test_nll=2 * error, test_ece=error / 4, aleatoric=aleatoric[i], epistemic=epistemic[i],
                       train_seconds=seconds, predict_seconds=seconds)
        )  # fmt: skip
        for number, layer in enumerate(LAYERS if config.inference == "variational" else ()):
            deviation = sigma * 0.9**i * (number + 1)
            rows["posterior"].append(layout.row("posterior", epoch=epoch, layer=layer, sigma_mean=deviation))
            rows["weights"].append(
                layout.row("weights", epoch=epoch, layer=layer, index=3, mu=0.5 - 0.01 * i, sigma=deviation)
            )
        rows["calibration"] += [
            layout.row("calibration", epoch=epoch, bin=b, count=10 * b, confidence=b / 15, accuracy=b / 16)
            for b in range(15)
        ]
    for name, columns in layout.columns.items():
        (path / f"{name}.csv").write_text(tables.csv_text(columns, rows[name]))
    return path


def falling(final, epochs):
    """Errors that fall geometrically from 0.9 to `final`."""
    return np.geomspace(0.9, final, epochs)
