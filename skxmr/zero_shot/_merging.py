"""Merge two rankings of different labels; the second has guaranteed places."""

import numpy as np


def raise_to_places(known_scores, new_scores, places):
    """Return the scores of the new labels, raised so that they reach their places.

    The j-th best new label comes at `places[j]`, counted from 1, at the latest. Its score is raised
    to just below that of the known label before this place. Its rank then does not depend on the
    length of the merged list. In rows with fewer known labels, the score is not changed.

    Parameters
    ----------
    known_scores : ndarray of shape (n_rows, n_known), float32
        Scores of the known labels, best first; -inf if there are no more.
    new_scores : ndarray of shape (n_rows, n_new), float32
        Scores of the new labels, best first; -inf if there are no more.
    places : sequence of int
        Increasing places from 2 on.

    Returns
    -------
    ndarray of shape (n_rows, n_new), float32
    """
    raised = new_scores.copy()
    for j, place in enumerate(places[: new_scores.shape[1]]):
        last_known = place - 2 - j  # j of the labels before this place are new
        if last_known >= known_scores.shape[1]:
            break
        limit = known_scores[:, last_known]
        for _ in range(j + 1):  # below the new labels that come before it
            limit = np.nextafter(limit, np.float32(-np.inf))
        is_raised = (new_scores[:, j] > -np.inf) & (known_scores[:, last_known] > -np.inf)
        raised[is_raised, j] = np.maximum(raised[is_raised, j], limit[is_raised])
    return raised


def merge_rankings(known, new, k):
    """Return the k best labels of two rankings; known labels come first if scores are equal.

    Parameters
    ----------
    known, new : tuple of ndarray
        Labels (int32) and scores (float32) of shape (n_rows, any), best first, padded with the
        label -1 and the score -inf.
    k : int
        Number of columns of the result.

    Returns
    -------
    labels, scores : ndarray of shape (n_rows, k)
        Merged ranking, padded in the same way.
    """
    n_rows = len(known[0])
    padding = np.full((n_rows, k), -1, dtype=np.int32), np.full((n_rows, k), -np.inf, np.float32)
    labels, scores = map(np.hstack, zip(known, new, padding, strict=True))
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(labels, best, axis=1), np.take_along_axis(scores, best, axis=1)
