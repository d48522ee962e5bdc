/* The inner steps of training for one instruction set and number of lanes: a visit for each loss,
 * and pruning. Included by lane_kernels.h. */

/* 1 / (1 + exp(-t)). The exponent of exp is the whole part of t in powers of 2, found by adding a
 * number so large that no bits are left for fractions; the rest, at most half of log 2, goes to a
 * Taylor polynomial, good to float precision there. */
#define LOGISTIC LANE_NAME(logistic)
LANE_TARGET static inline VEC_F LOGISTIC(VEC_F t) {
    const VEC_F most = ALL(80.0f);
    VEC_F x = SELECT(t > most, most, t);
    x = -SELECT(x < -most, -most, x);
    const VEC_F shifted = x * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
    const VEC_F r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    VEC_F exp = 1.0f / 720 * r + 1.0f / 120;
    exp = exp * r + 1.0f / 24;
    exp = exp * r + 1.0f / 6;
    exp = exp * r + 0.5f;
    exp = exp * r + 1.0f;
    exp = exp * r + 1.0f;
    return 1.0f / (1.0f + exp * POWER_OF_2(shifted));
}

#define LOSS SQUARED_HINGE
#define LANE_VISIT LANE_NAME(visit_squared_hinge)
#include "lane_visit.h"
#undef LOSS
#undef LANE_VISIT

#define LOSS HINGE
#define LANE_VISIT LANE_NAME(visit_hinge)
#include "lane_visit.h"
#undef LOSS
#undef LANE_VISIT

#define LOSS LOGISTIC_LOSS
#define LANE_VISIT LANE_NAME(visit_logistic)
#include "lane_visit.h"
#undef LOSS
#undef LANE_VISIT
#undef LOGISTIC

/* The lanes whose weight is not 0 and at least the threshold in size. */
LANE_TARGET static uint32_t LANE_NAME(kept)(const float *weights, float threshold) {
    uint32_t kept = 0;
    int p;
    for (p = 0; p < PARTS; p++) {
        const VEC_F w = LOAD(weights, p), size = SELECT(w > ALL(0.0f), w, -w);
        kept |= TO_BITS((size >= ALL(threshold)) & (w != ALL(0.0f))) << p * WIDTH;
    }
    return kept;
}
