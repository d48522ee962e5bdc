"""Choose k labels per row, by given gains or by block coordinate ascent on a macro measure.

Algorithm: block coordinate ascent of Schultheis, Wydmuch, Kotlowski, Babbar, Dembczynski (2023),
"Generalized test utilities for long-tail performance in extreme multi-label classification",
NeurIPS. The objective is a sum over labels, and depends on the rows through one to three sums per
label. A step takes one row out of these sums, computes the gain of each of its candidates, and
chooses the k candidates with the largest gains. This is the best choice while all other rows are
fixed, so no step decreases the objective. Equal gains: the first candidate.
"""

import numpy as np

from libc.math cimport exp, log1p

from skxmr._core.types cimport index_t, offset_t, uint8_t

ctypedef fused proba_t:
    float
    double

# A probability of 1 would make the logarithm of a miss infinite.
cdef double MAX_PROBA = 1.0 - 2.0**-53


cdef inline void keep_best(double gain, offset_t at, double* gains, offset_t* best,
                           offset_t n_best) noexcept nogil:
    # Insert an entry into a list that is sorted by falling gain, if it is better than the last.
    cdef offset_t to = n_best - 1
    if gain <= gains[to]:
        return
    while to > 0 and gain > gains[to - 1]:
        gains[to], best[to] = gains[to - 1], best[to - 1]
        to -= 1
    gains[to], best[to] = gain, at


cdef inline offset_t start_row(double* gains, offset_t n_candidates, offset_t k) noexcept nogil:
    # Empty the list of the best candidates. Returns its length.
    cdef offset_t n_best = min(k, n_candidates), i
    for i in range(n_best):
        gains[i] = -1e300
    return n_best


def choose_best(const offset_t[::1] indptr, const double[::1] gains, offset_t k):
    """Return for each entry of a CSR matrix whether it is among the k largest gains of its row."""
    chosen = np.zeros(gains.shape[0], dtype=np.uint8)
    cdef uint8_t[::1] chosen_view = chosen
    cdef double[::1] best_gains = np.empty(k)
    cdef offset_t[::1] best = np.empty(k, dtype=np.int64)
    cdef offset_t row, at, i, n_best
    with nogil:
        for row in range(indptr.shape[0] - 1):
            n_best = start_row(&best_gains[0], indptr[row + 1] - indptr[row], k)
            for at in range(indptr[row], indptr[row + 1]):
                keep_best(gains[at], at, &best_gains[0], &best[0], n_best)
            for i in range(n_best):
                chosen_view[best[i]] = 1
    return chosen


cdef inline double half_f1(double hits, double squares, double n_chosen,
                           double n_true) noexcept nogil:
    # Differences of sums may leave rounding errors, but probabilities are at most 1.
    if hits <= 0.0 or n_chosen == 0.0:
        return 0.0
    return hits / (n_chosen + n_true + 1.0 - min(squares / hits, 1.0))


def sweep_macro_f1(const offset_t[::1] indptr, const index_t[::1] labels, const proba_t[::1] proba,
                   uint8_t[::1] chosen, const offset_t[::1] rows, offset_t k, double[::1] hits,
                   double[::1] squares, double[::1] n_chosen, const double[::1] n_true):
    """Improve the choice of some rows for the sum of the expected F1 over labels.

    Let p be the probability of a chosen row, s the number of chosen rows of a label, and t the
    expected number of its true rows. If the row is a hit, the F1 of the label is the sum over its
    hits of 2 / (s + number of true rows). Given the hit, 1 + t - p true rows are expected. So the
    expected F1 is about the sum of 2 p / (s + 1 + t - p). The sum is replaced by
    2 hits / (s + 1 + t - squares / hits), which depends on few numbers per label: the sum of p
    (`hits`), the sum of p squared (`squares`), and s (`n_chosen`). These arrays and `chosen` are
    updated; `n_true` is t.
    """
    cdef double[::1] best_gains = np.empty(k)
    cdef offset_t[::1] best = np.empty(k, dtype=np.int64)
    cdef offset_t r, row, at, i, n_best
    cdef index_t label
    cdef double p, gain
    with nogil:
        for r in range(rows.shape[0]):
            row = rows[r]
            for at in range(indptr[row], indptr[row + 1]):
                if chosen[at]:
                    chosen[at] = 0
                    label, p = labels[at], proba[at]
                    hits[label] -= p
                    squares[label] -= p * p
                    n_chosen[label] -= 1.0
            n_best = start_row(&best_gains[0], indptr[row + 1] - indptr[row], k)
            for at in range(indptr[row], indptr[row + 1]):
                label, p = labels[at], proba[at]
                gain = half_f1(hits[label] + p, squares[label] + p * p, n_chosen[label] + 1.0,
                               n_true[label])
                gain -= half_f1(hits[label], squares[label], n_chosen[label], n_true[label])
                keep_best(gain, at, &best_gains[0], &best[0], n_best)
            for i in range(n_best):
                at = best[i]
                chosen[at] = 1
                label, p = labels[at], proba[at]
                hits[label] += p
                squares[label] += p * p
                n_chosen[label] += 1.0


def sweep_coverage(const offset_t[::1] indptr, const index_t[::1] labels, const proba_t[::1] proba,
                   uint8_t[::1] chosen, const offset_t[::1] rows, offset_t k,
                   double[::1] log_miss, double[::1] miss):
    """Improve the choice of some rows for the sum of 1 - miss over labels.

    `log_miss` is the sum of log(1 - probability) over the chosen rows of a label, and `miss` its
    exponential: the probability that no chosen row is a hit. They and `chosen` are updated.
    """
    cdef double[::1] best_gains = np.empty(k)
    cdef offset_t[::1] best = np.empty(k, dtype=np.int64)
    cdef offset_t r, row, at, i, n_best
    cdef index_t label
    with nogil:
        for r in range(rows.shape[0]):
            row = rows[r]
            for at in range(indptr[row], indptr[row + 1]):
                if chosen[at]:
                    chosen[at] = 0
                    label = labels[at]
                    log_miss[label] -= log1p(-min(<double>proba[at], MAX_PROBA))
                    miss[label] = exp(log_miss[label])
            n_best = start_row(&best_gains[0], indptr[row + 1] - indptr[row], k)
            for at in range(indptr[row], indptr[row + 1]):
                keep_best(miss[labels[at]] * proba[at], at, &best_gains[0], &best[0], n_best)
            for i in range(n_best):
                at = best[i]
                chosen[at] = 1
                label = labels[at]
                log_miss[label] += log1p(-min(<double>proba[at], MAX_PROBA))
                miss[label] = exp(log_miss[label])
