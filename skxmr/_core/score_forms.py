"""Conversions of scores: to the log scores of a search, and from them to the forms of results."""

import numpy as np

from skxmr._core.score_rule import MIN_SCORE

# Log score of labels without a score, for example because the beam did not reach them. It is finite
# because scikit-learn's scorers require finite values, and far above the minimum of float32 because
# scikit-learn's checks multiply scores by up to 1e10. transforms.pyx has the same value.
UNSCORED_LOG = np.float32(-1e20)
# Log-odds of the score 1, which would be infinite; larger than the log-odds of every other float32.
MAX_LOG_ODDS = 100.0

_ROUNDING_SHIFT = np.float32(4.0)


def round_log_scores(log_scores):
    """Round log scores as the kernels do, so that rankings by score and by log score are equal.

    Near 1, float32 scores are coarser than their logarithms near 0, so different log scores could
    become equal scores. Subtracting and adding 4 rounds them to multiples of 2**-21.

    Parameters
    ----------
    log_scores : ndarray
        Log scores of at most 0.

    Returns
    -------
    ndarray of float32
        Rounded log scores of at least `UNSCORED_LOG`.
    """
    log_scores = np.asarray(log_scores, dtype=np.float32)
    return np.maximum((log_scores - _ROUNDING_SHIFT) + _ROUNDING_SHIFT, UNSCORED_LOG)


def to_log_scores(probabilities):
    """Return rounded logarithms of probabilities, which are first clipped to `MIN_SCORE` and 1."""
    return round_log_scores(np.log(np.clip(probabilities, float(MIN_SCORE), 1.0)))


def pad_ranked_rows(indptr, ids, scores, k):
    """Convert rows of ranked labels to two arrays with at least k columns.

    They are padded with the label -1 and the score -inf.
    """
    counts = np.diff(indptr)
    width = int(counts.max(initial=0))
    if np.all(counts == width):
        shape = (len(counts), width)
        return pad_ranking(ids.reshape(shape), scores.reshape(shape), k)
    ranked_ids = np.full((len(counts), width), -1, dtype=np.int32)
    ranked_scores = np.full((len(counts), width), -np.inf, dtype=np.float32)
    has_label = np.arange(width) < counts[:, None]
    ranked_ids[has_label] = ids
    ranked_scores[has_label] = scores
    return pad_ranking(ranked_ids, ranked_scores, k)


def pad_ranking(ids, scores, k):
    """Pad the arrays of a ranking to k columns with the label -1 and the score -inf."""
    n_missing = k - ids.shape[1]
    if n_missing <= 0:
        return ids, scores
    shape = (len(ids), n_missing)
    return (
        np.hstack([ids, np.full(shape, -1, dtype=np.int32)]),
        np.hstack([scores, np.full(shape, -np.inf, dtype=np.float32)]),
    )


def to_dense_log_scores(indptr, ids, log_scores, n_columns):
    """Convert CSR arrays to a dense array; missing and smaller log scores are `UNSCORED_LOG`."""
    n_rows = len(indptr) - 1
    dense = np.full((n_rows, n_columns), UNSCORED_LOG, dtype=np.float32)
    dense[np.repeat(np.arange(n_rows), np.diff(indptr)), ids] = np.maximum(log_scores, UNSCORED_LOG)
    return dense


def to_probabilities(log_scores):
    """Return exp(log_scores), strictly between 0 and 1."""
    return clip_to_open_interval(np.exp(log_scores))


def clip_to_open_interval(scores):
    """Clip scores to values strictly between 0 and 1."""
    return np.clip(scores, MIN_SCORE, 1.0 - np.finfo(np.float32).epsneg)


def to_class_probabilities(log_scores):
    """Scale the scores of each row to the sum 1; overwrites `log_scores`."""
    log_scores -= log_scores.max(axis=1, keepdims=True)
    proba = np.exp(log_scores, out=log_scores)
    proba /= proba.sum(axis=1, keepdims=True)
    return proba


def to_class_decisions(log_scores):
    """Return log probabilities of classes; for two classes, the log-odds of the second class."""
    if log_scores.shape[1] == 1:
        return np.zeros(len(log_scores), dtype=np.float32)  # the only class has probability 1
    if log_scores.shape[1] == 2:
        return np.clip(log_scores[:, 1] - log_scores[:, 0], UNSCORED_LOG, -UNSCORED_LOG)
    log_sums = np.logaddexp.reduce(log_scores, axis=1, keepdims=True)
    return np.maximum(log_scores - log_sums, UNSCORED_LOG)


def put_first(class_scores, best):
    """Make the best class of each row the first maximum of the row, in place.

    scikit-learn requires that `predict` returns the class of the maximum. If several classes have
    the maximum, the best one, which margins decide, is raised by one float32 step.

    Parameters
    ----------
    class_scores : ndarray of shape (n_rows, n_classes) or (n_rows,), float32
        Result of `to_class_probabilities` or `to_class_decisions`.
    best : ndarray of shape (n_rows,)
        Best class of each row.
    """
    if class_scores.ndim == 1:
        class_scores[(class_scores == 0) & (best == 1)] = np.finfo(np.float32).tiny
        return
    rows = np.flatnonzero(class_scores.argmax(axis=1) != best)
    first = class_scores[rows].max(axis=1, initial=-np.inf)
    class_scores[rows, best[rows]] = np.nextafter(first, np.float32(np.inf))


def to_log_odds(log_scores):
    """Return log(p / (1 - p)) with p = exp(log_scores); all values are finite."""
    log_scores = log_scores.astype(np.float64)
    with np.errstate(divide="ignore"):
        odds = log_scores - np.log(-np.expm1(log_scores))
    return np.clip(odds, UNSCORED_LOG, MAX_LOG_ODDS).astype(np.float32)
