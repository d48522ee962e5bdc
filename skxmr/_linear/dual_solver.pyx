"""Train the children of one cluster: one-vs-all linear models by dual coordinate descent.

Objective, for each child:

    min_w  1/2 |w|^2 + sum_i c_i loss(y_i w.x_i),

with y_i = +1 for the positive rows of the child and -1 for the other rows of the cluster. A
constant feature 1 is appended to each row; its weight is the intercept. The loss of a margin m is
the squared hinge max(0, 1 - m)^2, the hinge max(0, 1 - m) or the logistic loss log(1 + exp(-m)), as
in LIBLINEAR's solvers 1, 3 and 7. The cost c_i is C times the weight of the row. For positive rows
it is also multiplied by `positive_weight` and by the relevance of the child for the row
(`target_costs`).

Algorithm: the dual problem has one variable a_i >= 0 per row, with w = sum_i a_i y_i x_i, and
a_i <= c_i for the hinge and the logistic loss. A visit of a row minimizes the dual objective over
its a_i only. A full sweep visits all rows in random order. Partial sweeps follow, which visit only
the rows that the previous visit left unsettled: the projected gradient was not small, and a_i did
not move to a bound. When the projected gradients of a partial sweep have a range of at most `tol`,
there is another full sweep.

Stopping rule: let g+ be the largest projected gradient of a full sweep, or 0 if all are negative,
and g- the smallest, or 0 if all are positive. Stop if g+ - g- <= `tol`, or after `max_iter`
times as many visits as there are rows.

Sources: Hsieh, Chang, Lin, Keerthi, Sundararajan (2008), "A dual coordinate descent method for
large-scale linear SVM", ICML, for the hinges. Yu, Huang, Lin (2011), "Dual coordinate descent
methods for logistic regression and maximum entropy models", Machine Learning 85, section 3, for the
logistic loss. Partial sweeps replace their shrinking: they also skip rows that are nearly solved.

Changes that make it fast:

* Children are trained in groups of 16, one per SIMD lane. If at most 4 children are left, the last
  group has 4 lanes. Weights are stored as [feature][lane], so one pass over the entries of a row
  updates all lanes; see lane_visit.h. A visit includes all lanes that have not stopped, and a sweep
  the rows that are unsettled in any lane. Children of similar frequency stop after a similar number
  of sweeps, so they share a group.
* If all shared features are dense, as for embeddings, four rows are visited together; see
  lane_visit.h.
* Duals start from better values than 0; see solver_state.pyx.
* Rows contain only the features that several rows of the cluster share; see compact_rows.pyx.
"""

import numpy as np

from libc.math cimport fabsf as fabs
from libc.string cimport memset

from skxmr._core.interrupts cimport ROWS_PER_CHECK, check_interrupt, count_rows
from skxmr._core.random cimport draw_below, make_random_state
from skxmr._core.training_rows cimport TrainingRows, view_rows
from skxmr._core.types cimport index_t, offset_t, uint16_t, uint32_t, uint64_t
from skxmr._linear.chunk cimport (
    WeightList, append_weight, pack_chunk, release_weights, reserve_weights
)
from skxmr._linear.compact_rows cimport Cluster, compact_rows, get_row, release_cluster
from skxmr._linear.refine cimport refine_group
from skxmr._linear.simd.lanes cimport (
    FEW_LANES, LANES, PREFETCH, ROWS_TOGETHER, cluster_row, full_row, get_lane_kernels,
    gradient_bounds, lane_kernels, prefetch_array, solver_kernels, visit_full_rows_function,
    visit_row_function
)
from skxmr._linear.solver_state cimport (
    Objective, SolverState, allocate_state, convert_logits_to_duals, get_lane_costs,
    initialize_group, release_state
)


# Intercept of an untrained child. It ranks the child last: as a margin, its score by the default
# transform "l3-hinge" is exp(-1e9) = 0.
cdef float UNTRAINED_INTERCEPT = -1000.0
# Smallest tolerance that float32 arithmetic reaches; `refine_group` reaches smaller ones.
cdef double MIN_FLOAT32_TOL = 1e-5
# A projected gradient is small if it is at most this multiple of `tol`, or of the range of the
# projected gradients in the previous sweep. Fits took the same time, within 5 %, for multiples of
# 0.2 to 0.5 and of 0 to 0.3 (WordNet, Debian and YSO titles, November 2026).
cdef float SMALL_PER_TOL = 0.3
cdef float SMALL_PER_RANGE = 0.1


