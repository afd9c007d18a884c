"""How good predicted probabilities are: error, NLL, Brier score, ECE and reliability bins (NumPy)."""

import numpy as np

BINS = 15


def evaluate(probabilities, labels, bins=BINS):
    """Compares predicted distributions with labels.

    Args:
      probabilities: `[B, C]`, the predictive distributions (for Monte-Carlo samples: their mean).
      labels: integer `[B]`.
      bins: number of equal-width bins of confidence.

    Returns:
      dict with
      `error`: fraction of images whose most probable class is not the label;
      `nll`: mean of -log p(label) in nats (p is at least the smallest float32, so at most 87.3 each);
      `brier`: mean of sum_c (p(c) - [c = label])^2 (Brier 1950), from 0 to 2;
      `ece`: sum over bins of (share of images) x |accuracy - confidence| (Guo et al. 2017, eq. 3);
      `bins`: list of dicts `bin, count, confidence, accuracy` (means in the bin; nan where empty).

    Raises:
      ValueError: if shapes do not fit, there is nothing to evaluate, or a label is no class.
    """
    p = np.asarray(probabilities, np.float64)
    labels = np.asarray(labels)
    if p.ndim != 2 or labels.shape != p.shape[:1] or not len(p):
        raise ValueError(f"needs probabilities [B, C] and labels [B], got {p.shape} and {labels.shape}")
    if labels.min() < 0 or labels.max() >= p.shape[1]:
        raise ValueError(f"labels are classes from 0 to {p.shape[1] - 1}, got {labels.min()} to {labels.max()}")
    of_label = p[np.arange(len(p)), labels]
    correct = p.argmax(axis=1) == labels
    rows = reliability(p.max(axis=1), correct, bins)
    gaps = [row["count"] * abs(row["accuracy"] - row["confidence"]) for row in rows if row["count"]]
    return {
        "error": float(np.mean(~correct)),
        "nll": float(-np.log(np.maximum(of_label, np.finfo(np.float32).tiny)).mean()),
        "brier": float(((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1).mean()),
        "ece": float(sum(gaps) / len(p)),
        "bins": rows,
    }


def reliability(confidence, correct, bins=BINS):
    """Mean confidence and accuracy in bins (i/bins, (i+1)/bins] of confidence.

    Args:
      confidence: `[B]`, probability of the predicted class.
      correct: bool `[B]`.
      bins: number of bins.

    Returns:
      A list of dicts `bin, count, confidence, accuracy`; nan in empty bins.
    """
    confidence, correct = np.asarray(confidence), np.asarray(correct)
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rows = []
    for i in range(bins):
        inside = index == i
        count = int(inside.sum())
        rows.append(
            {
                "bin": i,
                "count": count,
                "confidence": float(np.mean(confidence[inside])) if count else float("nan"),
                "accuracy": float(np.mean(correct[inside])) if count else float("nan"),
            }
        )
    return rows
