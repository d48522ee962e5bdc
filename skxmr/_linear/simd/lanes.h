/* Types shared by the SIMD kernels. A lane is one element of a vector register and holds one child
 * of a cluster. */
#ifndef SKXMR_LANES_H
#define SKXMR_LANES_H

#include <stdint.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

/* Children per group in training, and weights per feature in dense_weights; see margins.pyx. */
#define LANES 16
/* Children per group in training if no more than this many are left. */
#define FEW_LANES 4
/* Rows that are scored or visited together if they have all features. */
#define ROWS_TOGETHER 4
/* Rows that are scored together with sparse entries, at most. Twice as many rows as lanes read each
 * entry half as often: 2,000 rows against 50,000 labels took 17 instead of 19 microseconds per row
 * (768 features, November 2026). */
#define MAX_ENTRY_ROWS (2 * LANES)

/* Losses; LOSSES in training.py has the same numbers. */
#define SQUARED_HINGE 0
#define HINGE 1
#define LOGISTIC_LOSS 2
#define N_LOSSES 3

/* Constants of a training row in the dual problem. A singleton feature occurs in no other row of
 * the cluster; see compact_rows.pyx. */
typedef struct {
    float singleton_squared_norm; /* of the singleton features */
    float squared_norm;           /* of all features, including the constant feature 1 */
    float cost;                   /* of an error if the row is a negative of the child */
} row_terms;

/* Projected gradients per lane and sweep; see dual_solver.pyx. */
typedef struct {
    /* A row with a projected gradient of at most this magnitude is settled. */
    float small_gradient[LANES];
    /* Largest and smallest projected gradient of the current sweep so far. */
    float max_gradient[LANES];
    float min_gradient[LANES];
} gradient_bounds;

/* Types of weights; WEIGHT_TYPES in weight_precision.py has the same order. */
#define FLOAT32_WEIGHTS 0
#define FLOAT16_WEIGHTS 1
#define INT8_WEIGHTS 2
#define N_WEIGHT_TYPES 3

/* Bitmap of the features of a chunk; see lane_score.h. */
typedef struct {
    const uint64_t *summary;
    const uint32_t *summary_ranks;
    const uint64_t *ranked_words; /* pairs (word, counts_before) */
} feature_set;

/* Weights of a chunk as entries (child, weight), sorted by feature; see entries.h. All pointers
 * start at the first feature, or the first entry, of the chunk. Counts and children are uint8 or
 * uint16; weights have one of the types above. */
typedef struct {
    const void *counts;       /* entries per feature of the chunk */
    int64_t n_counts;         /* to the end of the level: reads may go beyond the chunk */
    const char *children;
    int64_t child_bytes;      /* size of one child index */
    const char *weights;
    int64_t weight_bytes;     /* size of one weight */
    float scale;              /* multiplier of int8 weights */
} chunk_entries;

/* Entries start:stop of one feature, counted from the first entry of the chunk. */
typedef struct {
    uint32_t start;
    uint32_t stop;
} entry_range;

/* The shared features of a training row: first the dense ones; see compact_rows.pyx. */
typedef struct {
    const float *dense;     /* values of features 0 to n_dense - 1 */
    int64_t n_dense;
    const int32_t *indices; /* other features, and their values */
    const float *data;
    int64_t size;
} cluster_row;

typedef uint32_t (*visit_row_function)(float *weights, float *duals, gradient_bounds *bounds,
                                       const cluster_row *x, uint32_t positive, uint32_t running,
                                       const row_terms *row, const float *costs);

/* A training row whose shared features are all dense, for a visit of ROWS_TOGETHER rows. */
typedef struct {
    const float *data;      /* value of each feature */
    float *duals;
    uint32_t positive;
    const row_terms *terms;
    const float *costs;
    uint32_t unsettled;     /* result of the visit, as of visit_row */
} full_row;

typedef void (*visit_full_rows_function)(float *weights, gradient_bounds *bounds, int64_t size,
                                         uint32_t running, full_row *rows);

typedef uint32_t (*find_large_weights_function)(const float *weights, float threshold);

/* Training kernels of one instruction set and number of lanes; see lane_solve.h. */
typedef struct {
    visit_row_function visit_row[N_LOSSES];
    visit_full_rows_function visit_full_rows[N_LOSSES];
    find_large_weights_function find_large_weights;
} solver_kernels;

typedef void (*prefetch_words_function)(const feature_set *set, const int32_t *indices,
                                        int64_t size);
typedef int64_t (*find_shared_features_function)(const feature_set *set, const int32_t *indices,
                                                 const float *data, int64_t size,
                                                 int32_t *positions, uint64_t *counts_before,
                                                 float *values);
typedef void (*add_dense_products_function)(const void *dense_weights, float scale,
                                            const int32_t *positions, const float *values,
                                            int64_t size, float *margins);

