/* Compile the SIMD kernels for each instruction set, and find the best one for the processor.
 *
 * lane_solve.h and lane_score.h contain each kernel once. They are included several times below,
 * after macros that define vector types and operations for one instruction set. With GCC and Clang,
 * function attributes select the instruction set, so one build runs on every processor and uses the
 * best instructions at run time. Other compilers get plain C.
 *
 * A group of N_LANES children is N_VECTORS vectors of WIDTH floats: LANES = 16 children are one
 * vector of AVX-512, two of AVX2, four of SSE2 or NEON, or sixteen single floats. Training also has
 * kernels for groups of at most FEW_LANES = 4 children, whose weights need a quarter of the cache.
 *
 * Macros per instruction set:
 *   KERNEL_TARGET         function attribute that enables the instructions
 *   KERNEL_NAME(function) name of a kernel with the suffix of the instruction set
 *   N_LANES, WIDTH        children per group, floats per vector
 *   UNROLL                number of independent sums: as many as hide the latency of an addition
 *   FLOAT_VECTOR, INT_VECTOR, UINT16_VECTOR, INT8_VECTOR   vectors of WIDTH numbers
 *   BIT_OF_LANE           vector with 1 << lane in each lane
 *   MASK_TO_BITS(mask)    integer with bit i set if lane i of a comparison result is true
 */
#ifndef SKXMR_LANE_KERNELS_H
#define SKXMR_LANE_KERNELS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "entries.h"
#include "lanes.h"

#define N_VECTORS (N_LANES / WIDTH)
#define LOAD(p, vector) (((const FLOAT_VECTOR *)(p))[vector])
#define STORE(p, vector, x) (((FLOAT_VECTOR *)(p))[vector] = (x))

#if defined(__GNUC__)

typedef float float_x16 __attribute__((vector_size(64), may_alias, aligned(4)));
typedef float float_x8 __attribute__((vector_size(32), may_alias, aligned(4)));
typedef float float_x4 __attribute__((vector_size(16), may_alias, aligned(4)));
typedef int32_t int_x16 __attribute__((vector_size(64), may_alias, aligned(4)));
typedef int32_t int_x8 __attribute__((vector_size(32), may_alias, aligned(4)));
typedef int32_t int_x4 __attribute__((vector_size(16), may_alias, aligned(4)));
typedef uint16_t uint16_x16 __attribute__((vector_size(32), may_alias, aligned(2)));
typedef uint16_t uint16_x8 __attribute__((vector_size(16), may_alias, aligned(2)));
typedef uint16_t uint16_x4 __attribute__((vector_size(8), may_alias, aligned(2)));
typedef int8_t int8_x16 __attribute__((vector_size(16), may_alias, aligned(1)));
typedef int8_t int8_x8 __attribute__((vector_size(8), may_alias, aligned(1)));
typedef int8_t int8_x4 __attribute__((vector_size(4), may_alias, aligned(1)));

/* A mask is the result of a comparison: all bits of a lane are 1 (true) or 0 (false). */
#define BROADCAST(x) ((FLOAT_VECTOR){0} + (x))
#define CONVERT_TO_FLOAT(x) __builtin_convertvector(x, FLOAT_VECTOR)
#define NOT(mask) (~(mask))
#define SELECT(mask, a, b) \
    ((FLOAT_VECTOR)(((INT_VECTOR)(a) & (mask)) | ((INT_VECTOR)(b) & ~(mask))))
#define MASK_FROM_BITS(bits) ((((INT_VECTOR){0} + (int32_t)(bits)) & BIT_OF_LANE) != 0)
/* 2**n, where n are the lowest bits of x. */
#define POWER_OF_2(x) ((FLOAT_VECTOR)(((INT_VECTOR)(x) << 23) + 0x3F800000))
#define POPCOUNT(x) ((uint32_t)__builtin_popcountll(x))

#if defined(__x86_64__)
#include <immintrin.h>

#define KERNEL_TARGET __attribute__((target("avx512f,avx512dq,fma,popcnt")))
#define N_LANES LANES
#define KERNEL_NAME(function) function##_avx512
#define FLOAT_VECTOR float_x16
#define INT_VECTOR int_x16
#define UINT16_VECTOR uint16_x16
#define INT8_VECTOR int8_x16
#define WIDTH 16
#define UNROLL 4
#define BIT_OF_LANE \
    ((int_x16){1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768})
#define MASK_TO_BITS(mask) ((uint32_t)_mm512_movepi32_mask((__m512i)(mask)))
#include "lane_solve.h"
#include "lane_score.h"
#include "lanes_undef.h"

#define KERNEL_TARGET __attribute__((target("avx2,fma,popcnt")))
#define N_LANES LANES
#define KERNEL_NAME(function) function##_avx2
#define FLOAT_VECTOR float_x8
#define INT_VECTOR int_x8
#define UINT16_VECTOR uint16_x8
#define INT8_VECTOR int8_x8
#define WIDTH 8
#define UNROLL 2
#define BIT_OF_LANE ((int_x8){1, 2, 4, 8, 16, 32, 64, 128})
#define MASK_TO_BITS(mask) ((uint32_t)_mm256_movemask_ps((__m256)(mask)))
#include "lane_solve.h"
#include "lane_score.h"
#include "lanes_undef.h"

#define KERNEL_TARGET __attribute__((target("avx2,fma")))
#define N_LANES FEW_LANES
#define KERNEL_NAME(function) function##_avx2_few
#define FLOAT_VECTOR float_x4
#define INT_VECTOR int_x4
#define UINT16_VECTOR uint16_x4
#define INT8_VECTOR int8_x4
#define WIDTH 4
#define UNROLL 4
#define BIT_OF_LANE ((int_x4){1, 2, 4, 8})
#define MASK_TO_BITS(mask) ((uint32_t)_mm_movemask_ps((__m128)(mask)))
#include "lane_solve.h"
#include "lanes_undef.h"
#endif

