"""Train the children of one cluster: one-vs-all linear models by dual coordinate descent.

Objective, for each child:

    min_w  1/2 |w|^2 + sum_i c_i loss(y_i w.x_i),

with y_i = +1 for the rows of the child and -1 for the other rows of the cluster. A constant feature
1 is appended to each row; its weight is the intercept. The loss of a margin m is the squared hinge
max(0, 1 - m)^2, the hinge max(0, 1 - m) or the logistic loss log(1 + exp(-m)), as in LIBLINEAR's
solvers 1, 3 and 7. The cost c_i is C times the weight of the row. For positive rows it is also
multiplied by `positive_weight` and by a weight of the row and the child.

Algorithm: the dual problem has one variable a_i >= 0 per row, with w = sum_i a_i y_i x_i, and
a_i <= c_i for the hinge and the logistic loss. A visit of a row minimizes the dual objective over
its a_i only. A sweep visits all rows in random order. Shrinking: for both hinges, a row whose a_i
is at a bound, and will probably stay there, is not visited until all other rows are solved.

Stopping rule: the difference of the largest and the smallest projected gradient of a sweep over all
rows, 0 included, is at most `tol`; or `max_iter` sweeps.

Sources: Hsieh, Chang, Lin, Keerthi, Sundararajan (2008), "A dual coordinate descent method for
large-scale linear SVM", ICML, algorithm 3, for the hinges. Yu, Huang, Lin (2011), "Dual coordinate
descent methods for logistic regression and maximum entropy models", Machine Learning 85, section 3,
for the logistic loss.

Changes that make it fast:

* Groups of 16 children are trained together, one per SIMD lane, or 4 if no more are left. Weights
  are stored as [feature][lane], so one pass over the entries of a row updates all lanes. Each lane
  has its own projected gradients, its own set of active rows (a bit per row), and stops on its own.
  A visit includes the lanes for which the row is active; see lane_visit.h. Children of similar
  frequency stop after a similar number of sweeps, so they share a group.
* Duals start from better values than 0; see solver_state.pyx.
* Rows contain only the features that several rows of the cluster share; see compact_rows.pyx.
"""

import numpy as np

from libc.math cimport fabsf as fabs, INFINITY
from libc.string cimport memset

from skxmr._core.random cimport draw_below, make_random_state
from skxmr._core.types cimport index_t, offset_t, uint16_t, uint32_t, uint64_t
from skxmr._linear.chunk cimport (
    WeightList, append_weight, pack_chunk, release_weights, reserve_weights
)
from skxmr._linear.compact_rows cimport Cluster, compact_rows, release_cluster
from skxmr._linear.refine cimport refine_group
from skxmr._linear.simd.lanes cimport (
    FEW_LANES, LANES, PREFETCH, get_lane_kernels, lane_kernels, prefetch_array, solver_kernels,
    visit_row_function
)
from skxmr._linear.solver_state cimport (
    Objective, SolverState, allocate_state, convert_logits_to_duals, get_lane_costs,
    initialize_group, release_state
)


# Intercept of a child without positive rows. It ranks the child last: as a margin, its score by the
# default transform "l3-hinge" is exp(-1e9) = 0.
cdef float UNTRAINED_INTERCEPT = -1000.0
# Smallest tolerance that float32 arithmetic reaches; `refine_group` reaches smaller ones.
cdef double MIN_FLOAT32_TOL = 1e-5


cdef index_t shuffle_active_rows(const Cluster* c, SolverState* s, uint32_t lanes,
                                 uint64_t* rng) noexcept nogil:
    # Write the rows that are active in some of `lanes` to s.order, in random order (inside-out
    # shuffle of Fisher and Yates). Returns their number.
    cdef index_t i, n = 0, at
    for i in range(c.n_rows):
        if s.active[i] & lanes:
            at = draw_below(rng, n + 1)
            s.order[n] = s.order[at]
            s.order[at] = i
            n += 1
    return n


