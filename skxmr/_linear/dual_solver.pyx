"""Train the children of one cluster one-vs-all: linear models by dual coordinate descent.

For each child the objective is

    min_w  1/2 |w|^2 + sum_i c_i loss(y_i w.x_i),

with y_i = +1 on the rows of the child and -1 on the other rows of the cluster, and a constant
feature 1 appended to every row, whose weight is the intercept. The loss of a margin m is the
squared hinge max(0, 1 - m)^2, the hinge max(0, 1 - m), or the logistic log(1 + exp(-m)): those of
LIBLINEAR's solvers 1, 3 and 7. The cost c_i is C, times a weight of the row, and on positives times
a weight of all of them and one of the row and the child. The dual has one variable 0 <= a_i a row,
for the last two losses a_i <= c_i, with w = sum_i a_i y_i x_i, and is solved one variable at a time
in random order, the first two with shrinking:
Hsieh, Chang, Lin, Keerthi, Sundararajan (2008), "A dual coordinate descent method for large-scale
linear SVM", ICML, algorithm 3; Yu, Huang, Lin (2011), "Dual coordinate descent methods for logistic
regression and maximum entropy models", Machine Learning 85, section 3. It stops when the projected
gradients of all rows, and 0, lie within `tol` of each other, or after `max_iter` sweeps.

Duals start equal on all positives, and equal on all negatives: see `solution`.

Sixteen children are solved side by side, one in each lane of a vector, or four where there are no
more: weights lie [feature][lane], so one pass over a row's entries serves all lanes. Each lane has
its own bounds on the projected gradients, its own shrunk rows, a bit for each row, and its own
stop; a row is visited while some lane wants it. Children of like frequency share lanes, since they
stop together. The arithmetic of a visit is in `lane_visit.h`. The rows come compacted, their
one-row features folded away: see `compact_rows`.
"""

import numpy as np

from libc.math cimport fabsf as fabs, INFINITY
from libc.string cimport memset

from skxmr._core.random cimport random_below, random_state
from skxmr._core.types cimport index_t, offset_t, uint16_t, uint32_t, uint64_t
from skxmr._linear.chunk cimport Weights, keep, pack, release_weights, reserve
from skxmr._linear.compact_rows cimport Cluster, compact, release_cluster
from skxmr._linear.simd.lanes cimport (
    FEW_LANES, LANES, PREFETCH, lane_kernels, lane_steps, lane_visit, prefetch_all, selected_lanes
)
from skxmr._linear.refine cimport refine_lanes
from skxmr._linear.solution cimport (
    Costs, Solution, costs_of, finish_lanes, make_room, release_room, start_lanes
)


# Intercept of a child without rows; as a score it is exp(-1e9).
cdef float NEVER = -1000.0
# What float32 reaches; smaller tolerances are left to `refine`.
cdef double LEAST_TOL = 1e-5


cdef index_t shuffle_rows(const Cluster* c, Solution* s, uint32_t live,
                          uint64_t* rng) noexcept nogil:
    # The rows that some live lane still wants, in random order.
    cdef index_t i, n = 0, at
    for i in range(c.n_rows):
        if s.active[i] & live:
            at = random_below(rng, n + 1)
            s.order[n] = s.order[at]
            s.order[at] = i
            n += 1
    return n