typedef void (*add_wide_products_function)(const void *dense_weights, int64_t n_lanes, float scale,
                                           const int32_t *positions, const float *values,
                                           int64_t size, float *margins);

/* Variants for ROWS_TOGETHER rows that have all features of the chunk. */
typedef void (*add_dense_products_of_rows_function)(const void *dense_weights, float scale,
                                                    const float *const *values, int64_t size,
                                                    float *const *margins);
typedef void (*add_wide_products_of_rows_function)(const void *dense_weights, int64_t n_lanes,
                                                   float scale, const float *const *values,
                                                   int64_t size, float *const *margins);

typedef void (*find_entries_function)(const chunk_entries *chunk, const int32_t *positions,
                                      const uint64_t *counts_before, int64_t size,
                                      entry_range *ranges);
typedef void (*add_entry_products_function)(const chunk_entries *chunk, const entry_range *ranges,
                                            const float *values, int64_t size, float *margins);


/* Variant for n_rows = LANES or MAX_ENTRY_ROWS rows that have all features of the chunk, in these
 * columns of X. values is [column][row], and margins is [child][row]. */
typedef void (*add_entry_products_of_rows_function)(const chunk_entries *chunk,
                                                    const int32_t *columns, int64_t n_features,
                                                    int64_t count_bytes, const float *values,
                                                    int n_rows, float *margins);

/* All kernels of one instruction set; see lane_score.h and entries.h for scoring. */
typedef struct {
    const char *name;
    solver_kernels solve;     /* for LANES children */
    solver_kernels solve_few; /* for FEW_LANES children */
    prefetch_words_function prefetch_words;
    find_shared_features_function find_shared_features;
    add_dense_products_function add_dense_products[N_WEIGHT_TYPES];
    add_wide_products_function add_wide_products[N_WEIGHT_TYPES];
    add_dense_products_of_rows_function add_dense_products_of_rows[N_WEIGHT_TYPES];
    add_wide_products_of_rows_function add_wide_products_of_rows[N_WEIGHT_TYPES];
    find_entries_function find_entries[2]; /* counts are uint8, uint16 */
    add_entry_products_function add_entry_products[2][N_WEIGHT_TYPES]; /* children: uint8, uint16 */
    add_entry_products_of_rows_function add_entry_products_of_rows[2][N_WEIGHT_TYPES];
    /* For chunks of at most LANES children, stored as uint8. */
    add_entry_products_function add_few_entry_products[N_WEIGHT_TYPES];
} lane_kernels;

/* Round a product before it is added. A fused multiply-add would not. Compilers fuse some expressions
 * and not others, and then sums of the same products would differ. */
#if defined(__GNUC__) && defined(__x86_64__)
#define ROUND_PRODUCT(product) __asm__("" : "+v"(product))
#elif defined(__GNUC__) && defined(__aarch64__)
#define ROUND_PRODUCT(product) __asm__("" : "+w"(product))
#else
#define ROUND_PRODUCT(product) ((void)(product))
#endif

/* Prefetch the cache line of an address. The empty assembler statement counts as a side effect: GCC
 * removes calls of functions without one, even if they prefetch (text trained 12 % slower). */
static inline void PREFETCH(const void *p) {
#if defined(__GNUC__)
    __builtin_prefetch(p);
    __asm__ __volatile__("");
#else
    (void)p;
#endif
}

/* Write n columns of n_rows rows as [column][row]. n_rows is a multiple of 4. */
static inline void transpose_rows(const float *const *rows, int n_rows, int64_t n,
                                  float *columns) {
    int64_t j = 0;
    int row;
#if defined(__x86_64__) && defined(__GNUC__)
    for (; j + 4 <= n; j += 4)
        for (row = 0; row < n_rows; row += 4) {
            float *to = columns + n_rows * j + row;
            __m128 a = _mm_loadu_ps(rows[row] + j), b = _mm_loadu_ps(rows[row + 1] + j);
            __m128 c = _mm_loadu_ps(rows[row + 2] + j), d = _mm_loadu_ps(rows[row + 3] + j);
            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps(to, a);
            _mm_storeu_ps(to + n_rows, b);
            _mm_storeu_ps(to + 2 * n_rows, c);
            _mm_storeu_ps(to + 3 * n_rows, d);
        }
#endif
    for (; j < n; j++)
        for (row = 0; row < n_rows; row++) columns[n_rows * j + row] = rows[row][j];
}

/* Prefetch n numbers of 32 bits: one request per cache line of 64 bytes. */
static inline void prefetch_array(const void *p, int64_t n) {
    int64_t at;
    for (at = 0; at < n; at += 16) PREFETCH((const float *)p + at);
}

#endif