/* Baseline of GCC and Clang: SSE2, NEON, or what the compiler makes of vectors of four floats. */
#define FLOAT_VECTOR float_x4
#define INT_VECTOR int_x4
#define UINT16_VECTOR uint16_x4
#define INT8_VECTOR int8_x4
#define WIDTH 4
#define UNROLL 1
#define BIT_OF_LANE ((int_x4){1, 2, 4, 8})
#if defined(__x86_64__)
#define MASK_TO_BITS(mask) ((uint32_t)_mm_movemask_ps((__m128)(mask)))
#else
#define MASK_TO_BITS(mask) mask_to_bits(mask)
static inline uint32_t mask_to_bits(int_x4 mask) {
    mask &= BIT_OF_LANE;
    return (uint32_t)(mask[0] | mask[1] | mask[2] | mask[3]);
}
#endif

#else /* other compilers: vectors of one float */

#define FLOAT_VECTOR float
#define INT_VECTOR int32_t
#define INT8_VECTOR int8_t
#define WIDTH 1
#define UNROLL 1
#define BROADCAST(x) (x)
#define CONVERT_TO_FLOAT(x) ((float)(x))
#define NOT(mask) (!(mask))
#define SELECT(mask, a, b) ((mask) ? (a) : (b))
#define MASK_FROM_BITS(bits) ((int32_t)(bits) & 1)
#define MASK_TO_BITS(mask) ((uint32_t)(mask))
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

#define KERNEL_TARGET
#define N_LANES LANES
#define KERNEL_NAME(function) function##_baseline
#include "lane_solve.h"
#include "lane_score.h"
#undef N_LANES
#undef KERNEL_NAME
#define N_LANES FEW_LANES
#define KERNEL_NAME(function) function##_baseline_few
#include "lane_solve.h"
#include "lanes_undef.h"

#define SOLVER_KERNELS(suffix)                                       \
    {                                                                \
        {visit_row_squared_hinge_##suffix, visit_row_hinge_##suffix, \
            visit_row_logistic_##suffix},                            \
            {visit_full_rows_squared_hinge_##suffix,                 \
                visit_full_rows_hinge_##suffix,                      \
                visit_full_rows_logistic_##suffix},                  \
            find_large_weights_##suffix                              \
    }

#define SCORING_KERNELS(suffix, find_entries_uint8)                                       \
    prefetch_words_##suffix, find_shared_features_##suffix,                               \
        {add_dense_products_float32_##suffix, add_dense_products_float16_##suffix,        \
            add_dense_products_int8_##suffix},                                            \
        {add_wide_products_float32_##suffix, add_wide_products_float16_##suffix,          \
            add_wide_products_int8_##suffix},                                             \
        {add_dense_products_of_rows_float32_##suffix,                                     \
            add_dense_products_of_rows_float16_##suffix,                                  \
            add_dense_products_of_rows_int8_##suffix},                                    \
        {add_wide_products_of_rows_float32_##suffix,                                      \
            add_wide_products_of_rows_float16_##suffix,                                   \
            add_wide_products_of_rows_int8_##suffix},                                     \
        {find_entries_uint8, find_entries_uint16},                                        \
        {{add_entry_products_uint8_float32, add_entry_products_uint8_float16,             \
             add_entry_products_uint8_int8},                                              \
            {add_entry_products_uint16_float32, add_entry_products_uint16_float16,        \
                add_entry_products_uint16_int8}},                                         \
        {{add_entry_products_of_rows_uint8_float32_##suffix,                              \
             add_entry_products_of_rows_uint8_float16_##suffix,                           \
             add_entry_products_of_rows_uint8_int8_##suffix},                             \
            {add_entry_products_of_rows_uint16_float32_##suffix,                          \
                add_entry_products_of_rows_uint16_float16_##suffix,                       \
                add_entry_products_of_rows_uint16_int8_##suffix}},                        \
    {                                                                                     \
        add_few_entry_products_float32_##suffix, add_few_entry_products_float16_##suffix, \
            add_few_entry_products_int8_##suffix                                          \
    }

/* Instruction sets of this build, best first. */
static const lane_kernels LANE_KERNELS[] = {
#if defined(__x86_64__) && defined(__GNUC__)
    {"avx512", SOLVER_KERNELS(avx512), SOLVER_KERNELS(avx2_few),
        SCORING_KERNELS(avx512, find_entries_uint8_avx2)},
    {"avx2", SOLVER_KERNELS(avx2), SOLVER_KERNELS(avx2_few),
        SCORING_KERNELS(avx2, find_entries_uint8_avx2)},
#endif
    {"baseline", SOLVER_KERNELS(baseline), SOLVER_KERNELS(baseline_few),
        SCORING_KERNELS(baseline, find_entries_uint8)},
};

/* Return whether the processor can run the kernels of an instruction set. */
static int is_supported(const char *name) {
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

/* Return the kernels of the instruction set `name`, or the best supported ones if `name` is empty.
 * Return NULL if the build or the processor does not support `name`. */
static const lane_kernels *find_lane_kernels(const char *name) {
    for (size_t i = 0; i < sizeof(LANE_KERNELS) / sizeof(LANE_KERNELS[0]); i++)
        if ((!name[0] || !strcmp(name, LANE_KERNELS[i].name))
            && is_supported(LANE_KERNELS[i].name))
            return &LANE_KERNELS[i];
    return NULL;
}

#endif
