"""(row, label) pairs that are left out of an evaluation: the parameter `ignore` of the metrics.

An ignored pair is removed from the true labels, and its score is set to -inf, so that the label is
not ranked and the next label of the row moves up.
"""

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr.metrics._candidates import Indicator, as_indicator, mark_true_labels


def read_ignored(ignore, true):
    """Return `ignore` as an `Indicator` of the shape of `true`; None if there is no pair."""
    if ignore is None:
        return None
    ignored = as_indicator(ignore, "ignore")
    shape, expected = ((each.n_rows, each.n_labels) for each in (ignored, true))
    if shape != expected:
        raise ValueError(f"ignore must have the shape of y_true, {expected}; got shape {shape}.")
    return ignored if len(ignored.labels) else None


def remove_ignored(true, ignored):
    """Return the true labels without the ignored pairs; `ignored` may be None."""
    if ignored is None:
        return true
    rows = np.repeat(np.arange(true.n_rows), np.diff(true.indptr))
    is_kept = ~mark_true_labels(ignored, slice(0, true.n_rows), rows, true.labels)
    lengths = np.bincount(rows[is_kept], minlength=true.n_rows)
    return Indicator(offsets_of(lengths), true.labels[is_kept], true.n_labels)


def skip_ignored(blocks, ignored):
    """Yield each `CandidateBlock` without the ignored pairs; `ignored` may be None."""
    for block in blocks:
        if ignored is not None:
            n_rows = len(block.indptr) - 1
            rows = np.repeat(np.arange(n_rows), np.diff(block.indptr))
            row_slice = slice(block.first_row, block.first_row + n_rows)
            is_ignored = mark_true_labels(ignored, row_slice, rows, block.labels)
            # A new array: the scores may share memory with the caller's.
            block = block._replace(scores=np.where(is_ignored, -np.inf, block.scores))
        yield block