cdef int solve_lanes(const Cluster* c, Solution* s, int n_lanes, double tol, int max_iter,
                     lane_visit visit, uint64_t* rng, index_t* n_unsolved) noexcept nogil:
    # Dual coordinate descent for the targets in s.positive. Returns the number of sweeps, and adds
    # the lanes that did not stop by themselves to n_unsolved.
    cdef uint32_t everyone = (<uint32_t>1 << n_lanes) - 1
    cdef uint32_t live = everyone           # lanes that have not stopped
    cdef uint32_t whole = everyone          # lanes that have shrunk no row
    cdef uint32_t wanted, kept, bit, reset
    cdef index_t i, at, n, next
    cdef offset_t e
    cdef int lane, sweep = 0
    cdef float spread
    for i in range(c.n_rows):
        s.active[i] = <uint16_t>everyone
    for lane in range(LANES):
        s.bounds.top[lane] = INFINITY
        s.bounds.bottom[lane] = -INFINITY
    while live and sweep < max_iter:
        for lane in range(s.lanes):
            # From 0, not from infinity: gradients that are all alike, as -1 in a first sweep, are
            # no optimum.
            s.bounds.new_top[lane] = 0.0
            s.bounds.new_bottom[lane] = 0.0
        n = shuffle_rows(c, s, live, rng)
        for at in range(n):
            i = s.order[at]
            if at + 2 < n:
                # Rows come from anywhere: without this the root of 100,000 rows took twice as long.
                next = s.order[at + 2]
                e = c.indptr[next]
                prefetch_all(&c.indices[e], c.indptr[next + 1] - e)
                prefetch_all(&c.data[e], c.indptr[next + 1] - e)
                PREFETCH(&s.duals[<offset_t>next * s.lanes])
                if at + 8 < n:
                    PREFETCH(&c.indptr[s.order[at + 8]])
            wanted = s.active[i] & live
            e = c.indptr[i]
            kept = visit(s.weights, &s.duals[<offset_t>i * s.lanes], s.bounds, &c.indices[e],
                         &c.data[e], c.indptr[i + 1] - e, s.positive[i], wanted, &s.terms[i],
                         costs_of(s, i))
            s.active[i] &= ~(wanted & ~kept)
            whole &= ~(wanted & ~kept)
        sweep += 1
        reset = 0
        for lane in range(n_lanes):
            bit = <uint32_t>1 << lane
            if not live & bit:
                continue
            spread = s.bounds.new_top[lane] - s.bounds.new_bottom[lane]
            if spread <= tol and whole & bit:
                live &= ~bit
                continue
            if spread <= tol:
                reset |= bit                # check the shrunk rows once more before stopping
            s.bounds.top[lane] = INFINITY
            s.bounds.bottom[lane] = -INFINITY
            if spread > tol and s.bounds.new_top[lane] > 0.0:
                s.bounds.top[lane] = s.bounds.new_top[lane]
            if spread > tol and s.bounds.new_bottom[lane] < 0.0:
                s.bounds.bottom[lane] = s.bounds.new_bottom[lane]
        if reset:
            whole |= reset
            for i in range(c.n_rows):
                s.active[i] |= <uint16_t>reset
    for lane in range(n_lanes):
        n_unsolved[0] += live >> lane & 1
    return sweep


cdef bint keep_lanes(const Cluster* c, const Solution* s, const index_t* children, int n_lanes,
                     float threshold, const lane_steps* steps, Weights* kept) noexcept nogil:
    # Keep the weights that are not 0 and at least the threshold in size.
    cdef index_t f, i
    cdef int lane
    cdef offset_t e
    cdef float value
    cdef uint32_t bits
    cdef const float* w
    for f in range(c.n_shared):
        w = &s.weights[<offset_t>f * s.lanes]
        bits = steps.kept(w, threshold)
        if bits == 0:
            continue
        if not reserve(kept, LANES):
            return False
        for lane in range(n_lanes):
            if bits >> lane & 1:
                keep(kept, f, <uint16_t>children[lane], w[lane])
    for i in range(c.n_rows):
        # A folded weight is dual times value.
        w = &s.duals[<offset_t>i * s.lanes]
        for e in range(c.own_indptr[i], c.own_indptr[i + 1]):
            # What may be kept; whether it is, the product itself says.
            bits = steps.kept(w, <float>0.9999 * threshold / fabs(c.own_data[e]))
            if bits == 0:
                continue
            if not reserve(kept, LANES):
                return False
            for lane in range(n_lanes):
                value = w[lane] * c.own_data[e]
                if bits >> lane & 1 and fabs(value) >= threshold and value != 0.0:
                    if not s.positive[i] >> lane & 1:
                        value = -value
                    keep(kept, c.own_indices[e], <uint16_t>children[lane], value)
    return True


