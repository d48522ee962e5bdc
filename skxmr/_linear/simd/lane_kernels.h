/* What is done with lanes side by side, for every instruction set.
 *
 * The functions of lane_solve.h and lane_score.h are written once, over the few operations named
 * here, and compiled for each instruction set: by gcc and clang with function attributes, so that
 * one build runs on any processor and picks the best at run time. COUNT lanes are PARTS vectors of
 * WIDTH floats: sixteen are one of AVX-512, two of AVX2, four of SSE2 or NEON, and for other
 * compilers sixteen plain floats. Training has a second form of four lanes, for clusters, and for
 * last groups, of no more children: their weights take a quarter of the cache.
 */
#ifndef SKXMR_LANE_KERNELS_H
#define SKXMR_LANE_KERNELS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "entries.h"
#include "lanes.h"

#define PARTS (COUNT / WIDTH)
#define LOAD(p, part) (((const VEC_F *)(p))[part])
#define STORE(p, part, x) (((VEC_F *)(p))[part] = (x))

#if defined(__GNUC__)

typedef float f16 __attribute__((vector_size(64), may_alias, aligned(4)));
typedef float f8 __attribute__((vector_size(32), may_alias, aligned(4)));
typedef float f4 __attribute__((vector_size(16), may_alias, aligned(4)));
typedef int32_t i16 __attribute__((vector_size(64), may_alias, aligned(4)));
typedef int32_t i8 __attribute__((vector_size(32), may_alias, aligned(4)));
typedef int32_t i4 __attribute__((vector_size(16), may_alias, aligned(4)));
typedef uint16_t h16 __attribute__((vector_size(32), may_alias, aligned(2)));
typedef uint16_t h8 __attribute__((vector_size(16), may_alias, aligned(2)));
typedef uint16_t h4 __attribute__((vector_size(8), may_alias, aligned(2)));
typedef int8_t b16 __attribute__((vector_size(16), may_alias, aligned(1)));
typedef int8_t b8 __attribute__((vector_size(8), may_alias, aligned(1)));
typedef int8_t b4 __attribute__((vector_size(4), may_alias, aligned(1)));

#define ALL(x) ((VEC_F){0} + (x))
#define TO_FLOATS(x) __builtin_convertvector(x, VEC_F)
#define NOT(m) (~(m))
#define SELECT(m, a, b) ((VEC_F)(((VEC_I)(a) & (m)) | ((VEC_I)(b) & ~(m))))
#define FROM_BITS(b) ((((VEC_I){0} + (int32_t)(b)) & BIT_OF_LANE) != 0)
#define POWER_OF_2(x) ((VEC_F)(((VEC_I)(x) << 23) + 0x3F800000)) /* by the lowest bits of x */
#define POPCOUNT(x) ((uint32_t)__builtin_popcountll(x))

#if defined(__x86_64__)
#include <immintrin.h>

#define LANE_TARGET __attribute__((target("avx512f,avx512dq,fma,popcnt")))
#define COUNT LANES
#define LANE_NAME(function) function##_avx512
#define VEC_F f16
#define VEC_I i16
#define VEC_H h16
#define VEC_B b16
#define WIDTH 16
#define ACROSS 4
#define BIT_OF_LANE \
    ((i16){1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768})
#define TO_BITS(m) ((uint32_t)_mm512_movepi32_mask((__m512i)(m)))
#include "lane_solve.h"
#include "lane_score.h"
#include "lanes_undef.h"

#define LANE_TARGET __attribute__((target("avx2,fma,popcnt")))
#define COUNT LANES
#define LANE_NAME(function) function##_avx2
#define VEC_F f8
#define VEC_I i8
#define VEC_H h8
#define VEC_B b8
#define WIDTH 8
#define ACROSS 2
#define BIT_OF_LANE ((i8){1, 2, 4, 8, 16, 32, 64, 128})
#define TO_BITS(m) ((uint32_t)_mm256_movemask_ps((__m256)(m)))
#include "lane_solve.h"
#include "lane_score.h"
#include "lanes_undef.h"

