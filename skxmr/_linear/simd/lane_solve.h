/* Training kernels for one instruction set and number of lanes: visit_row and visit_full_rows for each
 * loss, and find_large_weights for pruning. See dual_solver.pyx; included by lane_kernels.h. */

/* 1 / (1 + exp(-t)) in float precision. With x = -t, exp(x) = 2**n * exp(r), where n is x / log(2)
 * rounded to an integer and |r| <= log(2) / 2. Adding 1.5 * 2**23 rounds x / log(2): the sum has no
 * bits left for fractions. log(2) is subtracted in two parts to keep r accurate (Cody and
 * Waite 1980). exp(r) is a Taylor polynomial. */
#define SIGMOID KERNEL_NAME(sigmoid)
KERNEL_TARGET static inline FLOAT_VECTOR SIGMOID(FLOAT_VECTOR t) {
    const FLOAT_VECTOR limit = BROADCAST(80.0f); /* exp(limit) is finite */
    FLOAT_VECTOR x = SELECT(t > limit, limit, t);
    x = -SELECT(x < -limit, -limit, x);
    const FLOAT_VECTOR shifted = x * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
    const FLOAT_VECTOR r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    FLOAT_VECTOR exp = 1.0f / 720 * r + 1.0f / 120;
    exp = exp * r + 1.0f / 24;
    exp = exp * r + 1.0f / 6;
    exp = exp * r + 0.5f;
    exp = exp * r + 1.0f;
    exp = exp * r + 1.0f;
    return 1.0f / (1.0f + exp * POWER_OF_2(shifted));
}

#define LOSS SQUARED_HINGE
#define UPDATE_DUALS KERNEL_NAME(update_duals_squared_hinge)
#define VISIT_ROW KERNEL_NAME(visit_row_squared_hinge)
#define VISIT_FULL_ROWS KERNEL_NAME(visit_full_rows_squared_hinge)
#include "lane_visit.h"
#undef LOSS
#undef UPDATE_DUALS
#undef VISIT_ROW
#undef VISIT_FULL_ROWS

#define LOSS HINGE
#define UPDATE_DUALS KERNEL_NAME(update_duals_hinge)
#define VISIT_ROW KERNEL_NAME(visit_row_hinge)
#define VISIT_FULL_ROWS KERNEL_NAME(visit_full_rows_hinge)
#include "lane_visit.h"
#undef LOSS
#undef UPDATE_DUALS
#undef VISIT_ROW
#undef VISIT_FULL_ROWS

#define LOSS LOGISTIC_LOSS
#define UPDATE_DUALS KERNEL_NAME(update_duals_logistic)
#define VISIT_ROW KERNEL_NAME(visit_row_logistic)
#define VISIT_FULL_ROWS KERNEL_NAME(visit_full_rows_logistic)
#include "lane_visit.h"
#undef LOSS
#undef UPDATE_DUALS
#undef VISIT_ROW
#undef VISIT_FULL_ROWS
#undef SIGMOID

/* Return the lanes, one bit each, with weight != 0 and |weight| >= threshold. */
KERNEL_TARGET static uint32_t KERNEL_NAME(find_large_weights)(const float *weights,
                                                              float threshold) {
    uint32_t large = 0;
    int v;
    for (v = 0; v < N_VECTORS; v++) {
        const FLOAT_VECTOR w = LOAD(weights, v), magnitude = SELECT(w > BROADCAST(0.0f), w, -w);
        large |= MASK_TO_BITS((magnitude >= BROADCAST(threshold)) & (w != BROADCAST(0.0f)))
                 << v * WIDTH;
    }
    return large;
}
