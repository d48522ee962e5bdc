/* visit_row: one dual update of one row, for all lanes. This is the inner loop of dual coordinate
 * descent: Hsieh et al. (2008), algorithm 3, and for the logistic loss Yu, Huang, Lin (2011),
 * section 3; see dual_solver.pyx for the objective and the references. lane_solve.h includes this
 * file once per loss.
 *
 * visit_full_rows does the same for ROWS_TOGETHER rows, one after the other, if all shared features
 * of the cluster are dense. It reads and writes the weights once for all of them: step 1 computes
 * w.x with the weights before the visits, and w.x of a later row is corrected by the products of
 * the rows, x_i.x_j, times the changes of the earlier duals.
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
KERNEL_TARGET static inline uint32_t UPDATE_DUALS(const FLOAT_VECTOR *sums, float *duals,
                                                  gradient_bounds *bounds, uint32_t positive,
                                                  uint32_t running, const row_terms *row,
                                                  const float *costs, FLOAT_VECTOR *step,
                                                  uint32_t *unsettled) {
    /* Step 2, given w.x. Return whether any lane moved. step[v] becomes the change of y a. */
    uint32_t any_moved = 0;
    int v;
    for (v = 0; v < N_VECTORS; v++) {
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
        const FLOAT_VECTOR g = y * sums[v] + (a * singleton_diagonal - 1.0f);
        const INT_VECTOR at_zero = a == BROADCAST(0.0f);
        const FLOAT_VECTOR projected = SELECT(at_zero & (g > BROADCAST(0.0f)), BROADCAST(0.0f), g);
#elif LOSS == HINGE
        FLOAT_VECTOR cost = BROADCAST(row->cost);
        if (costs) cost = LOAD(costs, v);
        const FLOAT_VECTOR inverse_diagonal = BROADCAST(1.0f / row->squared_norm);
        const FLOAT_VECTOR g = y * sums[v] + (a * row->singleton_squared_norm - 1.0f);
        const INT_VECTOR at_zero = a == BROADCAST(0.0f), at_cost = a == cost;
        const INT_VECTOR is_bound =
            (at_zero & (g > BROADCAST(0.0f))) | (at_cost & (g < BROADCAST(0.0f)));
        const FLOAT_VECTOR projected = SELECT(is_bound, BROADCAST(0.0f), g);
#else
        FLOAT_VECTOR cost = BROADCAST(row->cost);
        if (costs) cost = LOAD(costs, v);
        const FLOAT_VECTOR old_dual = cost * SIGMOID(a);
        const FLOAT_VECTOR u = y * sums[v] + old_dual * row->singleton_squared_norm;
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
        any_moved |= MASK_TO_BITS(step[v] != BROADCAST(0.0f));
        *unsettled |= MASK_TO_BITS(is_unsettled) << v * WIDTH;
    }
    return any_moved;
}

KERNEL_TARGET static uint32_t VISIT_ROW(float *weights, float *duals, gradient_bounds *bounds,
                                        const cluster_row *x, uint32_t positive, uint32_t running,
                                        const row_terms *row, const float *costs) {
    const float *dense = x->dense, *data = x->data;
    const int32_t *indices = x->indices;
    const int64_t n_dense = x->n_dense, size = x->size;
    FLOAT_VECTOR sums[UNROLL][N_VECTORS], step[N_VECTORS];
    uint32_t unsettled = 0;
    int64_t e = 0;
    int v, i;
    /* Step 1. Several sums hide the latency of an addition. */
    for (v = 0; v < N_VECTORS; v++) {
        sums[0][v] = LOAD(weights - N_LANES, v);
        for (i = 1; i < UNROLL; i++) sums[i][v] = BROADCAST(0.0f);
    }
    for (; e + UNROLL <= n_dense; e += UNROLL)
        for (i = 0; i < UNROLL; i++)
            for (v = 0; v < N_VECTORS; v++)
                sums[i][v] += LOAD(weights + N_LANES * (e + i), v) * dense[e + i];
    for (; e < n_dense; e++)
        for (v = 0; v < N_VECTORS; v++) sums[0][v] += LOAD(weights + N_LANES * e, v) * dense[e];
    for (e = 0; e + UNROLL <= size; e += UNROLL)
        for (i = 0; i < UNROLL; i++)
            for (v = 0; v < N_VECTORS; v++)
                sums[i][v] += LOAD(weights + (int64_t)N_LANES * indices[e + i], v) * data[e + i];
    for (; e < size; e++)
        for (v = 0; v < N_VECTORS; v++)
            sums[0][v] += LOAD(weights + (int64_t)N_LANES * indices[e], v) * data[e];
    for (v = 0; v < N_VECTORS; v++)
        for (i = 1; i < UNROLL; i++) sums[0][v] += sums[i][v];
    /* Step 3. */
    if (UPDATE_DUALS(sums[0], duals, bounds, positive, running, row, costs, step, &unsettled)) {
        for (v = 0; v < N_VECTORS; v++)
            STORE(weights - N_LANES, v, LOAD(weights - N_LANES, v) + step[v]);
        for (e = 0; e < n_dense; e++) {
            float *w = weights + N_LANES * e;
            for (v = 0; v < N_VECTORS; v++) STORE(w, v, LOAD(w, v) + step[v] * dense[e]);
        }
        for (e = 0; e < size; e++) {
            float *w = weights + (int64_t)N_LANES * indices[e];
            for (v = 0; v < N_VECTORS; v++) STORE(w, v, LOAD(w, v) + step[v] * data[e]);
        }
    }
    return unsettled;
}

