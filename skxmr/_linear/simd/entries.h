/* Sparse weights of a chunk: find the entries of features and add their products to margins.
 *
 * Each feature of the chunk has entries (child, weight), which are stored one after another. No
 * table of offsets is stored. The position of a feature's first entry is
 *
 *     entries of the chunk before the feature's bitmap word (stored with the word)
 *     + counts of the features in that word before this one.
 *
 * Margins are sums of float32 in the order of the features, for all types of weights.
 */
#ifndef SKXMR_ENTRIES_H
#define SKXMR_ENTRIES_H

#include <stdint.h>
#include <string.h>

#include "lanes.h"

/* Convert the bits of a finite float16 to float32; weights are never infinite. The exponent bias is
 * 15 in float16 and 127 in float32: add 112 to the exponent. A subnormal number is m * 2**-24: put
 * m into the significand of 2**-14, then subtract 2**-14. This is exact, even if the processor
 * flushes subnormal float32 numbers to zero. */
static inline float float16_to_float(uint16_t half) {
    const uint32_t magnitude = (uint32_t)(half & 0x7FFFu) << 13;
    const uint32_t smallest_normal = 113u << 23; /* bits of 2**-14 */
    uint32_t bits = magnitude < 1u << 23 ? magnitude + smallest_normal : magnitude + (112u << 23);
    float value, two_to_minus_14;
    memcpy(&value, &bits, sizeof(value));
    memcpy(&two_to_minus_14, &smallest_normal, sizeof(two_to_minus_14));
    if (magnitude < 1u << 23) value -= two_to_minus_14;
    memcpy(&bits, &value, sizeof(bits));
    bits |= (uint32_t)(half & 0x8000u) << 16;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Convert a stored weight to float32. Only int8 weights have a scale. */
#define FLOAT32_VALUE(weight, scale) ((void)(scale), (weight))
#define FLOAT16_VALUE(weight, scale) ((void)(scale), float16_to_float(weight))
#define INT8_VALUE(weight, scale) ((float)(weight) * (scale))

/* Return the sum of n < 64 counts. */
static inline uint32_t sum_uint16(const uint16_t *counts, uint32_t n) {
    uint32_t total = 0, at;
    for (at = 0; at < n; at++) total += counts[at];
    return total;
}

static inline uint32_t sum_uint8(const uint8_t *counts, uint32_t n) {
    /* Add eight counts at a time, as four sums of 16 bits in one word. */
    const uint64_t even_bytes = 0x00FF00FF00FF00FFu;
    uint64_t four_sums = 0, eight_counts;
    uint32_t total, at = 0;
    for (; at + 8 <= n; at += 8) {
        memcpy(&eight_counts, counts + at, sizeof(eight_counts));
        four_sums += (eight_counts & even_bytes) + (eight_counts >> 8 & even_bytes);
    }
    total = (uint32_t)(four_sums * 0x0001000100010001u >> 48);
    for (; at < n; at++) total += counts[at];
    return total;
}

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

/* As sum_uint8, without a loop, because its number of iterations would be mispredicted. Always
 * reads 64 counts. */
__attribute__((target("avx2"))) static inline uint32_t sum_uint8_avx2(const uint8_t *counts,
                                                                      uint32_t n) {
    const __m256i at = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
    const __m256i low = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)counts),
        _mm256_cmpgt_epi8(_mm256_set1_epi8((char)n), at));
    const __m256i high = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(counts + 32)),
        _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(n - 32)), at));
    const __m256i zero = _mm256_setzero_si256();
    const __m256i four_sums =
        _mm256_add_epi64(_mm256_sad_epu8(low, zero), _mm256_sad_epu8(high, zero));
    const __m128i two_sums =
        _mm_add_epi64(_mm256_castsi256_si128(four_sums), _mm256_extracti128_si256(four_sums, 1));
    return (uint32_t)(_mm_cvtsi128_si64(two_sums) + _mm_extract_epi64(two_sums, 1));
}
#endif

