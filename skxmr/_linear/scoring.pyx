"""Score the children of given parents: one level of a beam search.

The input is pairs (row, parent) with the parent's score. `margins` computes the margins of the
parent's children. `transforms` converts margins to scores and combines them with the parent's
score. The best children per row are kept.

The pairs of a batch are scored in the order of their parents, so that a chunk is read from memory
once for all of its rows. The result does not depend on this order: each pair is scored
independently, and the best children are selected by a total order.
"""

import numpy as np

from libc.stdlib cimport calloc, free, malloc

from skxmr._core.topk cimport keep_best, sort_best_first, sort_by_id
from skxmr._core.transforms cimport LevelTransform, Transform, transform_margins, with_offsets
from skxmr._core.types cimport index_t, offset_t
from skxmr._linear.simd.lanes cimport get_lane_kernels, lane_kernels
from skxmr._linear.margins cimport (
    PIPELINE_DEPTH, ChunkMargins, Scratch, allocate_scratch, release_scratch
)


cdef struct Batch:             # rows of X, and pairs (row, parent) to score, as two CSR matrices
    const offset_t* x_indptr
    const index_t* x_indices
    const float* x_data
    const offset_t* indptr
    const index_t* parents
    const float* scores        # of the parents
    index_t n_rows


cdef struct PairOrder:
    offset_t* pairs            # pairs in the order of scoring; NULL: in the order of the batch
    index_t* rows              # row of each pair; NULL: row 0


cdef inline offset_t get_pair(const PairOrder* order, offset_t at) noexcept nogil:
    return order.pairs[at] if order.pairs != NULL else at


cdef inline index_t get_row(const PairOrder* order, offset_t pair) noexcept nogil:
    return order.rows[pair] if order.rows != NULL else 0