cdef void shuffle_all_rows(SolverState* state, index_t n_rows, uint64_t* rng) noexcept nogil:
    # Write all rows to state.order in random order: inside-out shuffle of Fisher and Yates.
    cdef index_t i, at
    for i in range(n_rows):
        at = draw_below(rng, i + 1)
        state.order[i] = state.order[at]
        state.order[at] = i


cdef index_t shuffle_unsettled_rows(SolverState* state, index_t n, uint32_t lanes,
                                    uint64_t* rng) noexcept nogil:
    # Keep the rows of state.order[:n] that are unsettled in some of the lanes, a bit mask, in a new
    # random order. Returns their number.
    cdef index_t i, at, n_kept = 0, to
    for at in range(n):
        i = state.order[at]
        if state.unsettled[i] & lanes:
            to = draw_below(rng, n_kept + 1)
            state.order[n_kept] = state.order[to]
            state.order[to] = i
            n_kept += 1
    return n_kept


cdef void visit_together(const Cluster* cluster, SolverState* state, index_t start,
                         uint32_t running,
                         visit_full_rows_function visit_full_rows) noexcept nogil:
    # Visit the rows state.order[start:start + ROWS_TOGETHER] of a cluster without other shared
    # features than dense ones.
    cdef full_row[4] rows          # [ROWS_TOGETHER]
    cdef index_t i
    cdef int at
    for at in range(ROWS_TOGETHER):
        i = state.order[start + at]
        rows[at].data = cluster.dense_rows[i]
        rows[at].duals = &state.duals[<offset_t>i * state.n_lanes]
        rows[at].positive = state.positive[i]
        rows[at].terms = &state.terms[i]
        rows[at].costs = get_lane_costs(state, i)
    visit_full_rows(state.weights, state.bounds, cluster.n_shared, running, rows)
    for at in range(ROWS_TOGETHER):
        state.unsettled[state.order[start + at]] = <uint16_t>rows[at].unsettled


cdef inline void prefetch_row(const Cluster* cluster, index_t i) noexcept nogil:
    cdef offset_t start = cluster.indptr[i], size = cluster.indptr[i + 1] - start
    prefetch_array(&cluster.indices[start], size)
    prefetch_array(&cluster.data[start], size)
    if cluster.n_dense:
        prefetch_array(cluster.dense_rows[i], cluster.n_dense)


cdef int visit_rows(const Cluster* cluster, SolverState* state, index_t n, uint32_t running,
                    visit_row_function visit_row, visit_full_rows_function visit_full_rows,
                    index_t* n_unchecked_rows) except -1 nogil:
    # Visit state.order[:n] in the lanes `running`. Returns 0.
    cdef index_t i, at, next_row, start, stop = 0
    cdef cluster_row row
    while stop < n:
        start, stop = stop, min(n, stop + ROWS_PER_CHECK)
        count_rows(n_unchecked_rows, stop - start)
        if cluster.n_dense == cluster.n_shared:
            while start + ROWS_TOGETHER <= stop:
                visit_together(cluster, state, start, running, visit_full_rows)
                start += ROWS_TOGETHER
        for at in range(start, stop):
            i = state.order[at]
            if at + 2 < n:
                # Rows are read in random order. Without prefetching, training the root on 100,000
                # rows took twice as long.
                next_row = state.order[at + 2]
                prefetch_row(cluster, next_row)
                PREFETCH(&state.duals[<offset_t>next_row * state.n_lanes])
                if at + 8 < n:
                    PREFETCH(&cluster.indptr[state.order[at + 8]])
            get_row(cluster, i, &row)
            state.unsettled[i] = <uint16_t>visit_row(
                state.weights, &state.duals[<offset_t>i * state.n_lanes], state.bounds, &row,
                state.positive[i], running, &state.terms[i], get_lane_costs(state, i))
    return 0