def solve_cluster(
    const offset_t[::1] indptr,        # IN (n_samples + 1) rows of X
    const index_t[::1] indices,        # IN
    const float[::1] data,             # IN
    const index_t[::1] rows,           # IN rows of the cluster, rising
    const offset_t[::1] child_indptr,  # IN (n_children + 1) rows of each child, in child_rows
    const index_t[::1] child_rows,     # IN rising inside a child; those not in `rows` are ignored
    const float[::1] child_costs,      # IN weight of each of child_rows, or None
    const float[::1] row_costs,        # IN (n_samples) weight of each row, or None
    int loss,                          # by its number in lanes.h
    double C,
    double positive_weight,
    double tol,
    int max_iter,
    double threshold,                  # smaller weights are dropped; intercepts never are
    uint64_t seed,
    index_t[::1] scratch,              # INOUT (n_features), 0 on entry and on return
):
    """Solve one cluster.

    Returns (summary, words, counts, children, values, intercepts, n_iter, n_unsolved): the bitmap
    of the chunk's features, the number of weights of each, the child and the value of each weight,
    an intercept for each child, the largest number of sweeps, and the number of children that
    `max_iter` stopped short. A child without rows is not trained: its intercept alone makes it
    lose to all others.
    """
    cdef Cluster c
    cdef Solution s
    cdef Weights kept
    cdef Costs costs
    cdef index_t first, lane, n_children = <index_t>(child_indptr.shape[0] - 1)
    cdef int n_iter = 0, n_lanes, n_sweeps, n_refined
    cdef const lane_kernels* lanes = selected_lanes()
    cdef const lane_steps* steps
    cdef bint few
    cdef index_t n_trained = 0, n_unsolved = 0, n_lost
    cdef uint64_t rng
    cdef bint good
    # Children of about the same frequency stop together: they share lanes.
    by_frequency = np.argsort(-np.diff(child_indptr), kind="stable").astype(np.int32)
    intercepts = np.full(n_children, NEVER, dtype=np.float32)
    cdef const index_t[::1] children = by_frequency
    cdef float[::1] intercept = intercepts
    memset(&c, 0, sizeof(Cluster))
    memset(&s, 0, sizeof(Solution))
    memset(&kept, 0, sizeof(Weights))
    costs.loss = loss
    costs.C = C
    costs.positive = positive_weight
    # Of no elements no address may be taken.
    costs.targets = &child_costs[0] if child_costs is not None and child_costs.shape[0] else NULL
    costs.rows = &row_costs[0] if row_costs is not None and row_costs.shape[0] else NULL
    try:
        with nogil:
            good = (compact(&c, indptr, indices, data, rows, scratch)
                    and make_room(&c, &s, &costs, rows))
            while n_trained < n_children and (child_indptr[children[n_trained] + 1]
                                              > child_indptr[children[n_trained]]):
                n_trained += 1
            first = 0
            while good and first < n_trained:
                n_lanes = min(LANES, n_trained - first)
                few = n_lanes <= FEW_LANES
                s.lanes = FEW_LANES if few else LANES
                steps = &lanes.solve_few if few else &lanes.solve
                s.weights = s.intercepts + s.lanes
                # A stream of their own for these children: solved alone they are the same.
                rng = random_state(seed + <uint64_t>first)
                good = start_lanes(&c, &s, &costs, rows, child_indptr, child_rows,
                                   &children[first], n_lanes)
                if not good:
                    break
                n_lost = 0
                n_sweeps = solve_lanes(&c, &s, n_lanes, max(tol, LEAST_TOL), max_iter,
                                       steps.visit[loss], &rng, &n_lost)
                finish_lanes(&c, &s, &costs)
                if tol < LEAST_TOL:
                    n_lost = 0
                    n_refined = refine_lanes(&c, &s, &costs, n_lanes, tol, max_iter, &rng, &n_lost)
                    good = n_refined >= 0
                    n_sweeps = n_refined
                n_unsolved += n_lost
                n_iter = max(n_iter, n_sweeps)
                if not good:
                    break
                for lane in range(n_lanes):
                    intercept[children[first + lane]] = s.intercepts[lane]
                good = keep_lanes(&c, &s, &children[first], n_lanes, <float>threshold,
                                  steps, &kept)
                first += LANES
        if not good:
            raise MemoryError()
        chunk = pack(&kept, c.feature, c.n_features, <index_t>scratch.shape[0])
        return (*chunk, intercepts, n_iter, n_unsolved)
    finally:
        release_cluster(&c)
        release_room(&s)
        release_weights(&kept)
