"""The methods of the classifier that say what a fit takes, before it is begun."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.rows import as_rows
from skxmr._core.validation import FLOAT_DTYPES, check_targets, validate_fit_data
from skxmr.cost_estimate._level_costs import measure_costs
from skxmr.cost_estimate._memory import MemoryEstimate, estimate_memory
from skxmr.cost_estimate._time import TimeEstimate, estimate_time
from skxmr.indexing import check_indexing_options


class CostEstimate(NamedTuple):
    """What a fit takes.

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
    """Return the `CostEstimate` of a fit; see `XRLinearClassifier.estimate_costs`."""
    classifier._validate_params()
    given = X
    options = {"accept_sparse": "csr", "dtype": FLOAT_DTYPES, "multi_output": True}
    (X, y), _ = validate_fit_data(classifier, X, y, **options)
    Y = check_targets(y)[0]
    check_indexing_options(classifier, Y.shape[1], X.shape[1])
    arrays = as_rows(X, drop_zeros=True)
    costs = measure_costs(classifier, arrays, Y)
    copied = _copied(given, X, arrays)
    memory = estimate_memory(costs, copied, classifier.n_jobs, classifier.model_dir)
    return CostEstimate(memory, estimate_time(costs, classifier.n_jobs))


def _copied(given, X, arrays):
    # Bytes of what a fit makes of X: what validation returned, if that is new, and its arrays.
    parts = [X] if not sp.issparse(X) else [X.indptr, X.indices, X.data]
    if sp.issparse(given) and given.format == "csr":
        before = [given.indptr, given.indices, given.data]
    else:
        before = [given] if isinstance(given, np.ndarray) else []
    total, seen = 0, before
    for array in [*parts, *arrays[:3]]:
        if not any(np.shares_memory(array, other) for other in seen):
            total += array.nbytes
            seen = [*seen, array]
    return total
