"""Score the children of given parents: one level of a beam search.

The margins of a parent's children come from `margins`. They become scores, and join the parent's,
in `transforms`.

A batch visits its (row, parent) pairs sorted by parent, so that the chunk stays in cache. The order
of visits changes no result: each pair is scored by itself, and the best are kept by a total order.
"""

import numpy as np

from libc.stdlib cimport calloc, free, malloc

from skxmr._core.topk cimport keep_best, sort_best_first, sort_by_id
from skxmr._core.transforms cimport LevelTransform, Transform, transform_margins, with_offsets
from skxmr._core.types cimport index_t, offset_t
from skxmr._linear.simd.lanes cimport lane_kernels, selected_lanes
from skxmr._linear.margins cimport AHEAD, ChunkMargins, Scratch, make_scratch, release_scratch


cdef struct Batch:             # rows of X and the pairs (row, parent) to score: two CSR matrices
    const offset_t* x_indptr
    const index_t* x_indices
    const float* x_data
    const offset_t* indptr
    const index_t* parents
    const float* scores        # of the parents
    index_t n_rows


cdef struct Visits:            # the order in which pairs are scored; NULL for those of one row
    offset_t* order
    index_t* rows              # of each pair


cdef inline offset_t pair_of(const Visits* v, offset_t at) noexcept nogil:
    return v.order[at] if v.order != NULL else at


cdef inline index_t row_of(const Visits* v, offset_t pair) noexcept nogil:
    return v.rows[pair] if v.rows != NULL else 0


