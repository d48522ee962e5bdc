/* One visit to one row in the training of some lanes; see dual_solver.pyx. Included for each loss
 * and instruction set.
 *
 * The row's cost c is C times its weights: `row->cost`, or `costs` by lane where lanes differ. For
 * each lane, with u = y (w.x) + a fold:
 *
 *   squared hinge  g = u - 1 + a / 2c is the gradient of the dual in a >= 0;
 *   hinge          g = u - 1, 0 <= a <= c;
 *   logistic       g = u + t, where a = c / (1 + exp(-t)), and t is what is stored: a near its ends
 *                  would lose its digits.
 *
 * A lane whose a is at a bound, with g beyond the largest (at the upper bound, the smallest)
 * projected gradient of the sweep before, is shrunk: its bit is cleared in the result. Other active
 * lanes go to the optimum of a alone, and w follows. The intercepts lie before the weights of
 * feature 0.
 */
LANE_TARGET static uint32_t LANE_VISIT(float *weights, float *duals, sweep_bounds *bounds,
                                       const int32_t *indices, const float *data, int64_t size,
                                       uint32_t positive, uint32_t active, const row_terms *row,
                                       const float *costs) {
    VEC_F sum[ACROSS][PARTS], step[PARTS];
    uint32_t moved = 0, shrunk = 0;
    int64_t e = 0;
    int p, q;
    for (p = 0; p < PARTS; p++) {
        sum[0][p] = LOAD(weights - COUNT, p);
        for (q = 1; q < ACROSS; q++) sum[q][p] = ALL(0.0f);
    }
    /* Several sums, as many as hide the latency of an addition. */
    for (; e + ACROSS <= size; e += ACROSS)
        for (q = 0; q < ACROSS; q++)
            for (p = 0; p < PARTS; p++)
                sum[q][p] += LOAD(weights + (int64_t)COUNT * indices[e + q], p) * data[e + q];
    for (; e < size; e++)
        for (p = 0; p < PARTS; p++)
            sum[0][p] += LOAD(weights + (int64_t)COUNT * indices[e], p) * data[e];

    for (p = 0; p < PARTS; p++) {
        for (q = 1; q < ACROSS; q++) sum[0][p] += sum[q][p];
        const VEC_I on = FROM_BITS(active >> p * WIDTH);
        const VEC_F y = SELECT(FROM_BITS(positive >> p * WIDTH), ALL(1.0f), ALL(-1.0f));
        const VEC_F a = LOAD(duals, p);
#if LOSS == SQUARED_HINGE
        VEC_F diagonal, inverse;
        if (costs) {
            const VEC_F ridge = 0.5f / LOAD(costs, p);
            diagonal = row->fold + ridge;
            inverse = 1.0f / (row->norm + ridge);
        } else {
            const float ridge = 0.5f / row->cost;
            diagonal = ALL(row->fold + ridge);
            inverse = ALL(1.0f / (row->norm + ridge));
        }
        const VEC_F g = y * sum[0][p] + (a * diagonal - 1.0f);
        const VEC_I bound = a == ALL(0.0f);
        const VEC_I gone = on & bound & (g > LOAD(bounds->top, p));
        const VEC_F pg = SELECT(bound & (g > ALL(0.0f)), ALL(0.0f), g);
#elif LOSS == HINGE
        VEC_F cost = ALL(row->cost);
        if (costs) cost = LOAD(costs, p);
        const VEC_F inverse = ALL(1.0f / row->norm);
        const VEC_F g = y * sum[0][p] + (a * row->fold - 1.0f);
        const VEC_I lower = a == ALL(0.0f), upper = a == cost;
        const VEC_I gone = on
                           & ((lower & (g > LOAD(bounds->top, p)))
                              | (upper & (g < LOAD(bounds->bottom, p))));
        const VEC_I held = (lower & (g > ALL(0.0f))) | (upper & (g < ALL(0.0f)));
        const VEC_F pg = SELECT(held, ALL(0.0f), g);
#else
        VEC_F cost = ALL(row->cost);
        if (costs) cost = LOAD(costs, p);
        const VEC_F before = cost * LOGISTIC(a), u = y * sum[0][p] + before * row->fold;
        const VEC_F g = u + a, pg = g;
        const VEC_I gone = on & NOT(on);
#endif
        const VEC_I live = on & NOT(gone);
        const VEC_F high = SELECT(live, pg, ALL(-INFINITY)), low = SELECT(live, pg, ALL(INFINITY));
        const VEC_F new_top = LOAD(bounds->new_top, p), new_bottom = LOAD(bounds->new_bottom, p);
        STORE(bounds->new_top, p, SELECT(high > new_top, high, new_top));
        STORE(bounds->new_bottom, p, SELECT(low < new_bottom, low, new_bottom));

        /* Below this a gradient is rounding, and steps would only pile up errors in w. */
        const VEC_I moves = live & (pg * pg > ALL(1e-12f));
#if LOSS == LOGISTIC_LOSS
        /* The root of t + k / (1 + exp(-t)) - rest, which rises: Newton's steps, or half of the
         * bracket where they leave it. Three or four do, unless k is large. */
        const VEC_F k = row->norm * cost, rest = row->norm * before - u;
        VEC_F most = rest, least = rest - k, t = a;
        int round;
        for (round = 0; round < 50; round++) {
            const VEC_F s = LOGISTIC(t), f = t + k * s - rest;
            const VEC_F newton = t - f / (1.0f + k * s * (1.0f - s)), last = t;
            most = SELECT(f > ALL(0.0f), t, most);
            least = SELECT(f < ALL(0.0f), t, least);
            t = SELECT((newton < least) | (newton > most), 0.5f * (least + most), newton);
            if (!TO_BITS(moves & ((t - last) * (t - last) > ALL(1e-12f)))) break;
        }
        t = SELECT(moves, t, a);
        STORE(duals, p, t);
        step[p] = SELECT(moves, cost * LOGISTIC(t) - before, ALL(0.0f)) * y;
#else
        VEC_F next = a - g * inverse;
        next = SELECT(next > ALL(0.0f), next, ALL(0.0f));
#if LOSS == HINGE
        next = SELECT(next < cost, next, cost);
#endif
        next = SELECT(moves, next, a);
        STORE(duals, p, next);
        step[p] = (next - a) * y;
#endif
        moved |= TO_BITS(step[p] != ALL(0.0f));
        shrunk |= TO_BITS(gone) << p * WIDTH;
    }
    if (moved) {
        for (p = 0; p < PARTS; p++) STORE(weights - COUNT, p, LOAD(weights - COUNT, p) + step[p]);
        for (e = 0; e < size; e++) {
            float *w = weights + (int64_t)COUNT * indices[e];
            for (p = 0; p < PARTS; p++) STORE(w, p, LOAD(w, p) + step[p] * data[e]);
        }
    }
    return active & ~shrunk;
}
