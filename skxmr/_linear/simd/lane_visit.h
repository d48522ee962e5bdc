/* visit_row: one dual update of one row, for all lanes. This is the inner loop of dual coordinate
 * descent: Hsieh et al. (2008), algorithm 3, and for the logistic loss Yu, Huang, Lin (2011),
 * section 3; see dual_solver.pyx for the objective and the references. lane_solve.h includes this
 * file twice per loss: FEATURE(e) is the feature of entry e, which is indices[e], or e if the rows of
 * the cluster have all features.
 *
 * Per lane, with the dual a >= 0 of the row, its cost c (`row->cost`, or `costs[lane]` if the lanes
 * have different costs), its target y = +1 or -1, and its margin u = y (w.x) + a s, where s is the
 * squared norm of its singleton features, the gradient g of the dual objective is
 *
 *   squared hinge  g = u - 1 + a / 2c, 0 <= a;
 *   hinge          g = u - 1, 0 <= a <= c;
 *   logistic       g = u + t, where a = c / (1 + exp(-t)). `duals` contains t instead of a, because
 *                  a would lose its digits near 0 and c.
 *
 * Steps:
 *   1. Compute w.x.
 *   2. In the lanes `running`, record the projected gradient (0 if a is at a bound and g points
 *      outside), and move a to its optimum with all other duals fixed.
 *   3. Update w by the changes of a.
 *
 * `positive` and `running` have one bit per lane. `weights` is [feature][lane]; the intercepts are
 * stored before feature 0. Returns the lanes in which the row is unsettled: its projected gradient
 * was larger than `small_gradient`, and its new dual is not at a bound. A dual that has just moved to
 * a bound usually stays there.
 */
