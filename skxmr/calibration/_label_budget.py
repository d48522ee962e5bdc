"""Decisions for a budget of k labels per row that are best for a macro measure."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skxmr._core.arrays import as_public_csr, check_sparse_arrays, offsets_of
from skxmr._core.score_rule import MIN_SCORE
from skxmr._core.target_containers import read_sparse_frame
from skxmr.calibration._label_choice import choose_best, sweep_coverage, sweep_macro_f1

# Largest probability whose logarithm of a miss is finite, as in _label_choice.pyx.
_MAX_PROBA = 1.0 - 2.0**-53
# Rows between two checks for Ctrl-C: about a tenth of a second with 100 labels per row.
_ROWS_PER_CALL = 2**17


@validate_params(
    {
        "probabilities": ["sparse matrix", "array-like"],
        "k": [Interval(Integral, 1, None, closed="left")],
        "objective": [StrOptions({"macro_f1", "macro_recall", "coverage"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def choose_labels(
    probabilities, k, *, objective="macro_f1", max_iter=20, tol=1e-4, random_state=None
):
    """Choose k labels per row so that a measure with equal weights of all labels is maximal.

    The k most probable labels of each row are the best choice for precision at k. But frequent
    labels are most probable in most rows, so that many rare labels are never predicted. This
    function maximizes the expected value of a macro measure over all rows together [1]_. A label
    is then preferred in the rows where it matters most, and precision at k is lower.

    "macro_recall" is solved without iterations. "macro_f1" and "coverage" start from the k most
    probable labels, and improve the choice of one row at a time, in random order, until a sweep
    over all rows improves the objective by less than `tol`. No step decreases the objective.

    Parameters
    ----------
    probabilities : sparse matrix or array-like of shape (n_samples, n_labels)
        Probabilities in [0, 1], as ``predict_proba`` returns. Only positive values are candidates.
        Calibrated probabilities give better results, see `CalibratedMultilabelClassifierCV`. The
        choice of a row depends on all rows, so pass all rows that are evaluated or used together.
    k : int
        Number of labels per row.
    objective : {"macro_f1", "macro_recall", "coverage"}, default="macro_f1"
        Measure to maximize: "macro_f1" for the mean F1 of the labels, "macro_recall" for their
        mean recall, "coverage" for the number of labels with at least one hit. "macro_f1" lowers
        precision the least, "coverage" the most.
    max_iter : int, default=20
        Maximum number of sweeps over the rows. On the data sets of the user guide, 4 to 6 sweeps
        are enough. "macro_recall" needs none.
    tol : float, default=1e-4
        Relative improvement of the objective at which the sweeps stop.
    random_state : int, RandomState instance or None, default=None
        Determines the order of the rows in the sweeps. Results differ slightly with the order.

    Returns
    -------
    chosen : sparse CSR of shape (n_samples, n_labels), int8
        Indicator with `k` labels per row, or all candidates of a row that has fewer.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `probabilities` is not a matrix of values in [0, 1].

    See Also
    --------
    TunedThresholdMultilabelClassifierCV : Choose any number of labels per row, by thresholds.
    skxmr.metrics.macro_f1_at_k, skxmr.metrics.coverage_at_k : Evaluate the choice.

    Notes
    -----
    The expected value of a ratio is replaced by a ratio of expected values. If a label is true in a
    row, its expected number of true rows is 1 + t, where t is the sum of its probabilities in all
    other rows. So a choice with the probability p adds p / (1 + t) to the expected recall of the
    label, and about 2 p / (s + 1 + t) to its F1 if it is chosen in s rows. [1]_ uses p + t instead
    of 1 + t. Then labels with a low probability in a single row are preferred. With calibrated
    probabilities of the data sets of the user guide, 1 + t has higher values of both measures.

    The metrics rank labels by score. To evaluate a choice, pass the chosen probabilities.

    References
    ----------
    .. [1] E. Schultheis, M. Wydmuch, W. Kotlowski, R. Babbar, K. Dembczynski. Generalized test
       utilities for long-tail performance in extreme multi-label classification. NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.calibration import choose_labels
    >>> probabilities = np.array([[0.9, 0.6, 0.0], [0.8, 0.0, 0.3], [0.9, 0.2, 0.0]])
    >>> chosen = choose_labels(probabilities, 1, random_state=0)
    >>> chosen.toarray()
    array([[0, 1, 0],
           [0, 0, 1],
           [1, 0, 0]], dtype=int8)
    >>> scores_to_evaluate = chosen.multiply(probabilities)
    """
    P = _read_probabilities(probabilities)
    lengths = np.diff(P.indptr).astype(np.int64)
    # A row has no more candidates than the longest row.
    k = int(min(k, lengths.max(initial=1)))
    candidates = _Candidates(
        P.indptr.astype(np.int64), P.indices.astype(np.int32, copy=False), P.data, P.shape[1]
    )
    if objective == "macro_recall":
        chosen = choose_best(candidates.indptr, _recall_gains(candidates), k)
    else:
        chosen = choose_best(candidates.indptr, P.data.astype(np.float64, copy=False), k)
        # Rows with at most k candidates have no choice.
        rows = np.flatnonzero(lengths > k)
        measure = _MEASURES[objective](candidates, chosen)
        _improve(measure, rows, k, max_iter, tol, check_random_state(random_state))
    labels = candidates.labels[chosen == 1]
    indptr = offsets_of(np.minimum(lengths, k))
    return as_public_csr(indptr, labels, np.ones(len(labels), dtype=np.int8), P.shape)


class _Candidates(NamedTuple):
    """Positive probabilities as a CSR matrix."""

    indptr: np.ndarray  # int64
    labels: np.ndarray  # int32
    proba: np.ndarray  # float32 or float64
    n_labels: int

    def sum_by_label(self, chosen, values):
        """Return the sum of one value per chosen candidate by label, as float64."""
        sums = np.bincount(self.labels[chosen], values, minlength=self.n_labels)
        return sums.astype(np.float64, copy=False)


def _recall_gains(candidates):
    everything = slice(None)
    n_true = candidates.sum_by_label(everything, candidates.proba)
    p = candidates.proba.astype(np.float64)
    # Rounding of sums may make the number of true labels of other rows negative.
    return p / (1 + np.maximum(n_true[candidates.labels] - p, 0))


def _improve(measure, rows, k, max_iter, tol, random_state):
    value = measure.recompute()
    for _ in range(max_iter):
        order = random_state.permutation(rows)
        for batch in gen_batches(len(order), _ROWS_PER_CALL):
            measure.sweep(order[batch], k)
        # Recomputing the sums also removes the rounding errors of the sweep.
        previous, value = value, measure.recompute()
        if value - previous <= tol * value:
            break


class _MacroF1:
    """Sum over labels of the expected F1, see `sweep_macro_f1`. Sweeps change `chosen`."""

    def __init__(self, candidates, chosen):
        self.candidates, self.chosen = candidates, chosen
        self.n_true = candidates.sum_by_label(slice(None), candidates.proba)

    def recompute(self):
        """Compute the sums of the chosen candidates; return the objective."""
        at = np.flatnonzero(self.chosen)
        p = self.candidates.proba[at].astype(np.float64)
        self.hits, self.squares, self.n_chosen = (
            self.candidates.sum_by_label(at, values) for values in (p, p**2, np.ones(len(p)))
        )
        used = np.flatnonzero(self.hits)
        hits, size = self.hits[used], self.n_chosen[used] + self.n_true[used]
        return float(np.sum(2 * hits / (size + 1 - self.squares[used] / hits)))

    def sweep(self, rows, k):
        """Improve the choice of some rows."""
        indptr, labels, proba, _ = self.candidates
        sums = self.hits, self.squares, self.n_chosen, self.n_true
        sweep_macro_f1(indptr, labels, proba, self.chosen, rows, k, *sums)


class _Coverage:
    """Sum over labels of the probability of at least one hit. Sweeps change `chosen`."""

    def __init__(self, candidates, chosen):
        self.candidates, self.chosen = candidates, chosen

    def recompute(self):
        """Compute the sums of the chosen candidates; return the objective."""
        at = np.flatnonzero(self.chosen)
        p = np.minimum(self.candidates.proba[at], _MAX_PROBA, dtype=np.float64)
        self.log_miss = self.candidates.sum_by_label(at, np.log1p(-p))
        self.miss = np.exp(self.log_miss)
        return float(-np.sum(np.expm1(self.log_miss)))

    def sweep(self, rows, k):
        """Improve the choice of some rows."""
        indptr, labels, proba, _ = self.candidates
        sweep_coverage(indptr, labels, proba, self.chosen, rows, k, self.log_miss, self.miss)


_MEASURES = {"macro_f1": _MacroF1, "coverage": _Coverage}


def _read_probabilities(probabilities):
    """Return a canonical CSR matrix of the positive probabilities, float32 or float64."""
    P = read_sparse_frame(probabilities, "probabilities")
    P = P if sp.issparse(P) else np.asarray(P)
    if P.ndim != 2 or P.dtype.kind not in "biuf":
        raise ValueError(
            "probabilities must be a matrix of numbers of shape (n_samples, n_labels); got shape "
            f"{P.shape} and dtype {P.dtype}. Pass the result of predict_proba."
        )
    if sp.issparse(P):
        check_sparse_arrays(P)
        P = P.tocsr()
        # A new object, because the flags of the argument may be outdated.
        P = sp.csr_array((P.data, P.indices, P.indptr), shape=P.shape)
    else:
        # The lowest positive score marks labels outside the beam. NaN stays, for the check below.
        P = np.where(P == MIN_SCORE, 0, P)
    if P.dtype not in (np.float32, np.float64):
        P = P.astype(np.float64)
    P = sp.csr_array(P)
    if not P.has_canonical_format or not np.all(P.data):
        P = P.copy()
        P.sum_duplicates()
        P.eliminate_zeros()
    is_valid = (P.data >= 0) & (P.data <= 1)  # false for NaN
    if not is_valid.all():
        raise ValueError(f"probabilities must be in [0, 1]; got {P.data[~is_valid][0]}.")
    return P