cdef int solve_group(const Cluster* c, SolverState* s, int group_size, double tol, int max_iter,
                     visit_row_function visit_row, uint64_t* rng,
                     index_t* n_unsolved) noexcept nogil:
    # Dual coordinate descent from the initial values in s. Adds the number of children that did not
    # reach the tolerance to n_unsolved. Returns the number of sweeps.
    cdef uint32_t all_lanes = (<uint32_t>1 << group_size) - 1
    cdef uint32_t running = all_lanes       # lanes that have not stopped
    cdef uint32_t unshrunk = all_lanes      # lanes in which all rows are active
    cdef uint32_t visited, remaining, bit, reactivated
    cdef index_t i, at, n, next_row
    cdef offset_t e
    cdef int lane, sweep = 0
    cdef float spread
    for i in range(c.n_rows):
        s.active[i] = <uint16_t>all_lanes
    for lane in range(LANES):
        s.bounds.shrink_above[lane] = INFINITY
        s.bounds.shrink_below[lane] = -INFINITY
    while running and sweep < max_iter:
        for lane in range(s.n_lanes):
            # Start from 0 instead of infinity. Otherwise training would stop if all gradients are
            # equal, for example -1 in the first sweep.
            s.bounds.max_gradient[lane] = 0.0
            s.bounds.min_gradient[lane] = 0.0
        n = shuffle_active_rows(c, s, running, rng)
        for at in range(n):
            i = s.order[at]
            if at + 2 < n:
                # Rows are read in random order. Without prefetching, training the root on 100,000
                # rows took twice as long.
                next_row = s.order[at + 2]
                e = c.indptr[next_row]
                prefetch_array(&c.indices[e], c.indptr[next_row + 1] - e)
                prefetch_array(&c.data[e], c.indptr[next_row + 1] - e)
                PREFETCH(&s.duals[<offset_t>next_row * s.n_lanes])
                if at + 8 < n:
                    PREFETCH(&c.indptr[s.order[at + 8]])
            visited = s.active[i] & running
            e = c.indptr[i]
            remaining = visit_row(s.weights, &s.duals[<offset_t>i * s.n_lanes], s.bounds,
                                  &c.indices[e], &c.data[e], c.indptr[i + 1] - e, s.positive[i],
                                  visited, &s.terms[i], get_lane_costs(s, i))
            s.active[i] &= ~(visited & ~remaining)
            unshrunk &= ~(visited & ~remaining)
        sweep += 1
        reactivated = 0
        for lane in range(group_size):
            bit = <uint32_t>1 << lane
            if not running & bit:
                continue
            spread = s.bounds.max_gradient[lane] - s.bounds.min_gradient[lane]
            if spread <= tol and unshrunk & bit:
                running &= ~bit
                continue
            if spread <= tol:
                # The active rows are solved: check the other rows before stopping.
                reactivated |= bit
            s.bounds.shrink_above[lane] = INFINITY
            s.bounds.shrink_below[lane] = -INFINITY
            if spread > tol and s.bounds.max_gradient[lane] > 0.0:
                s.bounds.shrink_above[lane] = s.bounds.max_gradient[lane]
            if spread > tol and s.bounds.min_gradient[lane] < 0.0:
                s.bounds.shrink_below[lane] = s.bounds.min_gradient[lane]
        if reactivated:
            unshrunk |= reactivated
            for i in range(c.n_rows):
                s.active[i] |= <uint16_t>reactivated
    for lane in range(group_size):
        n_unsolved[0] += running >> lane & 1
    return sweep


cdef bint collect_weights(const Cluster* c, const SolverState* s, const index_t* children,
                          int group_size, float threshold, const solver_kernels* kernels,
                          WeightList* weights) noexcept nogil:
    # Append the weights w with w != 0 and |w| >= threshold. Returns False if memory runs out.
    cdef index_t f, i
    cdef int lane
    cdef offset_t e
    cdef float value
    cdef uint32_t large
    cdef const float* w
    for f in range(c.n_shared):
        w = &s.weights[<offset_t>f * s.n_lanes]
        large = kernels.find_large_weights(w, threshold)
        if large == 0:
            continue
        if not reserve_weights(weights, LANES):
            return False
        for lane in range(group_size):
            if large >> lane & 1:
                append_weight(weights, f, <uint16_t>children[lane], w[lane])
    for i in range(c.n_rows):
        # The weight of a singleton feature is dual * y * value.
        w = &s.duals[<offset_t>i * s.n_lanes]
        for e in range(c.singleton_indptr[i], c.singleton_indptr[i + 1]):
            # Find candidates by their duals. The factor 0.9999 allows for the rounding of the
            # product, which decides below.
            large = kernels.find_large_weights(
                w, <float>0.9999 * threshold / fabs(c.singleton_data[e]))
            if large == 0:
                continue
            if not reserve_weights(weights, LANES):
                return False
            for lane in range(group_size):
                value = w[lane] * c.singleton_data[e]
                if large >> lane & 1 and fabs(value) >= threshold and value != 0.0:
                    if not s.positive[i] >> lane & 1:
                        value = -value
                    append_weight(weights, c.singleton_indices[e], <uint16_t>children[lane], value)
    return True


