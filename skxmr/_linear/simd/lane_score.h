/* Scoring kernels for one instruction set: find the features that a row shares with a chunk, and
 * add their products to the margins of the children. See margins.pyx; included by lane_kernels.h.
 *
 * The features of a chunk are a bitmap of two levels. Features are grouped into words of 64 bits.
 * The summary has one bit per word, which is set if the word is not zero. Only nonzero words are
 * stored, each as a pair (word, counts_before): counts_before are the features (low half) and
 * entries (high half) of the chunk before the word. summary_ranks are the stored words before each
 * word of the summary.
 */

/* Prefetch the words that find_shared_features will read. */
KERNEL_TARGET static void KERNEL_NAME(prefetch_words)(const feature_set *set,
                                                      const int32_t *indices, int64_t size) {
    int64_t e;
    for (e = 0; e < size; e++) {
        const uint32_t word = (uint32_t)indices[e] >> 6;
        const uint64_t summary = set->summary[word >> 6];
        const uint32_t rank = set->summary_ranks[word >> 6]
                              + POPCOUNT(summary & (((uint64_t)1 << (word & 63)) - 1));
        PREFETCH(set->ranked_words + 2 * (int64_t)rank);
    }
}

/* Find the features of a row that the chunk has. For each, write its position in the chunk, the
 * counts_before of its word and its value in the row. Return the number of features found.
 *
 * The loop has no branch: it writes every feature, and advances only if the chunk has it. */
KERNEL_TARGET static int64_t KERNEL_NAME(find_shared_features)(
    const feature_set *set, const int32_t *indices, const float *data, int64_t size,
    int32_t *positions, uint64_t *counts_before, float *values) {
    int64_t n_found = 0, e;
    for (e = 0; e < size; e++) {
        const uint32_t feature = (uint32_t)indices[e], word = feature >> 6;
        const uint64_t summary = set->summary[word >> 6];
        const uint32_t rank = set->summary_ranks[word >> 6]
                              + POPCOUNT(summary & (((uint64_t)1 << (word & 63)) - 1));
        /* If the word is not stored, this reads the next word, and the summary bit below discards
         * the result. A zero word after the last one keeps the read inside the array. */
        const uint64_t bits = set->ranked_words[2 * (int64_t)rank];
        counts_before[n_found] = set->ranked_words[2 * (int64_t)rank + 1];
        positions[n_found] = (int32_t)((uint32_t)counts_before[n_found]
                                       + POPCOUNT(bits & (((uint64_t)1 << (feature & 63)) - 1)));
        values[n_found] = data[e];
        n_found += (int64_t)(summary >> (word & 63) & bits >> (feature & 63) & 1);
    }
    return n_found;
}

/* Convert a vector of float16 weights to floats, as float16_to_float in entries.h does. */
KERNEL_TARGET static inline FLOAT_VECTOR KERNEL_NAME(load_float16)(const uint16_t *weights,
                                                                   int vector) {
#if defined(__GNUC__)
    const INT_VECTOR bits =
        __builtin_convertvector(((const UINT16_VECTOR *)weights)[vector], INT_VECTOR);
    const INT_VECTOR magnitude = (bits & 0x7FFF) << 13, subnormal = magnitude < 1 << 23;
    const FLOAT_VECTOR value = (FLOAT_VECTOR)(magnitude + (112 << 23) + (subnormal & 1 << 23))
                               - (FLOAT_VECTOR)(subnormal & 113 << 23);
    return (FLOAT_VECTOR)((INT_VECTOR)value | (bits & 0x8000) << 16);
#else
    return float16_to_float(weights[vector]);
#endif
}

/* Load a vector of stored weights as floats. Only int8 weights have a scale. */
#define LOAD_FLOAT32(weights, vector, scale) ((void)(scale), LOAD(weights, vector))
#define LOAD_FLOAT16(weights, vector, scale) \
    ((void)(scale), KERNEL_NAME(load_float16)(weights, vector))
#define LOAD_INT8(weights, vector, scale) \
    (CONVERT_TO_FLOAT(((const INT8_VECTOR *)(weights))[vector]) * (scale))

/* Define a function that adds value * weights to the margins of up to LANES children. dense_weights
 * has LANES weights per feature of the chunk. */
