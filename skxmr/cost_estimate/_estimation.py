"""The methods of the classifier that say what a fit takes, before it is begun."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.validation import FLOATS, as_row_arrays, check_targets, validate_fit_data
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


class CostEstimationMixin:
    """The methods `estimate_memory` and `estimate_time` of the classifier."""

    def estimate_memory(self, X, y):
        """Estimate how much memory `fit` will take.

        A few clusters of labels are found, by drawing, and trained: seconds for 200,000 labels, and
        no more than a few parts in a hundred of a long fit. A matcher, ranker, callable or
        clusterer of one's own is not counted, nor are rows that the beam adds ("man").

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Targets.

        Returns
        -------
        MemoryEstimate
            Bytes by part, and their `peak`.

        Raises
        ------
        ValueError
            If `fit` would refuse the parameters of the tree, `X` or `y`.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> wanted = XRLinearClassifier().estimate_memory(X, Y)
        >>> 0 < wanted.weights < wanted.peak
        True
        """
        return self.estimate_costs(X, y).memory

    def estimate_time(self, X, y):
        """Estimate how long `fit` will take on this machine.

        Clusters are trained as for `estimate_memory`, and timed. Counted are threads of this
        machine alone, and not what is left out there. A machine that is busy with something else
        takes as much longer as it is busy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Targets.

        Returns
        -------
        TimeEstimate
            Processor seconds by stage, and `total`, the wall seconds for `n_jobs` threads.

        Raises
        ------
        ValueError
            If `fit` would refuse the parameters of the tree, `X` or `y`.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> wanted = XRLinearClassifier().estimate_time(X, Y)
        >>> 0 < wanted.training < wanted.cpu < 60
        True
        """
        return self.estimate_costs(X, y).time

    def estimate_costs(self, X, y):
        """Estimate memory and time, in the time of one of them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Targets.

        Returns
        -------
        CostEstimate
            What `estimate_memory` and `estimate_time` return, as `memory` and `time`.

        Raises
        ------
        ValueError
            If `fit` would refuse the parameters of the tree, `X` or `y`.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> memory, time = XRLinearClassifier().estimate_costs(X, Y)
        >>> memory == XRLinearClassifier().estimate_memory(X, Y)
        True
        """
        self._validate_params()
        given = X
        options = {"accept_sparse": "csr", "dtype": FLOATS, "multi_output": True}
        (X, y), _ = validate_fit_data(self, X, y, **options)
        Y = check_targets(y)[0]
        check_indexing_options(self, Y.shape[1], X.shape[1])
        arrays = as_row_arrays(X, drop_zeros=True)
        costs = measure_costs(self, arrays, Y)
        memory = estimate_memory(costs, _copied(given, X, arrays), self.n_jobs, self.model_dir)
        return CostEstimate(memory, estimate_time(costs, self.n_jobs))


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
