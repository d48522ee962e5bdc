/* visit_row: one dual update of one row, for all lanes. This is the inner loop of dual coordinate
 * descent: Hsieh et al. (2008), algorithm 3, and for the logistic loss Yu, Huang, Lin (2011),
 * section 3; see dual_solver.pyx for the objective and the references. lane_solve.h includes this
 * file once per loss.
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
 *   2. Shrink: if a is 0 and g > shrink_above, or a is c and g < shrink_below, the row is no longer
 *      active in the lane.
 *   3. In the other active lanes, record the projected gradient (0 if a is at a bound and g points
 *      outside), and move a to its optimum with all other duals fixed.
 *   4. Update w by the changes of a.
 *
 * `positive` and `active` have one bit per lane. `weights` is [feature][lane]; the intercepts are
 * stored before feature 0. Returns the lanes in `active` for which the row stays active.
 */
KERNEL_TARGET static uint32_t VISIT_ROW(float *weights, float *duals, gradient_bounds *bounds,
                                        const int32_t *indices, const float *data, int64_t size,
                                        uint32_t positive, uint32_t active, const row_terms *row,
                                        const float *costs) {
    FLOAT_VECTOR sums[UNROLL][N_VECTORS], step[N_VECTORS];
    uint32_t any_moved = 0, shrunk = 0;
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
                sums[i][v] += LOAD(weights + (int64_t)N_LANES * indices[e + i], v) * data[e + i];
    for (; e < size; e++)
        for (v = 0; v < N_VECTORS; v++)
            sums[0][v] += LOAD(weights + (int64_t)N_LANES * indices[e], v) * data[e];

    for (v = 0; v < N_VECTORS; v++) {
        for (i = 1; i < UNROLL; i++) sums[0][v] += sums[i][v];
        const INT_VECTOR is_active = MASK_FROM_BITS(active >> v * WIDTH);
        const FLOAT_VECTOR y =
            SELECT(MASK_FROM_BITS(positive >> v * WIDTH), BROADCAST(1.0f), BROADCAST(-1.0f));
        const FLOAT_VECTOR a = LOAD(duals, v); /* t for the logistic loss */
        /* Step 2. */
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
        const INT_VECTOR shrinks = is_active & at_zero & (g > LOAD(bounds->shrink_above, v));
        const FLOAT_VECTOR projected = SELECT(at_zero & (g > BROADCAST(0.0f)), BROADCAST(0.0f), g);
#elif LOSS == HINGE
        FLOAT_VECTOR cost = BROADCAST(row->cost);
        if (costs) cost = LOAD(costs, v);
        const FLOAT_VECTOR inverse_diagonal = BROADCAST(1.0f / row->squared_norm);
        const FLOAT_VECTOR g = y * sums[0][v] + (a * row->singleton_squared_norm - 1.0f);
        const INT_VECTOR at_zero = a == BROADCAST(0.0f), at_cost = a == cost;
        const INT_VECTOR shrinks = is_active
                                   & ((at_zero & (g > LOAD(bounds->shrink_above, v)))
                                      | (at_cost & (g < LOAD(bounds->shrink_below, v))));
        const INT_VECTOR is_bound =
            (at_zero & (g > BROADCAST(0.0f))) | (at_cost & (g < BROADCAST(0.0f)));
        const FLOAT_VECTOR projected = SELECT(is_bound, BROADCAST(0.0f), g);
#else
        FLOAT_VECTOR cost = BROADCAST(row->cost);
        if (costs) cost = LOAD(costs, v);
        const FLOAT_VECTOR old_dual = cost * SIGMOID(a);
        const FLOAT_VECTOR u = y * sums[0][v] + old_dual * row->singleton_squared_norm;
        const FLOAT_VECTOR g = u + a, projected = g;
        const INT_VECTOR shrinks = is_active & NOT(is_active); /* never */
#endif
        /* Step 3. */
        const INT_VECTOR remains = is_active & NOT(shrinks);
        const FLOAT_VECTOR high = SELECT(remains, projected, BROADCAST(-INFINITY));
        const FLOAT_VECTOR low = SELECT(remains, projected, BROADCAST(INFINITY));
        const FLOAT_VECTOR max_gradient = LOAD(bounds->max_gradient, v);
        const FLOAT_VECTOR min_gradient = LOAD(bounds->min_gradient, v);
        STORE(bounds->max_gradient, v, SELECT(high > max_gradient, high, max_gradient));
        STORE(bounds->min_gradient, v, SELECT(low < min_gradient, low, min_gradient));

        /* A gradient below 1e-6 is a rounding error; steps would only add up errors in w. */
        const INT_VECTOR moves = remains & (projected * projected > BROADCAST(1e-12f));
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
        new_dual = SELECT(new_dual > BROADCAST(0.0f), new_dual, BROADCAST(0.0f));
#if LOSS == HINGE
        new_dual = SELECT(new_dual < cost, new_dual, cost);
#endif
        new_dual = SELECT(moves, new_dual, a);
        STORE(duals, v, new_dual);
        step[v] = (new_dual - a) * y;
#endif
        /* Only whether any lane moved. */
        any_moved |= MASK_TO_BITS(step[v] != BROADCAST(0.0f));
        shrunk |= MASK_TO_BITS(shrinks) << v * WIDTH;
    }
    /* Step 4. */
    if (any_moved) {
        for (v = 0; v < N_VECTORS; v++)
            STORE(weights - N_LANES, v, LOAD(weights - N_LANES, v) + step[v]);
        for (e = 0; e < size; e++) {
            float *w = weights + (int64_t)N_LANES * indices[e];
            for (v = 0; v < N_VECTORS; v++) STORE(w, v, LOAD(w, v) + step[v] * data[e]);
        }
    }
    return active & ~shrunk;
}