/* Sum the first n of `readable` counts. */
#define SUM_UINT8(counts, n, readable) sum_uint8(counts, n)
#define SUM_UINT16(counts, n, readable) sum_uint16(counts, n)
#define SUM_UINT8_AVX2(counts, n, readable) \
    ((readable) >= 64 ? sum_uint8_avx2(counts, n) : sum_uint8(counts, n))

/* Define a function that writes the entry range of each feature to `ranges` and prefetches its
 * entries. `positions` are the features' positions in the chunk, `counts_before` are the
 * counts_before of their words (see lane_score.h). */
#define DEFINE_FIND_ENTRIES(name, target, count_t, SUM)                                         \
    target static void name(const chunk_entries *chunk, const int32_t *positions,               \
                            const uint64_t *counts_before, int64_t size, entry_range *ranges) { \
        const count_t *counts = (const count_t *)chunk->counts;                                 \
        int64_t at;                                                                             \
        for (at = 0; at < size; at++) {                                                         \
            const uint32_t first_of_word = (uint32_t)counts_before[at];                         \
            const uint32_t position = (uint32_t)positions[at];                                  \
            const int64_t start =                                                               \
                (uint32_t)(counts_before[at] >> 32)                                             \
                + SUM(counts + first_of_word, position - first_of_word,                         \
                      chunk->n_counts - first_of_word);                                         \
            const int64_t stop = start + counts[position];                                      \
            ranges[at].start = (uint32_t)start;                                                 \
            ranges[at].stop = (uint32_t)stop;                                                   \
            PREFETCH(chunk->children + chunk->child_bytes * start);                             \
            PREFETCH(chunk->weights + chunk->weight_bytes * start);                             \
            PREFETCH(chunk->weights + chunk->weight_bytes * (stop - 1));                        \
        }                                                                                       \
    }

/* Define a function that adds value * weight to the margin of the child of each entry, for any
 * number of children. */
#define DEFINE_ADD_ENTRY_PRODUCTS(name, child_t, weight_t, VALUE)              \
    static void name(const chunk_entries *chunk, const entry_range *ranges,    \
                     const float *values, int64_t size, float *margins) {      \
        const child_t *children = (const child_t *)chunk->children;            \
        const weight_t *weights = (const weight_t *)chunk->weights;            \
        const float scale = chunk->scale;                                      \
        int64_t at;                                                            \
        uint32_t e;                                                            \
        for (at = 0; at < size; at++)                                          \
            for (e = ranges[at].start; e < ranges[at].stop; e++) {             \
                float product = values[at] * VALUE(weights[e], scale);         \
                ROUND_PRODUCT(product);                                        \
                margins[children[e]] += product;                               \
            }                                                                  \
    }

DEFINE_FIND_ENTRIES(find_entries_uint8, , uint8_t, SUM_UINT8)
DEFINE_FIND_ENTRIES(find_entries_uint16, , uint16_t, SUM_UINT16)
#if defined(__GNUC__) && defined(__x86_64__)
DEFINE_FIND_ENTRIES(find_entries_uint8_avx2, __attribute__((target("avx2"))), uint8_t,
                    SUM_UINT8_AVX2)
#endif
/* Names: type of the child indices, type of the weights. */
DEFINE_ADD_ENTRY_PRODUCTS(add_entry_products_uint8_float32, uint8_t, float, FLOAT32_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS(add_entry_products_uint8_float16, uint8_t, uint16_t, FLOAT16_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS(add_entry_products_uint8_int8, uint8_t, int8_t, INT8_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS(add_entry_products_uint16_float32, uint16_t, float, FLOAT32_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS(add_entry_products_uint16_float16, uint16_t, uint16_t, FLOAT16_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS(add_entry_products_uint16_int8, uint16_t, int8_t, INT8_VALUE)

#endif
