"""Continue training in float64, for tolerances that float32 cannot reach.

Objective, algorithm and stopping rule are those of `dual_solver`, but children are trained one at a
time, in float64 and without shrinking. Training starts from the duals that the float32 kernels
found; the weights are computed from these duals again.
"""

from libc.math cimport exp, log
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from skxmr._core.interrupts cimport count_rows
from skxmr._core.random cimport draw_below
from skxmr._core.types cimport index_t, offset_t, uint64_t
from skxmr._linear.compact_rows cimport Cluster, get_row
from skxmr._linear.simd.lanes cimport HINGE, LOGISTIC_LOSS, SQUARED_HINGE, cluster_row
from skxmr._linear.solver_state cimport Objective, SolverState, get_lane_costs

# Maximum number of Newton steps per visit; a few are usually enough.
cdef enum:
    MAX_NEWTON_STEPS = 200


cdef struct ChildState:
    # Variables of one child in float64.
    double* weights            # (n_shared)
    double intercept
    double* duals              # (n_rows)
    index_t* order             # (n_rows) rows, shuffled before each sweep
    int lane                   # lane of the child in SolverState


cdef inline double get_cost(const SolverState* s, index_t i, int lane) noexcept nogil:
    cdef const float* lane_costs = get_lane_costs(s, i)
    return lane_costs[lane] if lane_costs else s.terms[i].cost


cdef double optimize_logistic_dual(double a, double u, double squared_norm,
                                   double cost) noexcept nogil:
    # Return the optimal dual in (0, cost): the root z of
    #
    #     u + squared_norm (z - a) + log(z / (cost - z)),
    #
    # where a is the current dual and u = y (w.x + b), the margin times y = +1 or -1.
    #
    # With z = cost / (1 + exp(-t)), this is the root of the increasing function
    # f(t) = t + squared_norm cost / (1 + exp(-t)) - target, with target = squared_norm a - u.
    # Newton's method finds it; the bracket [lower, upper] is bisected if a Newton step leaves it.
    cdef double target = squared_norm * a - u
    cdef double upper = target, lower = target - squared_norm * cost
    cdef double t = log(a / (cost - a)), sigmoid, f, newton, last
    cdef int _step
    for _step in range(MAX_NEWTON_STEPS):
        sigmoid = 1.0 / (1.0 + exp(-t))
        f = t + squared_norm * cost * sigmoid - target
        if f > 0.0:
            upper = t
        if f < 0.0:
            lower = t
        last = t
        newton = t - f / (1.0 + squared_norm * cost * sigmoid * (1.0 - sigmoid))
        t = newton if lower <= newton <= upper else 0.5 * (lower + upper)
        if t == last:
            break
    # Stay away from 0 and cost, where log(z / (cost - z)) is infinite.
    return min(max(cost / (1.0 + exp(-t)), 1e-300), cost * (1.0 - 2e-16))


cdef inline void add_row(double* total, const cluster_row* row, double factor) noexcept nogil:
    cdef offset_t e
    for e in range(row.n_dense):
        total[e] += factor * row.dense[e]
    for e in range(row.size):
        total[row.indices[e]] += factor * row.data[e]


cdef void visit_row(const Cluster* c, const SolverState* s, int loss, ChildState* child, index_t i,
                    double* max_gradient, double* min_gradient) noexcept nogil:
    # Move the dual of one row to its optimum, and extend the range of projected gradients.
    # lane_visit.h has these formulas in float32.
    cdef double y = 1.0 if s.positive[i] >> child.lane & 1 else -1.0
    cdef double cost = get_cost(s, i, child.lane), a = child.duals[i], u = child.intercept
    cdef double g, step, ridge = 0.0, upper_bound = cost
    cdef cluster_row row
    get_row(c, i, &row)
    cdef offset_t e
    for e in range(row.n_dense):
        u += child.weights[e] * row.dense[e]
    for e in range(row.size):
        u += child.weights[row.indices[e]] * row.data[e]
    u = y * u + a * c.singleton_squared_norms[i]
    if loss == LOGISTIC_LOSS:
        g = u + log(a / (cost - a))
        step = optimize_logistic_dual(a, u, c.squared_norms[i], cost) - a
    else:
        if loss == SQUARED_HINGE:
            ridge = 0.5 / cost
            upper_bound = 1e300  # no bound
        g = u - 1.0 + a * ridge
        step = min(max(a - g / (c.squared_norms[i] + ridge), 0.0), upper_bound) - a
        if (a == 0.0 and g > 0.0) or (a == upper_bound and g < 0.0):
            g = 0.0
    max_gradient[0] = max(max_gradient[0], g)
    min_gradient[0] = min(min_gradient[0], g)
    if step == 0.0:
        return
    child.duals[i] = a + step
    step *= y
    child.intercept += step
    add_row(child.weights, &row, step)


