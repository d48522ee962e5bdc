"""Metrics in plain Python that are slow and obviously correct, and small data with known values."""

import math

import numpy as np

from skxmr.metrics import (
    coverage_at_k,
    hits_at_k,
    macro_f1_at_k,
    ndcg_at_k,
    precision_at_k,
    psndcg_at_k,
    psprecision_at_k,
    psrecall_at_k,
    recall_at_k,
)

# Means over rows.
PLAIN_METRICS = {
    "precision": precision_at_k,
    "recall": recall_at_k,
    "hits": hits_at_k,
    "ndcg": ndcg_at_k,
}
# Means over labels.
LABEL_METRICS = {"coverage": coverage_at_k, "macro_f1": macro_f1_at_k}
PROPENSITY_METRICS = {
    "psprecision": psprecision_at_k,
    "psrecall": psrecall_at_k,
    "psndcg": psndcg_at_k,
}
ALL_METRICS = PLAIN_METRICS | LABEL_METRICS | PROPENSITY_METRICS

Y_TRUE = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
Y_SCORE = np.array(
    [[0.9, 0.8, 0.7, 0.2, 0.1], [0.5, 0.5, 0.1, 0.5, 0.2], [0.1, 0.2, 0.3, 0.4, 0.5]]
)


def reference_metric(name, truth, candidates, k, propensities):
    """Compute the metric `name`.

    `truth` has a set of labels per row, `candidates` a dict label -> score per row, in which labels
    with equal scores are in the order of their ranks.
    """
    if name in LABEL_METRICS:
        return _reference_label_metric(name, truth, candidates, k)
    values, best_values = [], []
    for true, scores in zip(truth, candidates, strict=True):
        ranked = _rank(scores, k)
        discounts = [1 / math.log2(r + 2) for r in range(min(k, len(true)))]
        best_weights = sorted((1 / propensities[label] for label in true), reverse=True)[:k]
        hits = [(r, label) for r, label in enumerate(ranked) if label in true]
        if name == "precision":
            values.append(len(hits) / k)
        elif name == "recall":
            values.append(len(hits) / len(true) if true else 0)
        elif name == "hits":
            values.append(len(hits) > 0)
        elif name == "ndcg":
            gain = sum(1 / math.log2(r + 2) for r, _ in hits)
            values.append(gain / sum(discounts) if true else 0)
        elif name == "psprecision":
            values.append(sum(1 / propensities[label] for _, label in hits))
            best_values.append(sum(best_weights))
        elif name == "psrecall" and true:
            values.append(sum(1 / propensities[label] for _, label in hits) / len(true))
            best_values.append(sum(best_weights) / len(true))
        elif true:
            gain = sum(1 / propensities[label] / math.log2(r + 2) for r, label in hits)
            values.append(gain / sum(discounts))
            best_gain = sum(w * d for w, d in zip(best_weights, discounts, strict=True))
            best_values.append(best_gain / sum(discounts))
    if name in PLAIN_METRICS:
        return sum(values) / len(values)
    return sum(values) / sum(best_values) if sum(best_values) else 0


def _reference_label_metric(name, truth, candidates, k):
    predicted = [set(_rank(scores, k)) for scores in candidates]
    values = []
    for label in set().union(*truth):
        hits = sum(label in t and label in p for t, p in zip(truth, predicted, strict=True))
        size = sum(label in t for t in truth) + sum(label in p for p in predicted)
        values.append(hits > 0 if name == "coverage" else 2 * hits / size)
    return sum(values) / len(values) if values else 0


def _rank(scores, k):
    order = sorted(scores, key=lambda label: -scores[label])
    return [label for label in order if scores[label] > -math.inf][:k]


def make_indicator(truth, n_labels):
    """Return the dense indicator of the sets of labels in `truth`."""
    y = np.zeros((len(truth), n_labels), dtype=np.int64)
    for i, labels in enumerate(truth):
        y[i, list(labels)] = 1
    return y