#define DEFINE_ADD_DENSE_PRODUCTS(name, weight_t, LOAD_WEIGHTS)                               \
    KERNEL_TARGET static void name(const void *dense_weights, float scale,                    \
                                   const int32_t *positions, const float *values,             \
                                   int64_t size, float *margins) {                            \
        const weight_t *weights = (const weight_t *)dense_weights;                            \
        FLOAT_VECTOR sums[UNROLL][N_VECTORS];                                                 \
        int64_t e = 0;                                                                        \
        int v, i;                                                                             \
        for (v = 0; v < N_VECTORS; v++) {                                                     \
            sums[0][v] = LOAD(margins, v);                                                    \
            for (i = 1; i < UNROLL; i++) sums[i][v] = BROADCAST(0.0f);                        \
        }                                                                                     \
        for (; e + UNROLL <= size; e += UNROLL)                                               \
            for (i = 0; i < UNROLL; i++)                                                      \
                for (v = 0; v < N_VECTORS; v++)                                               \
                    sums[i][v] +=                                                             \
                        LOAD_WEIGHTS(weights + (int64_t)LANES * positions[e + i], v, scale)   \
                        * values[e + i];                                                      \
        for (; e < size; e++)                                                                 \
            for (v = 0; v < N_VECTORS; v++)                                                   \
                sums[0][v] += LOAD_WEIGHTS(weights + (int64_t)LANES * positions[e], v, scale) \
                              * values[e];                                                    \
        for (v = 0; v < N_VECTORS; v++) {                                                     \
            for (i = 1; i < UNROLL; i++) sums[0][v] += sums[i][v];                            \
            STORE(margins, v, sums[0][v]);                                                    \
        }                                                                                     \
    }

DEFINE_ADD_DENSE_PRODUCTS(KERNEL_NAME(add_dense_products_float32), float, LOAD_FLOAT32)
DEFINE_ADD_DENSE_PRODUCTS(KERNEL_NAME(add_dense_products_float16), uint16_t, LOAD_FLOAT16)
DEFINE_ADD_DENSE_PRODUCTS(KERNEL_NAME(add_dense_products_int8), int8_t, LOAD_INT8)
#undef DEFINE_ADD_DENSE_PRODUCTS

/* Define a function that does the same for ROWS_TOGETHER rows that have all features of the chunk.
 * values[row] are the values of these features. The weights are loaded once for all rows. The sum of
 * each row has the same order as above. */
#define DEFINE_ADD_DENSE_PRODUCTS_OF_ROWS(name, weight_t, LOAD_WEIGHTS)                             \
    KERNEL_TARGET static void name(const void *dense_weights, float scale,                          \
                                   const float *const *values, int64_t size,                        \
                                   float *const *margins) {                                         \
        const weight_t *weights = (const weight_t *)dense_weights;                                  \
        FLOAT_VECTOR sums[ROWS_TOGETHER][UNROLL][N_VECTORS];                                        \
        int64_t e = 0;                                                                              \
        int row, v, i;                                                                              \
        for (row = 0; row < ROWS_TOGETHER; row++)                                                   \
            for (v = 0; v < N_VECTORS; v++) {                                                       \
                sums[row][0][v] = LOAD(margins[row], v);                                            \
                for (i = 1; i < UNROLL; i++) sums[row][i][v] = BROADCAST(0.0f);                     \
            }                                                                                       \
        for (; e + UNROLL <= size; e += UNROLL)                                                     \
            for (i = 0; i < UNROLL; i++)                                                            \
                for (v = 0; v < N_VECTORS; v++) {                                                   \
                    const FLOAT_VECTOR w = LOAD_WEIGHTS(weights + (int64_t)LANES * (e + i), v, scale); \
                    for (row = 0; row < ROWS_TOGETHER; row++)                                       \
                        sums[row][i][v] += w * values[row][e + i];                                  \
                }                                                                                   \
        for (; e < size; e++)                                                                       \
            for (v = 0; v < N_VECTORS; v++) {                                                       \
                const FLOAT_VECTOR w = LOAD_WEIGHTS(weights + (int64_t)LANES * e, v, scale);        \
                for (row = 0; row < ROWS_TOGETHER; row++) sums[row][0][v] += w * values[row][e];    \
            }                                                                                       \
        for (row = 0; row < ROWS_TOGETHER; row++)                                                   \
            for (v = 0; v < N_VECTORS; v++) {                                                       \
                for (i = 1; i < UNROLL; i++) sums[row][0][v] += sums[row][i][v];                    \
                STORE(margins[row], v, sums[row][0][v]);                                            \
            }                                                                                       \
    }

