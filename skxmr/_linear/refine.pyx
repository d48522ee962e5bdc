"""Carry a solution of the lanes on in float64, for tolerances that float32 cannot reach.

The same coordinate descent as in `dual_solver`, one child at a time and without shrinking. It
starts from the duals that the lanes have found; weights follow from these anew.
"""

from libc.math cimport exp, log
from libc.stdlib cimport calloc, free, malloc

from skxmr._core.random cimport random_below
from skxmr._core.types cimport index_t, offset_t, uint64_t
from skxmr._linear.compact_rows cimport Cluster
from skxmr._linear.simd.lanes cimport HINGE, LOGISTIC_LOSS, SQUARED_HINGE
from skxmr._linear.solution cimport Costs, Solution, costs_of


cdef struct Problem:
    # One child in float64.
    double* weights            # (n_shared)
    double intercept
    double* duals              # (n_rows)
    index_t* order             # (n_rows)
    int lane


cdef inline double cost_of(const Solution* s, index_t i, int lane) noexcept nogil:
    cdef const float* costs = costs_of(s, i)
    return costs[lane] if costs else s.terms[i].cost


cdef double optimal_logistic(double a, double u, double norm, double cost) noexcept nogil:
    # The root in (0, cost) of u + norm (z - a) + log(z / (cost - z)), z = cost / (1 + exp(-t)), by
    # Newton's steps on t, or half of the root's bracket where they leave it.
    cdef double rest = norm * a - u, most = rest, least = rest - norm * cost
    cdef double t = log(a / (cost - a)), s, f, newton, last
    cdef int _round
    for _round in range(200):
        s = 1.0 / (1.0 + exp(-t))
        f = t + norm * cost * s - rest
        if f > 0.0:
            most = t
        if f < 0.0:
            least = t
        last = t
        newton = t - f / (1.0 + norm * cost * s * (1.0 - s))
        t = newton if least <= newton <= most else 0.5 * (least + most)
        if t == last:
            break
    # At its ends the logarithm would be infinite.
    return min(max(cost / (1.0 + exp(-t)), 1e-300), cost * (1.0 - 2e-16))


cdef void visit(const Cluster* c, const Solution* s, int loss, Problem* p, index_t i, double* top,
                double* bottom) noexcept nogil:
    # One step on one dual; the gradient it had widens [bottom, top].
    cdef double y = 1.0 if s.positive[i] >> p.lane & 1 else -1.0
    cdef double cost = cost_of(s, i, p.lane), a = p.duals[i], u = p.intercept, g, step, ridge = 0.0
    cdef double upper = cost
    cdef offset_t e
    for e in range(c.indptr[i], c.indptr[i + 1]):
        u += p.weights[c.indices[e]] * c.data[e]
    u = y * u + a * c.fold[i]
    if loss == LOGISTIC_LOSS:
        g = u + log(a / (cost - a))
        step = optimal_logistic(a, u, c.norm[i], cost) - a
    else:
        if loss == SQUARED_HINGE:
            ridge = 0.5 / cost
            upper = 1e300
        g = u - 1.0 + a * ridge
        step = min(max(a - g / (c.norm[i] + ridge), 0.0), upper) - a
        if (a == 0.0 and g > 0.0) or (a == upper and g < 0.0):
            g = 0.0
    top[0] = max(top[0], g)
    bottom[0] = min(bottom[0], g)
    if step == 0.0:
        return
    p.duals[i] = a + step
    step *= y
    p.intercept += step
    for e in range(c.indptr[i], c.indptr[i + 1]):
        p.weights[c.indices[e]] += step * c.data[e]


cdef int descend(const Cluster* c, Solution* s, int loss, Problem* p, double tol, int max_iter,
                 uint64_t* rng) noexcept nogil:
    # Returns the number of sweeps, one more than max_iter if they were not enough.
    cdef index_t i, at, n
    cdef offset_t e
    cdef int sweep
    cdef double a, top, bottom, cost
    p.intercept = 0.0
    for i in range(c.n_rows):
        a = s.duals[<offset_t>i * s.lanes + p.lane]
        cost = cost_of(s, i, p.lane)
        if loss == HINGE:
            a = min(a, cost)
        if loss == LOGISTIC_LOSS:
            a = min(max(a, 1e-12 * cost), (1.0 - 1e-12) * cost)
        p.duals[i] = a
        p.order[i] = i
        a = a if s.positive[i] >> p.lane & 1 else -a
        p.intercept += a
        for e in range(c.indptr[i], c.indptr[i + 1]):
            p.weights[c.indices[e]] += a * c.data[e]
    for sweep in range(max_iter):
        top = bottom = 0.0
        for n in range(c.n_rows - 1, 0, -1):
            at = random_below(rng, n + 1)
            i = p.order[at]
            p.order[at] = p.order[n]
            p.order[n] = i
        for at in range(c.n_rows):
            visit(c, s, loss, p, p.order[at], &top, &bottom)
        if top - bottom <= tol:
            return sweep + 1
    return max_iter + 1


cdef int refine_lanes(const Cluster* c, Solution* s, const Costs* costs, int n_lanes, double tol,
                      int max_iter, uint64_t* rng, index_t* n_unsolved) noexcept nogil:
    # Returns the number of sweeps, or -1 if memory ran out; duals and weights are set.
    cdef Problem p
    cdef index_t i, f
    cdef int most = 0, n_sweeps
    p.duals = <double*>malloc((c.n_rows + 1) * sizeof(double))
    p.order = <index_t*>malloc((c.n_rows + 1) * sizeof(index_t))
    for p.lane in range(n_lanes):
        p.weights = <double*>calloc(c.n_shared + 1, sizeof(double))
        if not p.weights or not p.duals or not p.order:
            free(p.weights)
            most = -1
            break
        n_sweeps = descend(c, s, costs.loss, &p, tol, max_iter, rng)
        if n_sweeps > max_iter:
            n_unsolved[0] += 1
            n_sweeps = max_iter
        most = max(most, n_sweeps)
        s.intercepts[p.lane] = <float>p.intercept
        for f in range(c.n_shared):
            s.weights[<offset_t>f * s.lanes + p.lane] = <float>p.weights[f]
        for i in range(c.n_rows):
            s.duals[<offset_t>i * s.lanes + p.lane] = <float>p.duals[i]
        free(p.weights)
    free(p.duals)
    free(p.order)
    return most
