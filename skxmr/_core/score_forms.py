"""The forms in which scores leave the library, made from scores of (row, label)."""

import numpy as np

from skxmr._core.node_scores import join_rows  # noqa: F401
from skxmr._core.score_rule import LEAST_SCORE

# Stands for the log score of labels outside the beam: finite, as scikit-learn's scorers ask, with
# room for the ten decimal digits that its checks shift by.
OUTSIDE = np.float32(-1e20)
# A score of 1 has infinite odds; this is beyond those of any other float32.
LARGEST_ODDS = 100.0


def rank_rows(indptr, ids, scores, k):
    """Turn rows that stand best first into the two (n_rows, k) arrays of a ranking."""
    counts = np.diff(indptr)
    width = int(counts.max(initial=0))
    if np.all(counts == width):
        return pad_ranking(ids.reshape(-1, width), scores.reshape(-1, width), k)
    ranked_ids = np.full((len(counts), width), -1, dtype=np.int32)
    ranked_scores = np.full((len(counts), width), -np.inf, dtype=np.float32)
    here = np.arange(width) < counts[:, None]
    ranked_ids[here] = ids
    ranked_scores[here] = scores
    return pad_ranking(ranked_ids, ranked_scores, k)


def pad_ranking(ids, scores, k):
    """Fill a ranking of fewer than k columns with the index -1 and the score -inf."""
    missing = k - ids.shape[1]
    if missing <= 0:
        return ids, scores
    shape = (len(ids), missing)
    return (
        np.hstack([ids, np.full(shape, -1, dtype=np.int32)]),
        np.hstack([scores, np.full(shape, -np.inf, dtype=np.float32)]),
    )


def dense_rows(indptr, ids, logs, n_columns):
    """Return CSR arrays as a dense array, OUTSIDE where nothing is stored and as the least."""
    dense = np.full((len(indptr) - 1, n_columns), OUTSIDE, dtype=np.float32)
    dense[np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), ids] = np.maximum(logs, OUTSIDE)
    return dense


def open_interval(logs):
    """Return exp(logs), kept strictly between 0 and 1."""
    return inside_unit_interval(np.exp(logs))


def inside_unit_interval(scores):
    """Return scores kept strictly between 0 and 1."""
    return np.clip(scores, LEAST_SCORE, 1.0 - np.finfo(np.float32).epsneg)


def class_probabilities(logs):
    """Scale the scores of each row to sum to 1; overwrites `logs`."""
    logs -= logs.max(axis=1, keepdims=True)
    proba = np.exp(logs, out=logs)
    proba /= proba.sum(axis=1, keepdims=True)
    return proba


def class_log_scores(logs):
    """Return log probabilities of classes, or for two classes the log-odds of the second."""
    if logs.shape[1] == 1:
        return np.zeros(len(logs), dtype=np.float32)  # the only class is certain
    if logs.shape[1] == 2:
        return np.clip(logs[:, 1] - logs[:, 0], OUTSIDE, -OUTSIDE)
    return np.maximum(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True), OUTSIDE)


def log_odds(logs):
    """Return log(p / (1 - p)) of p = exp(logs), finite."""
    logs = logs.astype(np.float64)
    with np.errstate(divide="ignore"):
        odds = logs - np.log(-np.expm1(logs))
    return np.clip(odds, OUTSIDE, LARGEST_ODDS).astype(np.float32)