KERNEL_TARGET static uint32_t VISIT_ROW(float *weights, float *duals, gradient_bounds *bounds,
                                        const int32_t *indices, const float *data, int64_t size,
                                        uint32_t positive, uint32_t running, const row_terms *row,
                                        const float *costs) {
    FLOAT_VECTOR sums[UNROLL][N_VECTORS], step[N_VECTORS];
    uint32_t any_moved = 0, unsettled = 0;
    (void)indices; /* not used by FEATURE(e) if the rows have all features */
    int64_t e = 0;
    int v, i;
    /* Step 1. Several sums hide the latency of an addition. */
    for (v = 0; v < N_VECTORS; v++) {
        sums[0][v] = LOAD(weights - N_LANES, v);
        for (i = 1; i < UNROLL; i++) sums[i][v] = BROADCAST(0.0f);
    }
    for (; e + UNROLL <= size; e += UNROLL)
        for (i = 0; i < UNROLL; i++)
            for (v = 0; v < N_VECTORS; v++)
                sums[i][v] += LOAD(weights + (int64_t)N_LANES * FEATURE(e + i), v) * data[e + i];
    for (; e < size; e++)
        for (v = 0; v < N_VECTORS; v++)
            sums[0][v] += LOAD(weights + (int64_t)N_LANES * FEATURE(e), v) * data[e];

    for (v = 0; v < N_VECTORS; v++) {
        for (i = 1; i < UNROLL; i++) sums[0][v] += sums[i][v];
        const INT_VECTOR is_running = MASK_FROM_BITS(running >> v * WIDTH);
        const FLOAT_VECTOR y =
            SELECT(MASK_FROM_BITS(positive >> v * WIDTH), BROADCAST(1.0f), BROADCAST(-1.0f));
        const FLOAT_VECTOR a = LOAD(duals, v); /* t for the logistic loss */
#if LOSS == SQUARED_HINGE
        FLOAT_VECTOR singleton_diagonal, inverse_diagonal;
        if (costs) {
            const FLOAT_VECTOR ridge = 0.5f / LOAD(costs, v);
            singleton_diagonal = row->singleton_squared_norm + ridge;
            inverse_diagonal = 1.0f / (row->squared_norm + ridge);
        } else {
            const float ridge = 0.5f / row->cost;
            singleton_diagonal = BROADCAST(row->singleton_squared_norm + ridge);
            inverse_diagonal = BROADCAST(1.0f / (row->squared_norm + ridge));
        }
        const FLOAT_VECTOR g = y * sums[0][v] + (a * singleton_diagonal - 1.0f);
        const INT_VECTOR at_zero = a == BROADCAST(0.0f);
        const FLOAT_VECTOR projected = SELECT(at_zero & (g > BROADCAST(0.0f)), BROADCAST(0.0f), g);
#elif LOSS == HINGE
        FLOAT_VECTOR cost = BROADCAST(row->cost);
        if (costs) cost = LOAD(costs, v);
        const FLOAT_VECTOR inverse_diagonal = BROADCAST(1.0f / row->squared_norm);
        const FLOAT_VECTOR g = y * sums[0][v] + (a * row->singleton_squared_norm - 1.0f);
        const INT_VECTOR at_zero = a == BROADCAST(0.0f), at_cost = a == cost;
        const INT_VECTOR is_bound =
            (at_zero & (g > BROADCAST(0.0f))) | (at_cost & (g < BROADCAST(0.0f)));
        const FLOAT_VECTOR projected = SELECT(is_bound, BROADCAST(0.0f), g);
#else
        FLOAT_VECTOR cost = BROADCAST(row->cost);
        if (costs) cost = LOAD(costs, v);
        const FLOAT_VECTOR old_dual = cost * SIGMOID(a);
        const FLOAT_VECTOR u = y * sums[0][v] + old_dual * row->singleton_squared_norm;
        const FLOAT_VECTOR g = u + a, projected = g;
#endif
        /* Step 2. */
        const FLOAT_VECTOR high = SELECT(is_running, projected, BROADCAST(-INFINITY));
        const FLOAT_VECTOR low = SELECT(is_running, projected, BROADCAST(INFINITY));
        const FLOAT_VECTOR max_gradient = LOAD(bounds->max_gradient, v);
        const FLOAT_VECTOR min_gradient = LOAD(bounds->min_gradient, v);
        STORE(bounds->max_gradient, v, SELECT(high > max_gradient, high, max_gradient));
        STORE(bounds->min_gradient, v, SELECT(low < min_gradient, low, min_gradient));

        const FLOAT_VECTOR magnitude = SELECT(projected < BROADCAST(0.0f), -projected, projected);
        INT_VECTOR is_unsettled = is_running & (magnitude > LOAD(bounds->small_gradient, v));
        /* A gradient below 1e-6 is a rounding error; steps would only add up errors in w. */
        const INT_VECTOR moves = is_running & (magnitude > BROADCAST(1e-6f));
#if LOSS == LOGISTIC_LOSS
        /* Find the root of the increasing function f(t) = t + k / (1 + exp(-t)) - target by
         * Newton's method; bisect the bracket [lower, upper] if a Newton step leaves it. Three or
         * four rounds are enough unless k is large. */
        const FLOAT_VECTOR k = row->squared_norm * cost, target = row->squared_norm * old_dual - u;
        FLOAT_VECTOR upper = target, lower = target - k, t = a;
        int round;
        for (round = 0; round < 50; round++) {
            const FLOAT_VECTOR sigmoid = SIGMOID(t), f = t + k * sigmoid - target;
            const FLOAT_VECTOR newton = t - f / (1.0f + k * sigmoid * (1.0f - sigmoid)), last = t;
            upper = SELECT(f > BROADCAST(0.0f), t, upper);
            lower = SELECT(f < BROADCAST(0.0f), t, lower);
            t = SELECT((newton < lower) | (newton > upper), 0.5f * (lower + upper), newton);
            if (!MASK_TO_BITS(moves & ((t - last) * (t - last) > BROADCAST(1e-12f)))) break;
        }
        t = SELECT(moves, t, a);
        STORE(duals, v, t);
        step[v] = SELECT(moves, cost * SIGMOID(t) - old_dual, BROADCAST(0.0f)) * y;
#else
        FLOAT_VECTOR new_dual = a - g * inverse_diagonal;
        is_unsettled &= new_dual > BROADCAST(0.0f);
        new_dual = SELECT(new_dual > BROADCAST(0.0f), new_dual, BROADCAST(0.0f));
#if LOSS == HINGE
        is_unsettled &= new_dual < cost;
        new_dual = SELECT(new_dual < cost, new_dual, cost);
#endif
        new_dual = SELECT(moves, new_dual, a);
        STORE(duals, v, new_dual);
        step[v] = (new_dual - a) * y;
#endif
        /* Only whether any lane moved. */
        any_moved |= MASK_TO_BITS(step[v] != BROADCAST(0.0f));
        unsettled |= MASK_TO_BITS(is_unsettled) << v * WIDTH;
    }
    /* Step 3. */
    if (any_moved) {
        for (v = 0; v < N_VECTORS; v++)
            STORE(weights - N_LANES, v, LOAD(weights - N_LANES, v) + step[v]);
        for (e = 0; e < size; e++) {
            float *w = weights + (int64_t)N_LANES * FEATURE(e);
            for (v = 0; v < N_VECTORS; v++) STORE(w, v, LOAD(w, v) + step[v] * data[e]);
        }
    }
    return unsettled;
}
