/* Floats side by side, a lane for each child: the types that the kernels share. */
#ifndef SKXMR_LANES_H
#define SKXMR_LANES_H

#include <stdint.h>

#define LANES 16
#define FEW_LANES 4

/* Losses, in the order of lane_steps. */
#define SQUARED_HINGE 0
#define HINGE 1
#define LOGISTIC_LOSS 2
#define N_LOSSES 3

/* What the duals of a row have in common. */
typedef struct {
    float fold; /* squared norm of the features that no other row has */
    float norm; /* squared norm of all of them, the constant one included */
    float cost; /* of an error, where the row is negative */
} row_terms;

/* Bounds on the projected gradients of a sweep; see dual_solver.pyx. */
typedef struct {
    float top[LANES];        /* largest of the sweep before */
    float bottom[LANES];     /* smallest of the sweep before */
    float new_top[LANES];    /* largest of this sweep so far */
    float new_bottom[LANES]; /* smallest of this sweep so far */
} sweep_bounds;

/* Types of weights, in the order of WEIGHT_TYPES in weight_precision.py. */
#define FLOAT32_WEIGHTS 0
#define FLOAT16_WEIGHTS 1
#define INT8_WEIGHTS 2
#define N_WEIGHT_TYPES 3

/* The features of a chunk; see lane_score.h. */
typedef struct {
    const uint64_t *summary;
    const uint32_t *summary_rank;
    const uint64_t *words; /* pairs: the bits, and what stands before them */
} feature_set;

/* The weights of a chunk as entries, from its first feature and its first entry on; see entries.h.
 * Counts and children have 8 or 16 bits, weights one of the types above. */
typedef struct {
    const void *counts;
    int64_t n_counts; /* to the end of the level's, for reads beyond the chunk */
    const char *children;
    int64_t child_bytes;
    const char *weights;
    int64_t weight_bytes;
    float scale; /* of 8-bit weights */
} chunk_entries;

/* The entries of a feature, counted inside the chunk. */
typedef struct {
    uint32_t start;
    uint32_t end;
} entry_run;

typedef uint32_t (*lane_visit)(float *weights, float *duals, sweep_bounds *bounds,
                               const int32_t *indices, const float *data, int64_t size,
                               uint32_t positive, uint32_t active, const row_terms *row,
                               const float *costs);

typedef uint32_t (*lane_kept)(const float *weights, float threshold);

typedef struct {
    lane_visit visit[N_LOSSES];
    lane_kept kept;
} lane_steps;

typedef void (*lane_approach)(const feature_set *set, const int32_t *indices, int64_t size);
typedef int64_t (*lane_find)(const feature_set *set, const int32_t *indices, const float *data,
                             int64_t size, int32_t *places, uint64_t *before, float *values);
typedef void (*lane_margins)(const void *table, float scale, const int32_t *places,
                             const float *values, int64_t size, float *margins);

typedef void (*locate_entries)(const chunk_entries *chunk, const int32_t *places,
                               const uint64_t *before, int64_t size, entry_run *runs);
typedef void (*add_entries)(const chunk_entries *chunk, const entry_run *runs,
                            const float *values, int64_t size, float *margins);

/* What is compiled for one instruction set. */
typedef struct {
    const char *name;
    lane_steps solve;     /* LANES side by side */
    lane_steps solve_few; /* FEW_LANES */
    lane_approach approach;
    lane_find find;
    lane_margins margins[N_WEIGHT_TYPES];
    locate_entries locate[2]; /* by counts of 8 and of 16 bits */
    add_entries add[2][N_WEIGHT_TYPES]; /* by children of 8 and of 16 bits */
    add_entries add_few[N_WEIGHT_TYPES]; /* to LANES children at most, of 8 bits */
} lane_kernels;

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif

/* Ask for n numbers of 32 bits, a cache line at a time. */
static inline void prefetch_all(const void *p, int64_t n) {
    int64_t at;
    (void)p; /* where PREFETCH is nothing */
    for (at = 0; at < n; at += 16) PREFETCH((const float *)p + at);
}

#endif