cdef uint32_t find_solved_lanes(SolverState* state, double tol) noexcept nogil:
    # Return the lanes whose projected gradients in this sweep have a range of at most `tol`, as a
    # bit mask. Also sets the small gradients and the initial ranges of the next sweep.
    cdef gradient_bounds* bounds = state.bounds
    cdef uint32_t solved = 0
    cdef float spread
    cdef int lane
    for lane in range(state.n_lanes):
        spread = bounds.max_gradient[lane] - bounds.min_gradient[lane]
        if spread <= tol:
            solved |= <uint32_t>1 << lane
        bounds.small_gradient[lane] = max(SMALL_PER_TOL * <float>tol, SMALL_PER_RANGE * spread)
        # Start from 0 instead of infinity. Otherwise training would stop if all gradients are
        # equal, for example -1 in the first sweep.
        bounds.max_gradient[lane] = bounds.min_gradient[lane] = 0.0
    return solved


cdef int solve_group(const Cluster* cluster, SolverState* state, int group_size, double tol,
                     int max_iter, visit_row_function visit_row,
                     visit_full_rows_function visit_full_rows, uint64_t* rng,
                     index_t* n_unsolved) except -1 nogil:
    # Dual coordinate descent from the initial values in `state`. Adds the number of children that
    # did not reach the tolerance to n_unsolved. Returns the number of visits per row, rounded up.
    #
    # The uint32_t variables are masks with one bit per lane.
    cdef uint32_t running = (<uint32_t>1 << group_size) - 1  # lanes that have not stopped
    cdef uint32_t pending = running       # running lanes whose unsettled rows are not solved yet
    cdef uint32_t solved
    cdef index_t n = 0, n_unchecked_rows = 0
    cdef offset_t n_visits = 0, n_rows = max(cluster.n_rows, 1)
    cdef int lane
    cdef bint is_full = True
    memset(state.bounds, 0, sizeof(gradient_bounds))
    while running and n_visits < max_iter * n_rows:
        if is_full:
            n = cluster.n_rows
            shuffle_all_rows(state, n, rng)
        else:
            n = shuffle_unsettled_rows(state, n, pending, rng)
        visit_rows(cluster, state, n, running, visit_row, visit_full_rows, &n_unchecked_rows)
        n_visits += max(n, 1)  # a sweep without rows counts, too
        solved = find_solved_lanes(state, tol)
        if is_full:
            running &= ~solved
            pending = running
            is_full = False
        else:
            pending &= ~solved
            if not pending:
                pending = running
                is_full = True
    for lane in range(group_size):
        n_unsolved[0] += running >> lane & 1
    return <int>min((n_visits + n_rows - 1) // n_rows, max_iter)


cdef bint collect_weights(const Cluster* cluster, const SolverState* state, const index_t* children,
                          int group_size, float threshold, const solver_kernels* kernels,
                          WeightList* weights) noexcept nogil:
    # Append the weights w with w != 0 and |w| >= threshold. Returns False if memory runs out.
    cdef index_t f, i
    cdef int lane
    cdef offset_t e
    cdef float value
    cdef uint32_t large
    cdef const float* w
    for f in range(cluster.n_shared):
        w = &state.weights[<offset_t>f * state.n_lanes]
        large = kernels.find_large_weights(w, threshold)
        if large == 0:
            continue
        if not reserve_weights(weights, LANES):
            return False
        for lane in range(group_size):
            if large >> lane & 1:
                append_weight(weights, f, <uint16_t>children[lane], w[lane])
    for i in range(cluster.n_rows):
        # The weight of a singleton feature is dual * y * value.
        w = &state.duals[<offset_t>i * state.n_lanes]
        for e in range(cluster.singleton_indptr[i], cluster.singleton_indptr[i + 1]):
            # Find candidates by their duals. The factor 0.9999 allows for the rounding of the
            # product, which decides below.
            large = kernels.find_large_weights(
                w, <float>0.9999 * threshold / fabs(cluster.singleton_data[e]))
            if large == 0:
                continue
            if not reserve_weights(weights, LANES):
                return False
            for lane in range(group_size):
                value = w[lane] * cluster.singleton_data[e]
                if large >> lane & 1 and fabs(value) >= threshold and value != 0.0:
                    if not state.positive[i] >> lane & 1:
                        value = -value
                    append_weight(weights, cluster.singleton_indices[e],
                                  <uint16_t>children[lane], value)
    return True


def solve_cluster(
    const offset_t[::1] indptr,        # IN (n_samples + 1) sparse part of X; see rows.py
    const index_t[::1] indices,        # IN
    const float[::1] data,             # IN
    const float[:, ::1] dense,         # IN (n_samples, n_dense) dense part of X
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

    A child without entries in `child_rows` is not trained: it gets no weights and an intercept that
    ranks it last. A child whose `child_rows` are all outside `rows` is trained on negatives only.

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
        Largest number of visits per row, rounded up. If `tol` is less than 1e-5, only the sweeps of
        the refinement in float64 are counted; see refine.pyx.
    n_unsolved : int
        Number of children that did not reach the tolerance in `max_iter` sweeps.
    """
    cdef TrainingRows X = view_rows(indptr, indices, data, dense, <index_t>scratch.shape[0])
    cdef Cluster cluster
    cdef SolverState state
    cdef WeightList weights
    cdef Objective objective
    cdef index_t first, lane, n_children = <index_t>(child_indptr.shape[0] - 1)
    cdef int n_iter = 0, group_size, n_sweeps
    cdef const lane_kernels* all_kernels = get_lane_kernels()
    cdef const solver_kernels* kernels
    cdef bint few
    cdef index_t n_trained = 0, n_unsolved = 0, n_unsolved_in_group
    cdef uint64_t rng
    cdef bint has_memory
    # Children of similar frequency share a group, because they need similar numbers of sweeps.
    # Untrained children are last.
    by_frequency = np.argsort(-np.diff(child_indptr), kind="stable").astype(np.int32)
    intercepts = np.full(n_children, UNTRAINED_INTERCEPT, dtype=np.float32)
    cdef const index_t[::1] children = by_frequency
    cdef float[::1] intercept = intercepts
    memset(&cluster, 0, sizeof(Cluster))
    memset(&state, 0, sizeof(SolverState))
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
            check_interrupt()
            has_memory = (compact_rows(&cluster, &X, rows, scratch)
                          and allocate_state(&cluster, &state, &objective, rows))
            while n_trained < n_children and (child_indptr[children[n_trained] + 1]
                                              > child_indptr[children[n_trained]]):
                n_trained += 1
            first = 0
            while has_memory and first < n_trained:
                check_interrupt()
                group_size = min(LANES, n_trained - first)
                few = group_size <= FEW_LANES
                state.n_lanes = FEW_LANES if few else LANES
                kernels = &all_kernels.solve_few if few else &all_kernels.solve
                state.weights = state.intercepts + state.n_lanes
                # Each group has its own random numbers, so it can be solved alone with equal
                # results.
                rng = make_random_state(seed + <uint64_t>first)
                has_memory = initialize_group(&cluster, &state, &objective, rows, child_indptr,
                                              child_rows, &children[first], group_size)
                if not has_memory:
                    break
                n_unsolved_in_group = 0
                n_sweeps = solve_group(&cluster, &state, group_size, max(tol, MIN_FLOAT32_TOL),
                                       max_iter, kernels.visit_row[loss],
                                       kernels.visit_full_rows[loss], &rng,
                                       &n_unsolved_in_group)
                convert_logits_to_duals(&cluster, &state, &objective)
                if tol < MIN_FLOAT32_TOL:
                    n_unsolved_in_group = 0
                    n_sweeps = refine_group(&cluster, &state, &objective, group_size, tol,
                                            max_iter, &rng, &n_unsolved_in_group)
                n_unsolved += n_unsolved_in_group
                n_iter = max(n_iter, n_sweeps)
                for lane in range(group_size):
                    intercept[children[first + lane]] = state.intercepts[lane]
                has_memory = collect_weights(&cluster, &state, &children[first], group_size,
                                             <float>threshold, kernels, &weights)
                first += LANES
        if not has_memory:
            raise MemoryError()
        chunk = pack_chunk(&weights, cluster.columns, cluster.n_features, <index_t>scratch.shape[0])
        return (*chunk, intercepts, n_iter, n_unsolved)
    finally:
        release_cluster(&cluster)
        release_state(&state)
        release_weights(&weights)
