/* Weights of a chunk as entries: how they are stored, found and added to margins.
 *
 * A feature has a run of entries (child, weight). Where the run begins follows from the entries
 * before the feature's word of the bitmap, which is stored, and the counts of the features before
 * it in the word: no table of offsets is needed. Whatever the type of the weights, margins are sums
 * of float32 in the order of the features.
 */
#ifndef SKXMR_ENTRIES_H
#define SKXMR_ENTRIES_H

#include <stdint.h>
#include <string.h>

#include "lanes.h"

/* The value of a float16, by its bits; there are no infinities among weights. Exact for subnormal
 * numbers too, also where the processor was told to flush those of float32 to zero. */
static inline float half_value(uint16_t half) {
    const uint32_t magnitude = (uint32_t)(half & 0x7FFFu) << 13;
    const uint32_t least = 113u << 23; /* 2**-14, the least normal number */
    uint32_t bits = magnitude < 1u << 23 ? magnitude + least : magnitude + (112u << 23);
    float value, base;
    memcpy(&value, &bits, sizeof(value));
    memcpy(&base, &least, sizeof(base));
    if (magnitude < 1u << 23) value -= base;
    memcpy(&bits, &value, sizeof(bits));
    bits |= (uint32_t)(half & 0x8000u) << 16;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

#define FLOAT32_VALUE(weight) (weight)
#define FLOAT16_VALUE(weight) half_value(weight)
#define INT8_VALUE(weight) ((float)(weight) * scale)

/* The sum of n counts, less than 64. */
static inline uint32_t sum_16(const uint16_t *counts, uint32_t n) {
    uint32_t total = 0, at;
    for (at = 0; at < n; at++) total += counts[at];
    return total;
}

static inline uint32_t sum_8(const uint8_t *counts, uint32_t n) {
    /* Eight at a time. */
    const uint64_t even = 0x00FF00FF00FF00FFu;
    uint64_t pairs = 0, eight;
    uint32_t total, at = 0;
    for (; at + 8 <= n; at += 8) {
        memcpy(&eight, counts + at, sizeof(eight));
        pairs += (eight & even) + (eight >> 8 & even);
    }
    total = (uint32_t)(pairs * 0x0001000100010001u >> 48);
    for (; at < n; at++) total += counts[at];
    return total;
}

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

/* The same without a loop, whose length would be mispredicted; reads 64 counts. */
__attribute__((target("avx2"))) static inline uint32_t sum_8_avx2(const uint8_t *counts,
                                                                  uint32_t n) {
    const __m256i at = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
    const __m256i low = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)counts),
        _mm256_cmpgt_epi8(_mm256_set1_epi8((char)n), at));
    const __m256i high = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(counts + 32)),
        _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(n - 32)), at));
    const __m256i zero = _mm256_setzero_si256();
    const __m256i four =
        _mm256_add_epi64(_mm256_sad_epu8(low, zero), _mm256_sad_epu8(high, zero));
    const __m128i two =
        _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    return (uint32_t)(_mm_cvtsi128_si64(two) + _mm_extract_epi64(two, 1));
}
#endif

/* From the places of features, and what stands before their words, to their runs, whose entries are
 * asked for. */
#define LOCATE(name, target, count_t, SUM)                                                     \
    target static void name(const chunk_entries *chunk, const int32_t *places,                 \
                            const uint64_t *before, int64_t size, entry_run *runs) {           \
        const count_t *counts = (const count_t *)chunk->counts;                                \
        int64_t at;                                                                            \
        for (at = 0; at < size; at++) {                                                        \
            const uint32_t first = (uint32_t)before[at], place = (uint32_t)places[at];         \
            const int64_t start =                                                              \
                (uint32_t)(before[at] >> 32)                                                   \
                + SUM(counts + first, place - first, chunk->n_counts - first);                 \
            const int64_t end = start + counts[place];                                         \
            runs[at].start = (uint32_t)start;                                                  \
            runs[at].end = (uint32_t)end;                                                      \
            PREFETCH(chunk->children + chunk->child_bytes * start);                            \
            PREFETCH(chunk->weights + chunk->weight_bytes * start);                            \
            PREFETCH(chunk->weights + chunk->weight_bytes * (end - 1));                        \
        }                                                                                      \
    }
#define SUM_8(counts, n, most) sum_8(counts, n)
#define SUM_16(counts, n, most) sum_16(counts, n)
#define SUM_8_AVX2(counts, n, most) ((most) >= 64 ? sum_8_avx2(counts, n) : sum_8(counts, n))

/* Adds value * weight to the margins of any number of children. */
#define ADD_ENTRIES(name, child_t, weight_t, VALUE)                                            \
    static void name(const chunk_entries *chunk, const entry_run *runs, const float *values,   \
                     int64_t size, float *margins) {                                           \
        const child_t *children = (const child_t *)chunk->children;                            \
        const weight_t *weights = (const weight_t *)chunk->weights;                            \
        const float scale = chunk->scale;                                                      \
        int64_t at;                                                                            \
        uint32_t e;                                                                            \
        (void)scale;                                                                           \
        for (at = 0; at < size; at++)                                                          \
            for (e = runs[at].start; e < runs[at].end; e++)                                    \
                margins[children[e]] += values[at] * VALUE(weights[e]);                        \
    }

LOCATE(locate_8, , uint8_t, SUM_8)
LOCATE(locate_16, , uint16_t, SUM_16)
#if defined(__GNUC__) && defined(__x86_64__)
LOCATE(locate_8_avx2, __attribute__((target("avx2"))), uint8_t, SUM_8_AVX2)
#endif
ADD_ENTRIES(add_8_float32, uint8_t, float, FLOAT32_VALUE)
ADD_ENTRIES(add_8_float16, uint8_t, uint16_t, FLOAT16_VALUE)
ADD_ENTRIES(add_8_int8, uint8_t, int8_t, INT8_VALUE)
ADD_ENTRIES(add_16_float32, uint16_t, float, FLOAT32_VALUE)
ADD_ENTRIES(add_16_float16, uint16_t, uint16_t, FLOAT16_VALUE)
ADD_ENTRIES(add_16_int8, uint16_t, int8_t, INT8_VALUE)

#endif
