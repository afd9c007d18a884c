"""Error, NLL, Brier score, ECE and reliability bins."""

import numpy as np
import pytest
from sklearn import metrics

from bayes_layers.uncertainty import evaluate


def test_against_scikit_learn():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 500)
    labels = np.array([rng.choice(4, p=row) for row in p])
    result = evaluate(p, labels)
    assert result["error"] == pytest.approx(1 - metrics.accuracy_score(labels, p.argmax(1)))
    assert result["nll"] == pytest.approx(metrics.log_loss(labels, p))
    binary = [metrics.brier_score_loss(labels == c, p[:, c]) for c in range(4)]
    assert result["brier"] == pytest.approx(sum(binary))
    assert sum(row["count"] for row in result["bins"]) == 500 and len(result["bins"]) == 15
    assert result["ece"] < 0.1  # labels were drawn from p


def test_ece_by_hand():
    # Bins of width 1/15: 0.95 is in bin 14 (two images, one right), 0.6 in bin 8 (both right; 9/15 is its upper edge).
    p = np.array([[0.95, 0.05], [0.95, 0.05], [0.6, 0.4], [0.6, 0.4]])
    result = evaluate(p, [0, 1, 0, 0])
    assert result["ece"] == pytest.approx(0.5 * abs(0.5 - 0.95) + 0.5 * abs(1 - 0.6))
    filled = {row["bin"]: (row["count"], row["accuracy"]) for row in result["bins"] if row["count"]}
    assert filled == {8: (2, 1.0), 14: (2, 0.5)}
    assert np.isnan(result["bins"][0]["confidence"])


def test_certain_and_wrong_is_finite():
    result = evaluate([[1.0, 0.0]], [1])
    assert result["nll"] == pytest.approx(87.34, abs=0.01) and result["brier"] == 2.0 and result["error"] == 1.0


def test_bad_shapes_are_named():
    for p, labels in ((np.ones((2, 3)), [0]), (np.ones(3), [0, 1, 2]), (np.ones((0, 3)), [])):
        with pytest.raises(ValueError, match=r"\[B, C\]"):
            evaluate(p, labels)


@pytest.mark.parametrize("labels", [[-1, 0], [0, 3]])
def test_labels_that_are_no_classes_are_refused(labels):
    with pytest.raises(ValueError, match="labels are classes from 0 to 2"):
        evaluate(np.full((2, 3), 1 / 3), labels)