DEFINE_ADD_DENSE_PRODUCTS_OF_ROWS(KERNEL_NAME(add_dense_products_of_rows_float32), float,
                                  LOAD_FLOAT32)
DEFINE_ADD_DENSE_PRODUCTS_OF_ROWS(KERNEL_NAME(add_dense_products_of_rows_float16), uint16_t,
                                  LOAD_FLOAT16)
DEFINE_ADD_DENSE_PRODUCTS_OF_ROWS(KERNEL_NAME(add_dense_products_of_rows_int8), int8_t, LOAD_INT8)
#undef DEFINE_ADD_DENSE_PRODUCTS_OF_ROWS

/* Add the products of n_groups * LANES children from `first` on. */
#define ADD_GROUPS(n_groups, weight_t, LOAD_WEIGHTS)                                              \
    {                                                                                             \
        FLOAT_VECTOR sums[(n_groups) * N_VECTORS];                                                \
        for (v = 0; v < (n_groups) * N_VECTORS; v++) sums[v] = LOAD(margins + first, v);          \
        for (e = 0; e < size; e++) {                                                              \
            const weight_t *weights =                                                             \
                (const weight_t *)dense_weights + n_lanes * (int64_t)positions[e] + first;        \
            for (v = 0; v < (n_groups) * N_VECTORS; v++) {                                        \
                FLOAT_VECTOR product = LOAD_WEIGHTS(weights, v, scale) * values[e];               \
                ROUND_PRODUCT(product);                                                           \
                sums[v] += product;                                                               \
            }                                                                                     \
        }                                                                                         \
        for (v = 0; v < (n_groups) * N_VECTORS; v++) STORE(margins + first, v, sums[v]);          \
        first += (n_groups) * LANES;                                                              \
    }

/* Define a function that adds value * weights to the margins of many children. dense_weights has
 * n_lanes weights per feature of the chunk, a multiple of LANES. It adds in the same order as
 * add_entry_products, so both give bit-identical margins. */
#define DEFINE_ADD_WIDE_PRODUCTS(name, weight_t, LOAD_WEIGHTS)                                 \
    KERNEL_TARGET static void name(const void *dense_weights, int64_t n_lanes, float scale,    \
                                   const int32_t *positions, const float *values,              \
                                   int64_t size, float *margins) {                             \
        int64_t first = 0, e;                                                                  \
        int v;                                                                                 \
        while (first + 4 * LANES <= n_lanes) ADD_GROUPS(4, weight_t, LOAD_WEIGHTS)             \
        while (first < n_lanes) ADD_GROUPS(1, weight_t, LOAD_WEIGHTS)                          \
    }

DEFINE_ADD_WIDE_PRODUCTS(KERNEL_NAME(add_wide_products_float32), float, LOAD_FLOAT32)
DEFINE_ADD_WIDE_PRODUCTS(KERNEL_NAME(add_wide_products_float16), uint16_t, LOAD_FLOAT16)
DEFINE_ADD_WIDE_PRODUCTS(KERNEL_NAME(add_wide_products_int8), int8_t, LOAD_INT8)
#undef DEFINE_ADD_WIDE_PRODUCTS
#undef ADD_GROUPS

