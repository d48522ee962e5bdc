"""Which rows a cluster's children train on: its positives, and the negatives among them.

Teacher forcing (TFN): a cluster trains on the rows for which it is right, as if the levels above
had made no mistake; rows of one child are the negatives of its siblings. Matcher-aware negatives
(MAN): a cluster trains on the rows that the beam search of the levels above, already trained, does
pass to it. See Yu et al. (2022), "PECOS", JMLR 23(98), section 4.
"""

import numpy as np
import scipy.sparse as sp

from skxmr._core.threads import row_blocks, run_tasks
from skxmr._core.validation import row_block

NEGATIVES = ("tfn", "man", "tfn+man")


def check_negatives(negatives, shape):
    """Return the negatives, matrices as canonical CSR; refuse what is none.

    Parameters
    ----------
    negatives : str, sparse matrix or array, or sequence of these
        The parameter of the classifier.
    shape : tuple
        Of y.

    Returns
    -------
    str, csr_array or list of these
        What was given.

    Raises
    ------
    ValueError
        If a name is none of NEGATIVES, a matrix has another shape, holds NaN or indices that are
        out of range, or a sequence is empty.
    """
    if isinstance(negatives, (list, tuple)):
        if not negatives:
            raise ValueError("negatives must not be an empty sequence.")
        return [_check_entry(entry, shape) for entry in negatives]
    return _check_entry(negatives, shape)


def _check_entry(entry, shape):
    if isinstance(entry, str):
        if entry not in NEGATIVES:
            raise ValueError(
                f"negatives must be one of {', '.join(NEGATIVES)}, a matrix of the shape of y, "
                f"or a sequence of these; got {entry!r}."
            )
    elif np.shape(entry) != tuple(shape):
        raise ValueError(
            f"negatives given as a matrix must have the shape of y, {tuple(shape)}; got "
            f"{np.shape(entry)}."
        )
    else:
        M = sp.csr_array(entry)
        M.check_format(full_check=True)
        if np.any(np.isnan(M.data)):
            raise ValueError("negatives given as a matrix must not contain NaN.")
        M = sp.csr_array(M != 0)
        M.sum_duplicates()
        return M
    return entry


def needs_beam(negatives):
    """Whether, on some level, the levels above must be trained first; takes the parameter too."""
    if isinstance(negatives, (list, tuple)):
        return any(map(needs_beam, negatives))
    return isinstance(negatives, str) and "man" in negatives


def training_rows(negatives, teacher, pairs=None, beam=None):
    """Return the rows that the children of each parent train on.

    Parameters
    ----------
    negatives : str or matrix of shape (n_samples, n_labels)
        One of NEGATIVES, or a user's own pairs.
    teacher : csc_array of shape (n_samples, parents)
        Positive rows of the parents, from `LabelHierarchy.node_targets`.
    pairs : csc_array of shape (n_samples, parents), default=None
        The user's pairs as `LabelHierarchy.node_targets` has them: their rows train the clusters of
        their labels, in addition to teacher forcing.
    beam : csc_array of shape (n_samples, parents), default=None
        What the beam passes, where the names ask for it.

    Returns
    -------
    tuple
        (indptr int64, indices int32), rows rising.
    """
    if isinstance(negatives, str):
        parts = [teacher if name == "tfn" else beam for name in negatives.split("+")]
    else:
        parts = [teacher, pairs]
    if len(parts) == 1:
        return pattern_arrays(parts[0])
    union = sum(_pattern(part) for part in parts)
    union.sort_indices()
    return pattern_arrays(union)


def _pattern(targets):
    ones = np.ones(len(targets.indices), dtype=bool)
    return sp.csc_array((ones, targets.indices, targets.indptr), shape=targets.shape)


def beam_rows(matcher, X, n_parents, beam_width, transforms, max_rows, n_jobs):
    """Return which rows the beam search passes to each cluster.

    Parameters
    ----------
    matcher : RecursiveLinearMatcher
        The levels above, trained.
    X : tuple
        (indptr, indices, data, n_features) of the training rows.
    n_parents : int
        Clusters of the last of these levels.
    beam_width : int or None
        Clusters that a row is passed to; None is all of them.
    transforms : tuple
        Of these levels, by `ScoreRule`.
    max_rows : int or None
        Most rows of a cluster, those of the highest scores.
    n_jobs : int or None
        As in joblib.

    Returns
    -------
    csc_array of shape (n_samples, n_parents)
        Rows rising; the values mean nothing.
    """

    def match(start, stop):
        block = row_block(X, start, stop)
        counts, clusters, scores = matcher.match(block, beam_width, transforms)
        return sp.csr_array(
            (scores if max_rows else np.ones(len(clusters), dtype=bool), clusters, counts),
            shape=(stop - start, n_parents),
        )

    blocks = row_blocks(len(X[0]) - 1, min(beam_width or n_parents, n_parents), n_jobs)
    passed = sp.vstack(run_tasks(match, blocks, n_jobs, shared=True), format="csc")
    return _best_rows(passed, max_rows) if max_rows else passed


def _best_rows(passed, max_rows):
    # Order the entries of each column by falling score, and keep the first.
    counts = np.diff(passed.indptr)
    columns = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((passed.indices, -passed.data, columns))
    place = np.arange(len(order)) - np.repeat(passed.indptr[:-1], counts)
    kept = np.sort(order[place < max_rows])
    return sp.csc_array(
        (
            np.ones(len(kept), dtype=bool),
            passed.indices[kept],
            np.concatenate(([0], np.cumsum(np.minimum(counts, max_rows)))),
        ),
        shape=passed.shape,
    )


def pattern_arrays(targets):
    """Return the (indptr int64, indices int32) of a sparse matrix's pattern."""
    return targets.indptr.astype(np.int64), targets.indices.astype(np.int32, copy=False)