cdef class LevelScorer:
    """The chunks of one level, ready to score; see `LevelModel` for the arrays."""

    cdef ChunkMargins chunks
    cdef const offset_t[::1] child_indptr      # (n_parents + 1) children of each parent
    cdef const index_t[::1] child_ids          # (n_children) name of each child in the result
    cdef index_t most_children

    def __init__(self, ChunkMargins chunks, child_indptr, child_ids):
        self.chunks = chunks
        self.child_indptr = child_indptr
        self.child_ids = child_ids
        self.most_children = np.diff(child_indptr).max(initial=0)

    cdef void score_pair(self, const lane_kernels* lanes, const Batch* b, const Visits* v,
                         offset_t at, const Transform* transform, Scratch* s) noexcept nogil:
        # Leave the scores of the children of a visited parent in s.margins. To be called for each
        # visit in turn: the next ones are under way, each a step behind the one before it.
        cdef offset_t now, next, pair, start
        cdef index_t parent, row, n_children
        for now in range(-AHEAD if at == 0 else at, at + 1):
            for next in range(max(now + 1, 0), min(now + AHEAD + 1, b.indptr[b.n_rows])):
                pair = pair_of(v, next)
                parent = b.parents[pair]
                if next == now + 1:
                    self.chunks.locate(lanes, parent, &s.hits[next % AHEAD])
                    continue
                row = row_of(v, pair)
                start = b.x_indptr[row]
                if next == now + 2:
                    self.chunks.find(lanes, parent, &b.x_indices[start], &b.x_data[start],
                                     b.x_indptr[row + 1] - start, &s.hits[next % AHEAD])
                elif next == 0 or parent != b.parents[pair_of(v, next - 1)]:
                    # The words of a chunk just visited are mostly in cache.
                    self.chunks.approach(lanes, parent, &b.x_indices[start],
                                         b.x_indptr[row + 1] - start)
        pair = pair_of(v, at)
        parent = b.parents[pair]
        n_children = self.chunks.add(lanes, parent, &s.hits[at % AHEAD], s.margins)
        transform_margins(transform, b.scores[pair], self.child_indptr[parent], s.margins,
                          n_children)

    cdef void keep_children(self, index_t parent, const float* scored, float* scores,
                            index_t* ids, index_t* size, index_t capacity) noexcept nogil:
        cdef offset_t first = self.child_indptr[parent]
        cdef index_t child, n_children = <index_t>(self.child_indptr[parent + 1] - first)
        for child in range(n_children):
            # Most children are below the worst that is kept.
            if size[0] < capacity or scored[child] >= scores[0]:
                keep_best(scores, ids, size, capacity, scored[child], self.child_ids[first + child])

    cdef offset_t* by_parent(self, const index_t* pair_parent, offset_t n_pairs) noexcept nogil:
        # The pairs in the order of their parents. NULL if memory ran out.
        cdef index_t n_parents = <index_t>(self.child_indptr.shape[0] - 1), parent
        cdef offset_t pair
        cdef offset_t* start = <offset_t*>calloc(n_parents + 1, sizeof(offset_t))
        cdef offset_t* order = <offset_t*>malloc((n_pairs + 1) * sizeof(offset_t))
        if start != NULL and order != NULL:
            for pair in range(n_pairs):
                start[pair_parent[pair] + 1] += 1
            for parent in range(n_parents):
                start[parent + 1] += start[parent]
            for pair in range(n_pairs):
                order[start[pair_parent[pair]]] = pair
                start[pair_parent[pair]] += 1
        else:
            free(order)
            order = NULL
        free(start)
        return order

    cdef bint run(self, const Batch* b, const Transform* transform, const offset_t* out_indptr,
                  index_t* ids, float* scores, bint everything, bint best_first) noexcept nogil:
        # Score all pairs, keep the best of each row in order. False if memory ran out.
        cdef const lane_kernels* lanes = selected_lanes()
        cdef offset_t pair, at
        cdef index_t row, n_kept
        cdef Visits v = Visits(self.by_parent(b.parents, b.indptr[b.n_rows]), rows_of_pairs(b))
        cdef index_t* sizes = <index_t*>calloc(b.n_rows + 1, sizeof(index_t))
        cdef Scratch s
        cdef bint good = (make_scratch(&s, longest_row(b), self.most_children) and v.order != NULL
                          and v.rows != NULL and sizes != NULL)
        if good:
            for at in range(b.indptr[b.n_rows]):
                pair = v.order[at]
                row = v.rows[pair]
                self.score_pair(lanes, b, &v, at, transform, &s)
                n_kept = <index_t>(out_indptr[row + 1] - out_indptr[row])
                # Where all are kept, a place more than needed saves making a heap.
                self.keep_children(b.parents[pair], s.margins, &scores[out_indptr[row]],
                                   &ids[out_indptr[row]], &sizes[row], n_kept + everything)
            for row in range(b.n_rows):
                in_order(&scores[out_indptr[row]], &ids[out_indptr[row]], sizes[row], best_first)
        release_scratch(&s)
        free(v.order)
        free(v.rows)
        free(sizes)
        return good

    def expand(self, const offset_t[::1] indptr, const index_t[::1] indices,
               const float[::1] data, const offset_t[::1] parent_indptr,
               const index_t[::1] parent_ids, const float[::1] parent_scores,
               index_t keep, bint best_first, LevelTransform transform not None,
               const float[::1] offsets):
        """Score the children of each row's parents and keep the best.

        X and the parents come as the arrays of two CSR matrices, parents rising in each row.
        `keep` is the most children kept a row, 0 for all of them. `offsets` has the shape
        (n_children,) or is None. The result is the arrays (indptr, ids,
        scores) of a CSR matrix whose rows rise by id, or stand best first.
        """
        cdef Batch b = Batch(&indptr[0], &indices[0], &data[0], &parent_indptr[0], &parent_ids[0],
                             &parent_scores[0], <index_t>(indptr.shape[0] - 1))
        cdef Transform t = with_offsets(transform, offsets)
        cdef index_t row
        cdef bint good
        out_indptr = np.zeros(b.n_rows + 1, dtype=np.int64)
        cdef offset_t[::1] out = out_indptr
        for row in range(b.n_rows):
            out[row + 1] = out[row] + self.n_kept(
                &parent_ids[parent_indptr[row]], parent_indptr[row + 1] - parent_indptr[row], keep)
        out_ids = np.empty(out[b.n_rows], dtype=np.int32)
        out_scores = np.empty(out[b.n_rows], dtype=np.float32)
        cdef index_t[::1] ids = out_ids
        cdef float[::1] scores = out_scores
        with nogil:
            good = self.run(&b, &t, &out[0], &ids[0], &scores[0], keep == 0, best_first)
        if not good:
            raise MemoryError()
        return out_indptr, out_ids, out_scores

    cdef offset_t n_kept(self, const index_t* parents, offset_t n_parents,
                         index_t keep) noexcept nogil:
        cdef offset_t n_children = 0, at
        for at in range(n_parents):
            n_children += self.child_indptr[parents[at] + 1] - self.child_indptr[parents[at]]
        return min(n_children, <offset_t>keep) if keep > 0 else n_children

    def expand_row(self, const index_t[::1] indices, const float[::1] data,
                   const index_t[::1] parent_ids, const float[::1] parent_scores,
                   index_t keep, bint best_first, LevelTransform transform not None,
                   const float[::1] offsets):
        """Score one row: (ids, scores) of the best `keep` children, equal to `expand`."""
        cdef const lane_kernels* lanes = selected_lanes()
        cdef offset_t[2] x_indptr = [0, indices.shape[0]]
        cdef offset_t[2] parent_indptr = [0, parent_ids.shape[0]]
        cdef Batch b = Batch(&x_indptr[0], &indices[0], &data[0], &parent_indptr[0],
                             &parent_ids[0], &parent_scores[0], 1)
        cdef Transform t = with_offsets(transform, offsets)
        cdef index_t size = 0, at, capacity
        cdef Visits v = Visits(NULL, NULL)
        cdef Scratch s
        cdef bint good
        capacity = <index_t>self.n_kept(&parent_ids[0], parent_ids.shape[0], keep)
        out_ids = np.empty(capacity, dtype=np.int32)
        out_scores = np.empty(capacity, dtype=np.float32)
        cdef index_t[::1] ids = out_ids
        cdef float[::1] scores = out_scores
        with nogil:
            good = make_scratch(&s, indices.shape[0], self.most_children)
            if good:
                for at in range(<index_t>parent_ids.shape[0]):
                    self.score_pair(lanes, &b, &v, at, &t, &s)
                    self.keep_children(parent_ids[at], s.margins, &scores[0], &ids[0], &size,
                                       capacity + (keep == 0))
                in_order(&scores[0], &ids[0], size, best_first)
            release_scratch(&s)
        if not good:
            raise MemoryError()
        return out_ids, out_scores

    def score_children(self, const offset_t[::1] indptr, const index_t[::1] indices,
                       const float[::1] data, const offset_t[::1] parent_indptr,
                       const index_t[::1] parent_ids, const float[::1] parent_scores,
                       const offset_t[::1] wanted_indptr, const index_t[::1] wanted,
                       LevelTransform transform not None,
                       const float[::1] offsets):
        """Score given children only: those of pair i are wanted[wanted_indptr[i]] and on.

        Children are named by their place in the level, not by `child_ids`. Otherwise as `expand`;
        the result is the score of each.
        """
        cdef const lane_kernels* lanes = selected_lanes()
        cdef Batch b = Batch(&indptr[0], &indices[0], &data[0], &parent_indptr[0], &parent_ids[0],
                             &parent_scores[0], <index_t>(indptr.shape[0] - 1))
        cdef Transform t = with_offsets(transform, offsets)
        cdef offset_t pair, at, e
        cdef Visits v
        cdef Scratch s
        cdef bint good
        out_scores = np.empty(wanted.shape[0], dtype=np.float32)
        cdef float[::1] scores = out_scores
        with nogil:
            v = Visits(self.by_parent(b.parents, b.indptr[b.n_rows]), rows_of_pairs(&b))
            good = (make_scratch(&s, longest_row(&b), self.most_children) and v.order != NULL
                    and v.rows != NULL)
            if good:
                for at in range(b.indptr[b.n_rows]):
                    pair = v.order[at]
                    self.score_pair(lanes, &b, &v, at, &t, &s)
                    for e in range(wanted_indptr[pair], wanted_indptr[pair + 1]):
                        scores[e] = s.margins[wanted[e] - self.child_indptr[b.parents[pair]]]
            release_scratch(&s)
            free(v.order)
            free(v.rows)
        if not good:
            raise MemoryError()
        return out_scores


cdef index_t* rows_of_pairs(const Batch* b) noexcept nogil:
    cdef index_t* pair_row = <index_t*>malloc((b.indptr[b.n_rows] + 1) * sizeof(index_t))
    cdef index_t row
    cdef offset_t pair
    if pair_row != NULL:
        for row in range(b.n_rows):
            for pair in range(b.indptr[row], b.indptr[row + 1]):
                pair_row[pair] = row
    return pair_row


cdef offset_t longest_row(const Batch* b) noexcept nogil:
    cdef offset_t longest = 0
    cdef index_t row
    for row in range(b.n_rows):
        longest = max(longest, b.x_indptr[row + 1] - b.x_indptr[row])
    return longest


cdef inline void in_order(float* scores, index_t* ids, index_t size,
                          bint best_first) noexcept nogil:
    if best_first:
        sort_best_first(scores, ids, size)
    else:
        sort_by_id(scores, ids, size)
