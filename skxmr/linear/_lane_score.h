/* The two inner steps of scoring; see _scoring.pyx. Included once for each instruction set.
 *
 * `find` looks the features of a row up in the feature set of a chunk: a bitmap of two levels.
 * The summary has a bit for each word of 64 features, set where the word is not empty; only such
 * words are stored. Ranks count the words, and the features, before. Appends the position in the
 * chunk and the value of every feature found, without a branch, and returns how many there are.
 */
LANE_TARGET static int64_t LANE_NAME(find)(const feature_set *set, const int32_t *indices,
                                     const float *data, int64_t size, int32_t *places,
                                     float *values) {
    int64_t n = 0, e;
    for (e = 0; e < size; e++) {
        const uint32_t feature = (uint32_t)indices[e], word = feature >> 6;
        const uint64_t summary = set->summary[word >> 6];
        const uint32_t rank = set->summary_rank[word >> 6]
                              + POPCOUNT(summary & (((uint64_t)1 << (word & 63)) - 1));
        /* Of an absent word the next one is read: there is always one more, and it counts not. */
        const uint64_t bits = set->words[rank];
        places[n] = (int32_t)(set->word_rank[rank]
                              + POPCOUNT(bits & (((uint64_t)1 << (feature & 63)) - 1)));
        values[n] = data[e];
        n += (int64_t)(summary >> (word & 63) & bits >> (feature & 63) & 1);
    }
    return n;
}

/* Adds value * weights to the margins of up to LANES children, rows of the table by place. */
LANE_TARGET static void LANE_NAME(margins)(const float *table, const int32_t *places,
                                     const float *values, int64_t size, float *margins) {
    VEC_F sum[ACROSS][PARTS];
    int64_t e = 0;
    int p, q;
    for (p = 0; p < PARTS; p++) {
        sum[0][p] = LOAD(margins, p);
        for (q = 1; q < ACROSS; q++) sum[q][p] = ALL(0.0f);
    }
    for (; e + ACROSS <= size; e += ACROSS)
        for (q = 0; q < ACROSS; q++)
            for (p = 0; p < PARTS; p++)
                sum[q][p] += LOAD(table + (int64_t)LANES * places[e + q], p) * values[e + q];
    for (; e < size; e++)
        for (p = 0; p < PARTS; p++)
            sum[0][p] += LOAD(table + (int64_t)LANES * places[e], p) * values[e];
    for (p = 0; p < PARTS; p++) {
        for (q = 1; q < ACROSS; q++) sum[0][p] += sum[q][p];
        STORE(margins, p, sum[0][p]);
    }
}