KERNEL_TARGET static void VISIT_FULL_ROWS(float *weights, gradient_bounds *bounds, int64_t size,
                                          uint32_t running, full_row *rows) {
    FLOAT_VECTOR sums[ROWS_TOGETHER][N_VECTORS], step[ROWS_TOGETHER][N_VECTORS];
    FLOAT_VECTOR odd_sums[ROWS_TOGETHER][N_VECTORS];
    FLOAT_VECTOR products[ROWS_TOGETHER][ROWS_TOGETHER];
    const float *data[ROWS_TOGETHER];
    uint32_t any_moved = 0;
    int64_t e;
    int v, i, j;
    for (i = 0; i < ROWS_TOGETHER; i++) {
        data[i] = rows[i].data;
        rows[i].unsettled = 0;
        for (v = 0; v < N_VECTORS; v++) {
            sums[i][v] = LOAD(weights - N_LANES, v);
            odd_sums[i][v] = BROADCAST(0.0f);
        }
        for (j = 0; j < i; j++) products[i][j] = BROADCAST(0.0f);
    }
    /* Step 1. Two sums per row and vector hide the latency of an addition. */
    for (e = 0; e + 2 <= size; e += 2)
        for (v = 0; v < N_VECTORS; v++) {
            const FLOAT_VECTOR even = LOAD(weights + N_LANES * e, v);
            const FLOAT_VECTOR odd = LOAD(weights + N_LANES * (e + 1), v);
            for (i = 0; i < ROWS_TOGETHER; i++) {
                sums[i][v] += even * data[i][e];
                odd_sums[i][v] += odd * data[i][e + 1];
            }
        }
    for (; e < size; e++)
        for (v = 0; v < N_VECTORS; v++)
            for (i = 0; i < ROWS_TOGETHER; i++)
                sums[i][v] += LOAD(weights + N_LANES * e, v) * data[i][e];
    for (e = 0; e + WIDTH <= size; e += WIDTH)
        for (i = 1; i < ROWS_TOGETHER; i++) {
            const FLOAT_VECTOR x = LOAD(data[i] + e, 0);
            for (j = 0; j < i; j++) products[i][j] += x * LOAD(data[j] + e, 0);
        }
    for (i = 0; i < ROWS_TOGETHER; i++) {
        for (j = 0; j < i; j++) {
            /* 1 is the product of the constant features. */
            float parts[WIDTH], product = 1.0f;
            int64_t rest;
            STORE(parts, 0, products[i][j]);
            for (v = 0; v < WIDTH; v++) product += parts[v];
            for (rest = e; rest < size; rest++) product += data[i][rest] * data[j][rest];
            for (v = 0; v < N_VECTORS; v++) sums[i][v] += step[j][v] * product;
        }
        for (v = 0; v < N_VECTORS; v++) sums[i][v] += odd_sums[i][v];
        any_moved |= UPDATE_DUALS(sums[i], rows[i].duals, bounds, rows[i].positive, running,
                                  rows[i].terms, rows[i].costs, step[i], &rows[i].unsettled);
    }
    /* Step 3. */
    if (!any_moved) return;
    for (v = 0; v < N_VECTORS; v++) {
        FLOAT_VECTOR intercepts = LOAD(weights - N_LANES, v);
        for (i = 0; i < ROWS_TOGETHER; i++) intercepts += step[i][v];
        STORE(weights - N_LANES, v, intercepts);
    }
    for (e = 0; e < size; e++)
        for (v = 0; v < N_VECTORS; v++) {
            FLOAT_VECTOR w = LOAD(weights + N_LANES * e, v);
            for (i = 0; i < ROWS_TOGETHER; i++) w += step[i][v] * data[i][e];
            STORE(weights + N_LANES * e, v, w);
        }
}
