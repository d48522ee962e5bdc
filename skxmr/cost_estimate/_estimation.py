"""Estimate the costs of a fit from the arguments of `fit`."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.rows import as_rows
from skxmr._core.validation import FLOAT_DTYPES, check_targets, validate_fit_data
from skxmr.cost_estimate._fit_costs import measure_fit
from skxmr.cost_estimate._memory import MemoryEstimate, memory_of
from skxmr.cost_estimate._time import TimeEstimate, time_of
from skxmr.indexing import check_indexing_options


class CostEstimate(NamedTuple):
    """Memory and time of a fit.

    Attributes
    ----------
    memory : MemoryEstimate
        Bytes.
    time : TimeEstimate
        Seconds.
    """

    memory: MemoryEstimate
    time: TimeEstimate


def estimate_costs(classifier, X, y):
    """Return the `CostEstimate` of ``classifier.fit(X, y)``; validate arguments as `fit` does."""
    classifier._validate_params()
    options = {"accept_sparse": "csr", "dtype": FLOAT_DTYPES, "multi_output": True}
    (validated, y), _ = validate_fit_data(classifier, X, y, **options)
    Y = check_targets(y).indicator
    check_indexing_options(classifier, Y.shape[1], validated.shape[1])
    rows = as_rows(validated, drop_zeros=True)
    # Bytes of the arrays that a fit makes of X.
    copied, known = 0, _buffers(X)
    for array in [*_buffers(validated), *rows[:3]]:
        if not any(np.shares_memory(array, other) for other in known):
            copied += array.nbytes
            known.append(array)
    costs = measure_fit(classifier, rows, Y)
    return CostEstimate(memory_of(costs, classifier, copied), time_of(costs, classifier.n_jobs))


def _buffers(X):
    if sp.issparse(X) and X.format == "csr":
        return [X.indptr, X.indices, X.data]
    return [X] if isinstance(X, np.ndarray) else []