#define LANE_TARGET __attribute__((target("avx2,fma")))
#define COUNT FEW_LANES
#define LANE_NAME(function) function##_avx2_few
#define VEC_F f4
#define VEC_I i4
#define VEC_H h4
#define VEC_B b4
#define WIDTH 4
#define ACROSS 4
#define BIT_OF_LANE ((i4){1, 2, 4, 8})
#define TO_BITS(m) ((uint32_t)_mm_movemask_ps((__m128)(m)))
#include "lane_solve.h"
#include "lanes_undef.h"
#endif

#define VEC_F f4
#define VEC_I i4
#define VEC_H h4
#define VEC_B b4
#define WIDTH 4
#define ACROSS 1
#define BIT_OF_LANE ((i4){1, 2, 4, 8})
#if defined(__x86_64__)
#define TO_BITS(m) ((uint32_t)_mm_movemask_ps((__m128)(m)))
#else
#define TO_BITS(m) four_bits(m)
static inline uint32_t four_bits(i4 m) {
    m &= BIT_OF_LANE;
    return (uint32_t)(m[0] | m[1] | m[2] | m[3]);
}
#endif

#else /* any other compiler: vectors of one float */

#define VEC_F float
#define VEC_I int32_t
#define VEC_B int8_t
#define WIDTH 1
#define ACROSS 1
#define ALL(x) (x)
#define TO_FLOATS(x) ((float)(x))
#define NOT(m) (!(m))
#define SELECT(m, a, b) ((m) ? (a) : (b))
#define FROM_BITS(b) ((int32_t)(b) & 1)
#define TO_BITS(m) ((uint32_t)(m))
#define POWER_OF_2(x) power_of_2(x)
static float power_of_2(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    bits = (bits << 23) + 0x3F800000u;
    memcpy(&x, &bits, sizeof(x));
    return x;
}
#define POPCOUNT(x) count_bits(x)
static uint32_t count_bits(uint64_t x) {
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (uint32_t)(x * 0x0101010101010101u >> 56);
}

#endif

#define LANE_TARGET
#define COUNT LANES
#define LANE_NAME(function) function##_baseline
#include "lane_solve.h"
#include "lane_score.h"
#undef COUNT
#undef LANE_NAME
#define COUNT FEW_LANES
#define LANE_NAME(function) function##_baseline_few
#include "lane_solve.h"
#include "lanes_undef.h"

#define SOLVE(suffix)                                                                     \
    {                                                                                     \
        {visit_squared_hinge_##suffix, visit_hinge_##suffix, visit_logistic_##suffix},    \
            kept_##suffix                                                                 \
    }

#define SCORE(suffix, locate)                                                             \
    approach_##suffix, find_##suffix,                                                     \
        {margins_float32_##suffix, margins_float16_##suffix, margins_int8_##suffix},      \
        {locate, locate_16},                                                              \
        {{add_8_float32, add_8_float16, add_8_int8},                                      \
            {add_16_float32, add_16_float16, add_16_int8}},                               \
    {                                                                                     \
        add_few_float32_##suffix, add_few_float16_##suffix, add_few_int8_##suffix         \
    }

/* Best first. */
static const lane_kernels LANE_KERNELS[] = {
#if defined(__x86_64__) && defined(__GNUC__)
    {"avx512", SOLVE(avx512), SOLVE(avx2_few), SCORE(avx512, locate_8_avx2)},
    {"avx2", SOLVE(avx2), SOLVE(avx2_few), SCORE(avx2, locate_8_avx2)},
#endif
    {"baseline", SOLVE(baseline), SOLVE(baseline_few), SCORE(baseline, locate_8)},
};

static int has_instructions(const char *name) {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (!strcmp(name, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
               && __builtin_cpu_supports("popcnt");
    if (!strcmp(name, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
               && __builtin_cpu_supports("popcnt");
#endif
    return !strcmp(name, "baseline");
}

/* The kernels called `name`, or the best of this processor if `name` is empty; NULL if the
 * processor or the build has none of that name. */
static const lane_kernels *find_lane_kernels(const char *name) {
    for (size_t i = 0; i < sizeof(LANE_KERNELS) / sizeof(LANE_KERNELS[0]); i++)
        if ((!name[0] || !strcmp(name, LANE_KERNELS[i].name))
            && has_instructions(LANE_KERNELS[i].name))
            return &LANE_KERNELS[i];
    return NULL;
}

#endif