/* Add the products of n_groups * LANES children from `first` on, for ROWS_TOGETHER rows. */
#define ADD_GROUPS_OF_ROWS(n_groups, weight_t, LOAD_WEIGHTS)                               \
    {                                                                                      \
        FLOAT_VECTOR sums[ROWS_TOGETHER][(n_groups) * N_VECTORS];                          \
        for (row = 0; row < ROWS_TOGETHER; row++)                                          \
            for (v = 0; v < (n_groups) * N_VECTORS; v++)                                   \
                sums[row][v] = LOAD(margins[row] + first, v);                              \
        for (e = 0; e < size; e++) {                                                       \
            const weight_t *weights = (const weight_t *)dense_weights + n_lanes * e + first; \
            for (v = 0; v < (n_groups) * N_VECTORS; v++) {                                 \
                const FLOAT_VECTOR w = LOAD_WEIGHTS(weights, v, scale);                    \
                for (row = 0; row < ROWS_TOGETHER; row++) {                                \
                    FLOAT_VECTOR product = w * values[row][e];                             \
                    ROUND_PRODUCT(product);                                                \
                    sums[row][v] += product;                                               \
                }                                                                          \
            }                                                                              \
        }                                                                                  \
        for (row = 0; row < ROWS_TOGETHER; row++)                                          \
            for (v = 0; v < (n_groups) * N_VECTORS; v++)                                   \
                STORE(margins[row] + first, v, sums[row][v]);                              \
        first += (n_groups) * LANES;                                                       \
    }

/* Define a function that does the same as add_wide_products for ROWS_TOGETHER rows that have all
 * features of the chunk. The groups of children are as large as the registers permit. */
#define DEFINE_ADD_WIDE_PRODUCTS_OF_ROWS(name, weight_t, LOAD_WEIGHTS)                              \
    KERNEL_TARGET static void name(const void *dense_weights, int64_t n_lanes, float scale,         \
                                   const float *const *values, int64_t size,                        \
                                   float *const *margins) {                                         \
        const int n_groups = N_VECTORS < 4 ? 4 / N_VECTORS : 1;                                     \
        int64_t first = 0, e;                                                                       \
        int row, v;                                                                                 \
        while (first + n_groups * LANES <= n_lanes)                                                 \
            ADD_GROUPS_OF_ROWS(N_VECTORS < 4 ? 4 / N_VECTORS : 1, weight_t, LOAD_WEIGHTS)           \
        while (first < n_lanes) ADD_GROUPS_OF_ROWS(1, weight_t, LOAD_WEIGHTS)                       \
    }

DEFINE_ADD_WIDE_PRODUCTS_OF_ROWS(KERNEL_NAME(add_wide_products_of_rows_float32), float,
                                 LOAD_FLOAT32)
DEFINE_ADD_WIDE_PRODUCTS_OF_ROWS(KERNEL_NAME(add_wide_products_of_rows_float16), uint16_t,
                                 LOAD_FLOAT16)
DEFINE_ADD_WIDE_PRODUCTS_OF_ROWS(KERNEL_NAME(add_wide_products_of_rows_int8), int8_t, LOAD_INT8)
#undef DEFINE_ADD_WIDE_PRODUCTS_OF_ROWS
#undef ADD_GROUPS_OF_ROWS

#define ADD_ENTRIES_OF_ROWS(n_vectors, VALUE)                                           \
    for (f = 0; f < n_features; f++) {                                                  \
        const float *column = values + WIDTH * (n_vectors) * (int64_t)columns[f];       \
        FLOAT_VECTOR x[n_vectors];                                                      \
        for (v = 0; v < (n_vectors); v++) x[v] = LOAD(column, v);                       \
        stop += count_bytes == 1 ? ((const uint8_t *)chunk->counts)[f]                  \
                                 : ((const uint16_t *)chunk->counts)[f];                \
        for (; e < stop; e++) {                                                         \
            float *sums = margins + WIDTH * (n_vectors) * (int64_t)children[e];         \
            const float w = VALUE(weights[e], scale);                                   \
            for (v = 0; v < (n_vectors); v++) {                                         \
                FLOAT_VECTOR product = x[v] * w;                                        \
                ROUND_PRODUCT(product);                                                 \
                STORE(sums, v, LOAD(sums, v) + product);                                \
            }                                                                           \
        }                                                                               \
    }

/* Define a function that adds the products of entries for n_rows rows that have all features of the
 * chunk, one row per lane. n_rows is LANES or 2 * LANES. It adds in the order of add_entry_products,
 * so both give bit-identical margins. */
