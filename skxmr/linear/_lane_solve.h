/* The two inner steps of training; see _dual_solver.pyx. Included once for each instruction set.
 *
 * LANE_VISIT is one visit to one row. For each lane: g = y (w.x) - 1 + a diagonal is the gradient
 * of the dual, `diagonal` the folded squares plus the ridge of the squared loss. A lane whose a is
 * at its bound 0 with g above the largest projected gradient of the sweep before is shrunk: its bit
 * is cleared in the result. Other active lanes take the Newton step a <- max(a - g inverse, 0), and
 * w follows. The intercepts lie before the weights of feature 0.
 */
LANE_TARGET static uint32_t LANE_VISIT(float *weights, float *duals, sweep_bounds *bounds,
                                       const int32_t *indices, const float *data, int64_t size,
                                       uint32_t positive, uint32_t active, float diagonal,
                                       float inverse) {
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
        const VEC_F g = y * sum[0][p] + (a * diagonal - 1.0f);
        const VEC_I bound = a == ALL(0.0f);
        const VEC_I gone = on & bound & (g > LOAD(bounds->top, p));
        const VEC_I live = on & NOT(gone);
        const VEC_F pg = SELECT(bound & (g > ALL(0.0f)), ALL(0.0f), g);
        const VEC_F high = SELECT(live, pg, ALL(-INFINITY)), low = SELECT(live, pg, ALL(INFINITY));
        const VEC_F new_top = LOAD(bounds->new_top, p), new_bottom = LOAD(bounds->new_bottom, p);
        STORE(bounds->new_top, p, SELECT(high > new_top, high, new_top));
        STORE(bounds->new_bottom, p, SELECT(low < new_bottom, low, new_bottom));

        /* Below this a gradient is rounding, and steps would only pile up errors in w. */
        const VEC_I moves = live & (pg * pg > ALL(1e-12f));
        VEC_F next = a - g * inverse;
        next = SELECT(next > ALL(0.0f), next, ALL(0.0f));
        next = SELECT(moves, next, a);
        step[p] = (next - a) * y;
        STORE(duals, p, next);
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

/* The lanes whose weight is not 0 and at least the threshold in size. */
LANE_TARGET static uint32_t LANE_KEPT(const float *weights, float threshold) {
    uint32_t kept = 0;
    int p;
    for (p = 0; p < PARTS; p++) {
        const VEC_F w = LOAD(weights, p), size = SELECT(w > ALL(0.0f), w, -w);
        kept |= TO_BITS((size >= ALL(threshold)) & (w != ALL(0.0f))) << p * WIDTH;
    }
    return kept;
}