cdef class LevelScorer:
    """Scores the children of one level; see `LevelModel` for the arrays."""

    cdef ChunkMargins chunks
    cdef const offset_t[::1] child_indptr      # (n_parents + 1) slices of the children
    cdef const index_t[::1] child_ids          # (n_children) id of each child in the result
    cdef index_t max_children                  # per parent

    def __init__(self, ChunkMargins chunks, child_indptr, child_ids):
        self.chunks = chunks
        self.child_indptr = child_indptr
        self.child_ids = child_ids
        self.max_children = np.diff(child_indptr).max(initial=0)

    cdef void score_pair(self, const lane_kernels* lanes, const Batch* b, const PairOrder* v,
                         offset_t at, const Transform* transform, Scratch* s) noexcept nogil:
        # Write the scores of the children of pair number `at` to s.margins. Call this function for
        # at = 0, 1, 2, ... in turn, because it also performs the first steps of the next pairs, see
        # margins.pyx: step 3 of pair at + 1, step 2 of at + 2, step 1 of at + 3, then step 4 of
        # `at`. The first call fills this pipeline.
        cdef offset_t current, ahead, pair, start
        cdef index_t parent, row, n_children
        for current in range(-PIPELINE_DEPTH if at == 0 else at, at + 1):
            for ahead in range(max(current + 1, 0),
                               min(current + PIPELINE_DEPTH + 1, b.indptr[b.n_rows])):
                pair = get_pair(v, ahead)
                parent = b.parents[pair]
                if ahead == current + 1:
                    self.chunks.find_entries(lanes, parent, &s.shared[ahead % PIPELINE_DEPTH])
                    continue
                row = get_row(v, pair)
                start = b.x_indptr[row]
                if ahead == current + 2:
                    self.chunks.find_shared_features(
                        lanes, parent, &b.x_indices[start], &b.x_data[start],
                        b.x_indptr[row + 1] - start, &s.shared[ahead % PIPELINE_DEPTH])
                elif ahead == 0 or parent != b.parents[get_pair(v, ahead - 1)]:
                    # If the previous pair has the same parent, most words are in cache already.
                    self.chunks.prefetch_words(lanes, parent, &b.x_indices[start],
                                               b.x_indptr[row + 1] - start)
        pair = get_pair(v, at)
        parent = b.parents[pair]
        n_children = self.chunks.compute_margins(lanes, parent, &s.shared[at % PIPELINE_DEPTH],
                                                 s.margins)
        transform_margins(transform, b.scores[pair], self.child_indptr[parent], s.margins,
                          n_children)

    cdef void keep_best_children(self, index_t parent, const float* child_scores, float* scores,
                                 index_t* ids, index_t* size, index_t capacity) noexcept nogil:
        # Add the children of a parent to the row's best ones.
        cdef offset_t first = self.child_indptr[parent]
        cdef index_t child, n_children = <index_t>(self.child_indptr[parent + 1] - first)
        for child in range(n_children):
            # Skip most children by one comparison with the worst kept score.
            if size[0] < capacity or child_scores[child] >= scores[0]:
                keep_best(scores, ids, size, capacity, child_scores[child],
                          self.child_ids[first + child])

    cdef offset_t* sort_pairs_by_parent(self, const index_t* parents,
                                        offset_t n_pairs) noexcept nogil:
        # Counting sort. Returns the order of the pairs, or NULL if memory runs out.
        cdef index_t n_parents = <index_t>(self.child_indptr.shape[0] - 1), parent
        cdef offset_t pair
        cdef offset_t* starts = <offset_t*>calloc(n_parents + 1, sizeof(offset_t))
        cdef offset_t* order = <offset_t*>malloc((n_pairs + 1) * sizeof(offset_t))
        if starts != NULL and order != NULL:
            for pair in range(n_pairs):
                starts[parents[pair] + 1] += 1
            for parent in range(n_parents):
                starts[parent + 1] += starts[parent]
            for pair in range(n_pairs):
                order[starts[parents[pair]]] = pair
                starts[parents[pair]] += 1
        else:
            free(order)
            order = NULL
        free(starts)
        return order

    cdef bint score_batch(self, const Batch* b, const Transform* transform,
                          const offset_t* out_indptr, index_t* ids, float* scores, bint keep_all,
                          bint best_first) noexcept nogil:
        # Score all pairs, and write the best children per row. Returns False if memory runs out.
        cdef const lane_kernels* lanes = get_lane_kernels()
        cdef offset_t pair, at
        cdef index_t row, capacity
        cdef PairOrder v = PairOrder(self.sort_pairs_by_parent(b.parents, b.indptr[b.n_rows]),
                                     list_pair_rows(b))
        cdef index_t* sizes = <index_t*>calloc(b.n_rows + 1, sizeof(index_t))
        cdef Scratch s
        cdef bint has_memory = (allocate_scratch(&s, find_max_row_entries(b), self.max_children)
                                and v.pairs != NULL and v.rows != NULL and sizes != NULL)
        if has_memory:
            for at in range(b.indptr[b.n_rows]):
                pair = v.pairs[at]
                row = v.rows[pair]
                self.score_pair(lanes, b, &v, at, transform, &s)
                capacity = <index_t>(out_indptr[row + 1] - out_indptr[row])
                # If all children are kept, a larger capacity avoids making a heap.
                self.keep_best_children(b.parents[pair], s.margins, &scores[out_indptr[row]],
                                        &ids[out_indptr[row]], &sizes[row], capacity + keep_all)
            for row in range(b.n_rows):
                sort_children(&scores[out_indptr[row]], &ids[out_indptr[row]], sizes[row],
                              best_first)
        release_scratch(&s)
        free(v.pairs)
        free(v.rows)
        free(sizes)
        return has_memory

    def expand(self, const offset_t[::1] indptr, const index_t[::1] indices,
               const float[::1] data, const offset_t[::1] parent_indptr,
               const index_t[::1] parent_ids, const float[::1] parent_scores,
               index_t keep, bint best_first, LevelTransform transform not None,
               const float[::1] offsets):
        """Score the children of each row's parents, and return the best ones per row.

        X and the parents are CSR arrays; the parents of a row are sorted. `keep` is the maximum
        number of children per row; 0 keeps all. `offsets` has the shape (n_children,) or is None.
        Returns CSR arrays (indptr, ids, scores). Rows are sorted by decreasing score if
        `best_first`, otherwise by increasing id.
        """
        cdef Batch b = Batch(&indptr[0], &indices[0], &data[0], &parent_indptr[0], &parent_ids[0],
                             &parent_scores[0], <index_t>(indptr.shape[0] - 1))
        cdef Transform t = with_offsets(transform, offsets)
        cdef index_t row
        cdef bint has_memory
        out_indptr = np.zeros(b.n_rows + 1, dtype=np.int64)
        cdef offset_t[::1] out = out_indptr
        for row in range(b.n_rows):
            out[row + 1] = out[row] + self.count_kept(
                &parent_ids[parent_indptr[row]], parent_indptr[row + 1] - parent_indptr[row], keep)
        out_ids = np.empty(out[b.n_rows], dtype=np.int32)
        out_scores = np.empty(out[b.n_rows], dtype=np.float32)
        cdef index_t[::1] ids = out_ids
        cdef float[::1] scores = out_scores
        with nogil:
            has_memory = self.score_batch(&b, &t, &out[0], &ids[0], &scores[0], keep == 0,
                                          best_first)
        if not has_memory:
            raise MemoryError()
        return out_indptr, out_ids, out_scores

    cdef offset_t count_kept(self, const index_t* parents, offset_t n_parents,
                             index_t keep) noexcept nogil:
        # Count the children of the parents, up to `keep` unless it is 0.
        cdef offset_t n_children = 0, at
        for at in range(n_parents):
            n_children += self.child_indptr[parents[at] + 1] - self.child_indptr[parents[at]]
        return min(n_children, <offset_t>keep) if keep > 0 else n_children

    def expand_row(self, const index_t[::1] indices, const float[::1] data,
                   const index_t[::1] parent_ids, const float[::1] parent_scores,
                   index_t keep, bint best_first, LevelTransform transform not None,
                   const float[::1] offsets):
        """Return (ids, scores) of the best children of one row, bit-identical to `expand`."""
        cdef const lane_kernels* lanes = get_lane_kernels()
        cdef offset_t[2] x_indptr = [0, indices.shape[0]]
        cdef offset_t[2] parent_indptr = [0, parent_ids.shape[0]]
        cdef Batch b = Batch(&x_indptr[0], &indices[0], &data[0], &parent_indptr[0],
                             &parent_ids[0], &parent_scores[0], 1)
        cdef Transform t = with_offsets(transform, offsets)
        cdef index_t size = 0, at, capacity
        cdef PairOrder v = PairOrder(NULL, NULL)
        cdef Scratch s
        cdef bint has_memory
        capacity = <index_t>self.count_kept(&parent_ids[0], parent_ids.shape[0], keep)
        out_ids = np.empty(capacity, dtype=np.int32)
        out_scores = np.empty(capacity, dtype=np.float32)
        cdef index_t[::1] ids = out_ids
        cdef float[::1] scores = out_scores
        with nogil:
            has_memory = allocate_scratch(&s, indices.shape[0], self.max_children)
            if has_memory:
                for at in range(<index_t>parent_ids.shape[0]):
                    self.score_pair(lanes, &b, &v, at, &t, &s)
                    self.keep_best_children(parent_ids[at], s.margins, &scores[0], &ids[0], &size,
                                            capacity + (keep == 0))
                sort_children(&scores[0], &ids[0], size, best_first)
            release_scratch(&s)
        if not has_memory:
            raise MemoryError()
        return out_ids, out_scores

    def score_children(self, const offset_t[::1] indptr, const index_t[::1] indices,
                       const float[::1] data, const offset_t[::1] parent_indptr,
                       const index_t[::1] parent_ids, const float[::1] parent_scores,
                       const offset_t[::1] wanted_indptr, const index_t[::1] wanted,
                       LevelTransform transform not None, const float[::1] offsets):
        """Return the scores of given children only; arguments as for `expand`.

        The children of pair i are wanted[wanted_indptr[i]:wanted_indptr[i + 1]], as positions in
        the level instead of `child_ids`.
        """
        cdef const lane_kernels* lanes = get_lane_kernels()
        cdef Batch b = Batch(&indptr[0], &indices[0], &data[0], &parent_indptr[0], &parent_ids[0],
                             &parent_scores[0], <index_t>(indptr.shape[0] - 1))
        cdef Transform t = with_offsets(transform, offsets)
        cdef offset_t pair, at, e
        cdef PairOrder v
        cdef Scratch s
        cdef bint has_memory
        out_scores = np.empty(wanted.shape[0], dtype=np.float32)
        cdef float[::1] scores = out_scores
        with nogil:
            v = PairOrder(self.sort_pairs_by_parent(b.parents, b.indptr[b.n_rows]),
                          list_pair_rows(&b))
            has_memory = (allocate_scratch(&s, find_max_row_entries(&b), self.max_children)
                          and v.pairs != NULL and v.rows != NULL)
            if has_memory:
                for at in range(b.indptr[b.n_rows]):
                    pair = v.pairs[at]
                    self.score_pair(lanes, &b, &v, at, &t, &s)
                    for e in range(wanted_indptr[pair], wanted_indptr[pair + 1]):
                        scores[e] = s.margins[wanted[e] - self.child_indptr[b.parents[pair]]]
            release_scratch(&s)
            free(v.pairs)
            free(v.rows)
        if not has_memory:
            raise MemoryError()
        return out_scores


cdef index_t* list_pair_rows(const Batch* b) noexcept nogil:
    # Returns the row of each pair, or NULL if memory runs out.
    cdef index_t* rows = <index_t*>malloc((b.indptr[b.n_rows] + 1) * sizeof(index_t))
    cdef index_t row
    cdef offset_t pair
    if rows != NULL:
        for row in range(b.n_rows):
            for pair in range(b.indptr[row], b.indptr[row + 1]):
                rows[pair] = row
    return rows


cdef offset_t find_max_row_entries(const Batch* b) noexcept nogil:
    cdef offset_t max_entries = 0
    cdef index_t row
    for row in range(b.n_rows):
        max_entries = max(max_entries, b.x_indptr[row + 1] - b.x_indptr[row])
    return max_entries


cdef inline void sort_children(float* scores, index_t* ids, index_t size,
                               bint best_first) noexcept nogil:
    if best_first:
        sort_best_first(scores, ids, size)
    else:
        sort_by_id(scores, ids, size)