def solve_cluster(
    const offset_t[::1] indptr,        # IN (n_samples + 1) rows of X
    const index_t[::1] indices,        # IN
    const float[::1] data,             # IN
    const index_t[::1] rows,           # IN rows of the cluster, increasing
    const offset_t[::1] child_indptr,  # IN (n_children + 1) slices of child_rows
    const index_t[::1] child_rows,     # IN positive rows of each child, increasing; ignored if not
                                       #    in `rows`
    const float[::1] target_costs,     # IN cost multiplier of each of child_rows, or None
    const float[::1] row_costs,        # IN (n_samples) cost multiplier of each row, or None
    int loss,                          # number of the loss in lanes.h
    double C,
    double positive_weight,            # cost multiplier of all positive rows
    double tol,
    int max_iter,                      # maximum number of sweeps
    double threshold,                  # smaller weights are dropped, intercepts are kept
    uint64_t seed,
    index_t[::1] scratch,              # INOUT (n_features) 0 on entry and on return
):
    """Train the children of one cluster.

    A child without positive rows is not trained: it gets no weights and an intercept that ranks it
    last.

    Returns
    -------
    summary, words : ndarray of uint64
        Bitmap of the chunk's features; see feature_sets.py.
    counts : ndarray of shape (n_chunk_features,), int32
        Number of weights per feature.
    children : ndarray of shape (n_weights,), uint16
        Child of each weight.
    values : ndarray of shape (n_weights,), float32
        The weights.
    intercepts : ndarray of shape (n_children,), float32
        Intercept of each child.
    n_iter : int
        Largest number of sweeps.
    n_unsolved : int
        Number of children that did not reach the tolerance in `max_iter` sweeps.
    """
    cdef Cluster c
    cdef SolverState s
    cdef WeightList weights
    cdef Objective objective
    cdef index_t first, lane, n_children = <index_t>(child_indptr.shape[0] - 1)
    cdef int n_iter = 0, group_size, n_sweeps, n_refined
    cdef const lane_kernels* all_kernels = get_lane_kernels()
    cdef const solver_kernels* kernels
    cdef bint few
    cdef index_t n_trained = 0, n_unsolved = 0, n_unsolved_in_group
    cdef uint64_t rng
    cdef bint has_memory
    # Children of similar frequency share a group, because they need similar numbers of sweeps.
    # Those without positive rows are last.
    by_frequency = np.argsort(-np.diff(child_indptr), kind="stable").astype(np.int32)
    intercepts = np.full(n_children, UNTRAINED_INTERCEPT, dtype=np.float32)
    cdef const index_t[::1] children = by_frequency
    cdef float[::1] intercept = intercepts
    memset(&c, 0, sizeof(Cluster))
    memset(&s, 0, sizeof(SolverState))
    memset(&weights, 0, sizeof(WeightList))
    objective.loss = loss
    objective.C = C
    objective.positive_weight = positive_weight
    # An empty array has no first element to point to.
    objective.target_costs = (
        &target_costs[0] if target_costs is not None and target_costs.shape[0] else NULL)
    objective.row_costs = &row_costs[0] if row_costs is not None and row_costs.shape[0] else NULL
    try:
        with nogil:
            has_memory = (compact_rows(&c, indptr, indices, data, rows, scratch)
                          and allocate_state(&c, &s, &objective, rows))
            while n_trained < n_children and (child_indptr[children[n_trained] + 1]
                                              > child_indptr[children[n_trained]]):
                n_trained += 1
            first = 0
            while has_memory and first < n_trained:
                group_size = min(LANES, n_trained - first)
                few = group_size <= FEW_LANES
                s.n_lanes = FEW_LANES if few else LANES
                kernels = &all_kernels.solve_few if few else &all_kernels.solve
                s.weights = s.intercepts + s.n_lanes
                # Each group has its own random numbers, so it can be solved alone with equal
                # results.
                rng = make_random_state(seed + <uint64_t>first)
                has_memory = initialize_group(&c, &s, &objective, rows, child_indptr, child_rows,
                                              &children[first], group_size)
                if not has_memory:
                    break
                n_unsolved_in_group = 0
                n_sweeps = solve_group(&c, &s, group_size, max(tol, MIN_FLOAT32_TOL), max_iter,
                                       kernels.visit_row[loss], &rng, &n_unsolved_in_group)
                convert_logits_to_duals(&c, &s, &objective)
                if tol < MIN_FLOAT32_TOL:
                    n_unsolved_in_group = 0
                    n_refined = refine_group(&c, &s, &objective, group_size, tol, max_iter, &rng,
                                             &n_unsolved_in_group)
                    has_memory = n_refined >= 0
                    n_sweeps = n_refined
                n_unsolved += n_unsolved_in_group
                n_iter = max(n_iter, n_sweeps)
                if not has_memory:
                    break
                for lane in range(group_size):
                    intercept[children[first + lane]] = s.intercepts[lane]
                has_memory = collect_weights(&c, &s, &children[first], group_size,
                                             <float>threshold, kernels, &weights)
                first += LANES
        if not has_memory:
            raise MemoryError()
        chunk = pack_chunk(&weights, c.columns, c.n_features, <index_t>scratch.shape[0])
        return (*chunk, intercepts, n_iter, n_unsolved)
    finally:
        release_cluster(&c)
        release_state(&s)
        release_weights(&weights)
