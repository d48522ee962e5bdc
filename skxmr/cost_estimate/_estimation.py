"""Estimate the costs of a fit, and refuse a fit that needs more memory than the machine has."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.machine import find_memory_limit
from skxmr._core.mixed_matrix import MixedMatrix
from skxmr._core.row_length import mean_row_length
from skxmr._core.rows import canonical_rows, in_float32
from skxmr._core.threads import count_workers
from skxmr._core.validation import validate_fit_data
from skxmr.cost_estimate._fit_costs import measure_fit
from skxmr.cost_estimate._memory import MemoryEstimate, estimate_memory
from skxmr.cost_estimate._time import TimeEstimate, estimate_time
from skxmr.indexing import check_indexing_options

# A fit is refused if its estimate is more than this many times the memory.
REFUSAL_FACTOR = 1.5
# Bytes per entry of the rows of each label, more than any measured fit took: label features, and
# the model with all weights, or with a `weight_threshold` of at least LARGE_THRESHOLD.
MAX_FEATURE_BYTES, MAX_MODEL_BYTES, MAX_PRUNED_MODEL_BYTES, LARGE_THRESHOLD = 14, 400, 40, 0.05
# Other bytes: constants of `_memory` and `_cluster_sample`, added and generously rounded up. Per
# positive; per row and per label; for each thread, per entry of X and per feature.
MAX_POSITIVE_BYTES, MAX_ROW_BYTES, MAX_ENTRY_BYTES, MAX_COLUMN_BYTES = 230, 100, 24, 16


class CostEstimate(NamedTuple):
    """Memory and time of a fit."""

    memory: MemoryEstimate  # bytes
    time: TimeEstimate  # seconds


def estimate_costs(classifier, X, y):
    """Return the `CostEstimate` of ``classifier.fit(X, y)``; validate arguments as `fit` does."""
    classifier._validate_params()
    validated, targets, _ = validate_fit_data(classifier, X, y)
    Y = targets.indicator
    check_indexing_options(classifier, Y.shape[1], validated.shape[1])
    rows = canonical_rows(validated)
    rows = in_float32(rows, length=mean_row_length(rows)).to_training_rows()
    copied_bytes, known = 0, _get_buffers(X)
    for array in [*_get_buffers(validated), *rows[:4]]:
        if not any(np.shares_memory(array, other) for other in known):
            copied_bytes += array.nbytes
            known.append(array)
    costs = measure_fit(classifier, rows, Y)
    memory = estimate_memory(costs, classifier, copied_bytes)
    return CostEstimate(memory, estimate_time(costs, classifier.n_jobs))


def _get_buffers(X):
    if isinstance(X, MixedMatrix):
        return [*_get_buffers(X.sparse), X.dense]
    if sp.issparse(X) and X.format == "csr":
        return [X.indptr, X.indices, X.data]
    return [X] if isinstance(X, np.ndarray) else []


def refuse_if_too_large(classifier, rows, Y):
    """Raise MemoryError if the estimate exceeds 1.5 times the memory; `rows` are `TrainingRows`."""
    limit = find_memory_limit()
    if limit is None or bound_memory(classifier, rows, Y) < REFUSAL_FACTOR * limit:
        return
    # The copy of X is in memory already: it is `rows`.
    estimate = estimate_memory(measure_fit(classifier, rows, Y), classifier, copied_bytes=0)
    if estimate.peak < REFUSAL_FACTOR * limit:
        return
    if classifier.model_dir is not None:
        advice = f"Decrease n_jobs (now {count_workers(classifier.n_jobs)})"
    else:
        advice = (
            "Set model_dir, set weight_dtype='float16', increase weight_threshold "
            f"(now {classifier.weight_threshold}), decrease n_trees (now {classifier.n_trees})"
        )
    raise MemoryError(
        f"fit needs about {estimate.peak / 1e9:,.1f} GB; the machine (or its container) has "
        f"{limit / 1e9:,.1f} GB. {advice}, or train on fewer rows. Estimate: {estimate}."
    )


def bound_memory(classifier, rows, Y):
    """Return an upper bound of the bytes of a fit. It is fast: most fits need no estimate."""
    row_sizes = rows.row_sizes
    n_models = classifier.n_trees if classifier.model_dir is None else 0
    is_pruned = classifier.weight_threshold >= LARGE_THRESHOLD
    model_bytes = MAX_PRUNED_MODEL_BYTES if is_pruned else MAX_MODEL_BYTES
    entry_bytes = MAX_FEATURE_BYTES + n_models * model_bytes
    thread_bytes = MAX_ENTRY_BYTES * row_sizes.sum() + MAX_COLUMN_BYTES * rows.n_features
    other_bytes = MAX_POSITIVE_BYTES * Y.nnz + MAX_ROW_BYTES * sum(Y.shape)
    other_bytes += count_workers(classifier.n_jobs) * thread_bytes
    return float(row_sizes @ np.diff(Y.indptr)) * entry_bytes + other_bytes
