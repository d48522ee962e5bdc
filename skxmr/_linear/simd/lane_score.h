/* The inner steps of scoring; see _margins.pyx. Included once for each instruction set.
 *
 * The feature set of a chunk is a bitmap of two levels. The summary has a bit for each word of 64
 * features, set where the word is not empty; only such words are stored, each beside the numbers of
 * features (low half) and of entries (high half) in the chunk before it. `approach` asks for the
 * words of a row's features.
 */
LANE_TARGET static void LANE_NAME(approach)(const feature_set *set, const int32_t *indices,
                                      int64_t size) {
    int64_t e;
    for (e = 0; e < size; e++) {
        const uint32_t word = (uint32_t)indices[e] >> 6;
        const uint64_t summary = set->summary[word >> 6];
        const uint32_t rank = set->summary_rank[word >> 6]
                              + POPCOUNT(summary & (((uint64_t)1 << (word & 63)) - 1));
        PREFETCH(set->words + 2 * (int64_t)rank);
    }
}

/* Appends the position in the chunk, what stands before the word, and the value of every feature
 * found, without a branch, and returns how many there are. */
LANE_TARGET static int64_t LANE_NAME(find)(const feature_set *set, const int32_t *indices,
                                     const float *data, int64_t size, int32_t *places,
                                     uint64_t *before, float *values) {
    int64_t n = 0, e;
    for (e = 0; e < size; e++) {
        const uint32_t feature = (uint32_t)indices[e], word = feature >> 6;
        const uint64_t summary = set->summary[word >> 6];
        const uint32_t rank = set->summary_rank[word >> 6]
                              + POPCOUNT(summary & (((uint64_t)1 << (word & 63)) - 1));
        /* Of an absent word the next one is read: there is always one more, and it counts not. */
        const uint64_t bits = set->words[2 * (int64_t)rank];
        before[n] = set->words[2 * (int64_t)rank + 1];
        places[n] = (int32_t)((uint32_t)before[n]
                              + POPCOUNT(bits & (((uint64_t)1 << (feature & 63)) - 1)));
        values[n] = data[e];
        n += (int64_t)(summary >> (word & 63) & bits >> (feature & 63) & 1);
    }
    return n;
}

/* A vector of weights as floats. */
LANE_TARGET static inline VEC_F LANE_NAME(float16_values)(const uint16_t *weights, int part) {
#if defined(__GNUC__) /* as half_value in entries.h */
    const VEC_I bits = __builtin_convertvector(((const VEC_H *)weights)[part], VEC_I);
    const VEC_I magnitude = (bits & 0x7FFF) << 13, small = magnitude < 1 << 23;
    const VEC_F value = (VEC_F)(magnitude + (112 << 23) + (small & 1 << 23))
                        - (VEC_F)(small & 113 << 23);
    return (VEC_F)((VEC_I)value | (bits & 0x8000) << 16);
#else
    return half_value(weights[part]);
#endif
}

#define FLOAT32_VECTOR(weights, part) LOAD(weights, part)
#define FLOAT16_VECTOR(weights, part) LANE_NAME(float16_values)(weights, part)
#define INT8_VECTOR(weights, part) (TO_FLOATS(((const VEC_B *)(weights))[part]) * chunk_scale)

/* Adds value * weights to the margins of up to LANES children, rows of the table by place. */
#define MARGINS(name, weight_t, VECTOR)                                                        \
    LANE_TARGET static void name(const void *table, float chunk_scale, const int32_t *places,  \
                                 const float *values, int64_t size, float *margins) {          \
        const weight_t *rows = (const weight_t *)table;                                        \
        VEC_F sum[ACROSS][PARTS];                                                              \
        int64_t e = 0;                                                                         \
        int p, q;                                                                              \
        (void)chunk_scale;                                                                     \
        for (p = 0; p < PARTS; p++) {                                                          \
            sum[0][p] = LOAD(margins, p);                                                      \
            for (q = 1; q < ACROSS; q++) sum[q][p] = ALL(0.0f);                                \
        }                                                                                      \
        for (; e + ACROSS <= size; e += ACROSS)                                                \
            for (q = 0; q < ACROSS; q++)                                                       \
                for (p = 0; p < PARTS; p++)                                                    \
                    sum[q][p] += VECTOR(rows + (int64_t)LANES * places[e + q], p)              \
                                 * values[e + q];                                              \
        for (; e < size; e++)                                                                  \
            for (p = 0; p < PARTS; p++)                                                        \
                sum[0][p] += VECTOR(rows + (int64_t)LANES * places[e], p) * values[e];         \
        for (p = 0; p < PARTS; p++) {                                                          \
            for (q = 1; q < ACROSS; q++) sum[0][p] += sum[q][p];                               \
            STORE(margins, p, sum[0][p]);                                                      \
        }                                                                                      \
    }

MARGINS(LANE_NAME(margins_float32), float, FLOAT32_VECTOR)
MARGINS(LANE_NAME(margins_float16), uint16_t, FLOAT16_VECTOR)
MARGINS(LANE_NAME(margins_int8), int8_t, INT8_VECTOR)
#undef FLOAT32_VECTOR
#undef FLOAT16_VECTOR
#undef INT8_VECTOR
#undef MARGINS

/* Adds value * weight to the margins of up to LANES children: the same sums as vectors of
 * the same weights make, to the bit. */
#define ADD_FEW(name, weight_t, VALUE)                                                         \
    LANE_TARGET static void name(const chunk_entries *chunk, const entry_run *runs,            \
                                 const float *values, int64_t size, float *margins) {          \
        const uint8_t *children = (const uint8_t *)chunk->children;                            \
        const weight_t *weights = (const weight_t *)chunk->weights;                            \
        const float scale = chunk->scale;                                                      \
        const int64_t whole = size - size % ACROSS;                                            \
        float sum[ACROSS][LANES] = {{0}};                                                      \
        int64_t at;                                                                            \
        uint32_t e;                                                                            \
        int q, lane;                                                                           \
        (void)scale;                                                                           \
        memcpy(sum[0], margins, sizeof(sum[0]));                                               \
        for (at = 0; at < size; at++) {                                                        \
            float *own = sum[at < whole ? at % ACROSS : 0];                                    \
            for (e = runs[at].start; e < runs[at].end; e++)                                    \
                own[children[e]] += VALUE(weights[e]) * values[at];                            \
        }                                                                                      \
        for (q = 1; q < ACROSS; q++)                                                           \
            for (lane = 0; lane < LANES; lane++) sum[0][lane] += sum[q][lane];                 \
        memcpy(margins, sum[0], sizeof(sum[0]));                                               \
    }

ADD_FEW(LANE_NAME(add_few_float32), float, FLOAT32_VALUE)
ADD_FEW(LANE_NAME(add_few_float16), uint16_t, FLOAT16_VALUE)
ADD_FEW(LANE_NAME(add_few_int8), int8_t, INT8_VALUE)
#undef ADD_FEW