#define DEFINE_ADD_ENTRY_PRODUCTS_OF_ROWS(name, child_t, weight_t, VALUE)              \
    KERNEL_TARGET static void name(const chunk_entries *chunk, const int32_t *columns, \
                                   int64_t n_features, int64_t count_bytes,            \
                                   const float *values, int n_rows, float *margins) {  \
        const child_t *children = (const child_t *)chunk->children;                    \
        const weight_t *weights = (const weight_t *)chunk->weights;                    \
        const float scale = chunk->scale;                                              \
        int64_t f, e = 0, stop = 0;                                                    \
        int v;                                                                         \
        if (n_rows == LANES) {                                                         \
            ADD_ENTRIES_OF_ROWS(N_VECTORS, VALUE)                                      \
        } else {                                                                       \
            ADD_ENTRIES_OF_ROWS(2 * N_VECTORS, VALUE)                                  \
        }                                                                              \
    }

DEFINE_ADD_ENTRY_PRODUCTS_OF_ROWS(KERNEL_NAME(add_entry_products_of_rows_uint8_float32), uint8_t,
                                  float, FLOAT32_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS_OF_ROWS(KERNEL_NAME(add_entry_products_of_rows_uint8_float16), uint8_t,
                                  uint16_t, FLOAT16_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS_OF_ROWS(KERNEL_NAME(add_entry_products_of_rows_uint8_int8), uint8_t,
                                  int8_t, INT8_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS_OF_ROWS(KERNEL_NAME(add_entry_products_of_rows_uint16_float32), uint16_t,
                                  float, FLOAT32_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS_OF_ROWS(KERNEL_NAME(add_entry_products_of_rows_uint16_float16), uint16_t,
                                  uint16_t, FLOAT16_VALUE)
DEFINE_ADD_ENTRY_PRODUCTS_OF_ROWS(KERNEL_NAME(add_entry_products_of_rows_uint16_int8), uint16_t,
                                  int8_t, INT8_VALUE)
#undef DEFINE_ADD_ENTRY_PRODUCTS_OF_ROWS
#undef ADD_ENTRIES_OF_ROWS
#undef LOAD_FLOAT32
#undef LOAD_FLOAT16
#undef LOAD_INT8

/* Define a function that adds the products of entries to the margins of up to LANES children. It
 * adds in the same order as add_dense_products, so both give bit-identical margins. */
#define DEFINE_ADD_FEW_ENTRY_PRODUCTS(name, weight_t, VALUE)                              \
    KERNEL_TARGET static void name(const chunk_entries *chunk, const entry_range *ranges, \
                                   const float *values, int64_t size, float *margins) {   \
        const uint8_t *children = (const uint8_t *)chunk->children;                       \
        const weight_t *weights = (const weight_t *)chunk->weights;                       \
        const float scale = chunk->scale;                                                 \
        const int64_t unrolled_size = size - size % UNROLL;                               \
        float sums[UNROLL][LANES] = {{0}};                                                \
        int64_t at;                                                                       \
        uint32_t e;                                                                       \
        int i, lane;                                                                      \
        memcpy(sums[0], margins, sizeof(sums[0]));                                        \
        for (at = 0; at < size; at++) {                                                   \
            float *sum = sums[at < unrolled_size ? at % UNROLL : 0];                      \
            for (e = ranges[at].start; e < ranges[at].stop; e++)                          \
                sum[children[e]] += VALUE(weights[e], scale) * values[at];                \
        }                                                                                 \
        for (i = 1; i < UNROLL; i++)                                                      \
            for (lane = 0; lane < LANES; lane++) sums[0][lane] += sums[i][lane];          \
        memcpy(margins, sums[0], sizeof(sums[0]));                                        \
    }

DEFINE_ADD_FEW_ENTRY_PRODUCTS(KERNEL_NAME(add_few_entry_products_float32), float, FLOAT32_VALUE)
DEFINE_ADD_FEW_ENTRY_PRODUCTS(KERNEL_NAME(add_few_entry_products_float16), uint16_t, FLOAT16_VALUE)
DEFINE_ADD_FEW_ENTRY_PRODUCTS(KERNEL_NAME(add_few_entry_products_int8), int8_t, INT8_VALUE)
#undef DEFINE_ADD_FEW_ENTRY_PRODUCTS