cdef int solve_child(const Cluster* c, SolverState* s, int loss, ChildState* child, double tol,
                     int max_iter, uint64_t* rng) except -1 nogil:
    # Compute intercept and weights from the duals in `s`, then sweep over the rows until the
    # tolerance is reached. child.weights must be zero-initialized.
    # Returns the number of sweeps, or max_iter + 1 if the tolerance was not reached.
    cdef index_t i, at, n, n_unchecked_rows = 0
    cdef cluster_row row
    cdef int sweep
    cdef double a, max_gradient, min_gradient, cost
    child.intercept = 0.0
    for i in range(c.n_rows):
        a = s.duals[<offset_t>i * s.n_lanes + child.lane]
        cost = get_cost(s, i, child.lane)
        if loss == HINGE:
            a = min(a, cost)
        if loss == LOGISTIC_LOSS:
            # Start strictly inside (0, cost); in float32, a may have been rounded to a bound.
            a = min(max(a, 1e-12 * cost), (1.0 - 1e-12) * cost)
        child.duals[i] = a
        child.order[i] = i
        a = a if s.positive[i] >> child.lane & 1 else -a
        child.intercept += a
        get_row(c, i, &row)
        add_row(child.weights, &row, a)
    for sweep in range(max_iter):
        max_gradient = min_gradient = 0.0
        # Shuffle the rows (Fisher and Yates).
        for n in range(c.n_rows - 1, 0, -1):
            at = draw_below(rng, n + 1)
            i = child.order[at]
            child.order[at] = child.order[n]
            child.order[n] = i
        for at in range(c.n_rows):
            visit_row(c, s, loss, child, child.order[at], &max_gradient, &min_gradient)
            count_rows(&n_unchecked_rows, 1)
        if max_gradient - min_gradient <= tol:
            return sweep + 1
    return max_iter + 1


cdef int refine_group(const Cluster* c, SolverState* s, const Objective* objective, int group_size,
                      double tol, int max_iter, uint64_t* rng, index_t* n_unsolved) except -1 nogil:
    # Replace the weights, intercepts and duals in `s`. Adds the number of children that did not
    # reach the tolerance to n_unsolved. Returns the largest number of sweeps.
    cdef ChildState child
    cdef index_t i, f
    cdef int max_sweeps = 0, n_sweeps
    child.duals = <double*>malloc((c.n_rows + 1) * sizeof(double))
    child.order = <index_t*>malloc((c.n_rows + 1) * sizeof(index_t))
    child.weights = <double*>malloc((c.n_shared + 1) * sizeof(double))
    try:
        if not child.weights or not child.duals or not child.order:
            with gil:
                raise MemoryError
        for child.lane in range(group_size):
            memset(child.weights, 0, (c.n_shared + 1) * sizeof(double))
            n_sweeps = solve_child(c, s, objective.loss, &child, tol, max_iter, rng)
            if n_sweeps > max_iter:
                n_unsolved[0] += 1
                n_sweeps = max_iter
            max_sweeps = max(max_sweeps, n_sweeps)
            s.intercepts[child.lane] = <float>child.intercept
            for f in range(c.n_shared):
                s.weights[<offset_t>f * s.n_lanes + child.lane] = <float>child.weights[f]
            for i in range(c.n_rows):
                s.duals[<offset_t>i * s.n_lanes + child.lane] = <float>child.duals[i]
    finally:
        free(child.weights)
        free(child.duals)
        free(child.order)
    return max_sweeps
