"""Score the children of given parents: one level of a beam search.

A level's weights lie in chunks, one for each parent: the chunk's sorted feature ids and for each
of them the (child, weight) entries (Etter, Zhong, Yu, Ying, Dhillon 2022, "Accelerating inference
for sparse extreme multi-label ranking trees", WWW). For a row and one of its parents the margins
of all children are the chunk's intercepts plus, for each feature that row and chunk share, the
feature's value times its entries.

Scores are logarithms and add up along a path: child = parent - max(0, 1 - margin)^3, so exp gives
the product of the levels' l3-hinge values, and no exp is spent on children that are not kept.

A batch visits its (row, parent) pairs sorted by parent: the chunk stays in cache, and its features
are spread into a map once where enough rows share the cost. Otherwise, and for a single row,
features are found by binary search. Both add the same products in the same order (rising
feature), so a row's scores do not depend on the rows beside it, bit for bit.
"""

import numpy as np

from libc.stdlib cimport calloc, free, malloc

from skxmr._core._topk cimport keep_best, sort_best_first, sort_by_id
from skxmr._core.types cimport index_t, offset_t, uint16_t, uint32_t


cdef class LevelScorer:
    """The chunks of one level, ready to score; see `LevelModel` for the arrays."""

    cdef const offset_t[::1] child_indptr      # (n_parents + 1) children of each parent
    cdef const index_t[::1] child_ids          # (n_children) name of each child in the result
    cdef const float[::1] intercepts           # (n_children)
    cdef const offset_t[::1] feature_indptr    # (n_parents + 1) features of each chunk
    cdef const index_t[::1] features           # rising inside a chunk
    cdef const offset_t[::1] entry_indptr      # (n_parents + 1) entries of each chunk
    cdef const uint32_t[::1] entry_offsets     # (n chunk features + 1) modulo 2**32
    cdef const uint16_t[::1] entry_children
    cdef const float[::1] entry_weights
    cdef index_t n_features
    cdef index_t most_children

    def __init__(self, child_indptr, child_ids, intercepts, feature_indptr, features,
                 entry_indptr, entry_offsets, entry_children, entry_weights, n_features):
        self.child_indptr = child_indptr
        self.child_ids = child_ids
        self.intercepts = intercepts
        self.feature_indptr = feature_indptr
        self.features = features
        self.entry_indptr = entry_indptr
        self.entry_offsets = entry_offsets
        self.entry_children = entry_children
        self.entry_weights = entry_weights
        self.n_features = n_features
        self.most_children = np.diff(child_indptr).max(initial=0)

    cdef void add_feature(self, offset_t base, offset_t at, float value,
                          float* margins) noexcept nogil:
        # margins += value * weights of the chunk feature `at`; offsets wrap at 32 bits, so only
        # their differences count, and no chunk has 2**32 entries.
        cdef offset_t start = base + <uint32_t>(self.entry_offsets[at] - <uint32_t>base)
        cdef offset_t stop = start + <uint32_t>(self.entry_offsets[at + 1] - self.entry_offsets[at])
        cdef offset_t e
        for e in range(start, stop):
            margins[self.entry_children[e]] += value * self.entry_weights[e]

    cdef void start_margins(self, index_t parent, float* margins) noexcept nogil:
        cdef offset_t first = self.child_indptr[parent], child
        for child in range(first, self.child_indptr[parent + 1]):
            margins[child - first] = self.intercepts[child]

    cdef void margins_by_search(self, const index_t* indices, const float* data, offset_t size,
                                index_t parent, float* margins) noexcept nogil:
        cdef offset_t lo = self.feature_indptr[parent], stop = self.feature_indptr[parent + 1]
        cdef offset_t base = self.entry_indptr[parent]
        cdef offset_t at, left, half
        self.start_margins(parent, margins)
        for at in range(size):
            # First chunk feature not below indices[at]; both sides rise, so never look back.
            left = stop - lo
            while left > 0:
                half = left >> 1
                if self.features[lo + half] < indices[at]:
                    lo += half + 1
                    left -= half + 1
                else:
                    left = half
            if lo == stop:
                break
            if self.features[lo] == indices[at]:
                self.add_feature(base, lo, data[at], margins)
                lo += 1

    cdef void margins_by_map(self, const index_t* indices, const float* data, offset_t size,
                             index_t parent, const index_t* place, float* margins) noexcept nogil:
        # place[f] is 1 + the position of feature f in the chunk, or 0.
        cdef offset_t first = self.feature_indptr[parent] - 1
        cdef offset_t base = self.entry_indptr[parent]
        cdef offset_t at
        self.start_margins(parent, margins)
        for at in range(size):
            if place[indices[at]] != 0:
                self.add_feature(base, first + place[indices[at]], data[at], margins)

    cdef void keep_children(self, index_t parent, float parent_score, const float* margins,
                            float* scores, index_t* ids, index_t* size,
                            index_t capacity) noexcept nogil:
        cdef offset_t first = self.child_indptr[parent], child
        cdef float gap
        for child in range(first, self.child_indptr[parent + 1]):
            gap = max(<float>0.0, <float>1.0 - margins[child - first])
            keep_best(scores, ids, size, capacity, parent_score - gap * gap * gap,
                      self.child_ids[child])

    cdef void score_rows(self, const offset_t* indptr, const index_t* indices, const float* data,
                         const offset_t* pair_indptr, const index_t* pair_parent,
                         const float* pair_score, const offset_t* order, const index_t* pair_row,
                         offset_t n_pairs, const offset_t* out_indptr, index_t* ids,
                         float* scores, index_t* sizes, float* margins,
                         index_t* place) noexcept nogil:
        cdef offset_t begin = 0, end, at, pair, visits, n_chunk
        cdef index_t parent, row
        cdef bint by_map
        while begin < n_pairs:
            parent = pair_parent[order[begin]]
            end = begin
            visits = 0
            while end < n_pairs and pair_parent[order[end]] == parent:
                row = pair_row[order[end]]
                visits += indptr[row + 1] - indptr[row]
                end += 1
            n_chunk = self.feature_indptr[parent + 1] - self.feature_indptr[parent]
            # Two writes a chunk feature against about ten steps of search a row feature.
            by_map = 4 * visits > n_chunk
            if by_map:
                for at in range(n_chunk):
                    place[self.features[self.feature_indptr[parent] + at]] = <index_t>(at + 1)
            for at in range(begin, end):
                pair = order[at]
                row = pair_row[pair]
                if by_map:
                    self.margins_by_map(&indices[indptr[row]], &data[indptr[row]],
                                        indptr[row + 1] - indptr[row], parent, place, margins)
                else:
                    self.margins_by_search(&indices[indptr[row]], &data[indptr[row]],
                                           indptr[row + 1] - indptr[row], parent, margins)
                self.keep_children(parent, pair_score[pair], margins, &scores[out_indptr[row]],
                                   &ids[out_indptr[row]], &sizes[row],
                                   <index_t>(out_indptr[row + 1] - out_indptr[row]))
            if by_map:
                for at in range(n_chunk):
                    place[self.features[self.feature_indptr[parent] + at]] = 0
            begin = end

    cdef bint run(self, const offset_t* indptr, const index_t* indices, const float* data,
                  const offset_t* pair_indptr, const index_t* pair_parent,
                  const float* pair_score, index_t n_rows, const offset_t* out_indptr,
                  index_t* ids, float* scores, bint best_first) noexcept nogil:
        # Sort the pairs by parent, score them, put each row in order. False if memory ran out.
        cdef offset_t n_pairs = pair_indptr[n_rows], pair
        cdef index_t n_parents = <index_t>(self.child_indptr.shape[0] - 1)
        cdef index_t row, parent
        cdef offset_t* start = <offset_t*>calloc(n_parents + 1, sizeof(offset_t))
        cdef offset_t* order = <offset_t*>malloc((n_pairs + 1) * sizeof(offset_t))
        cdef index_t* pair_row = <index_t*>malloc((n_pairs + 1) * sizeof(index_t))
        cdef index_t* sizes = <index_t*>calloc(n_rows + 1, sizeof(index_t))
        cdef float* margins = <float*>malloc((self.most_children + 1) * sizeof(float))
        cdef index_t* place = <index_t*>calloc(self.n_features + 1, sizeof(index_t))
        cdef bint good = start and order and pair_row and sizes and margins and place
        if good:
            for row in range(n_rows):
                for pair in range(pair_indptr[row], pair_indptr[row + 1]):
                    pair_row[pair] = row
                    start[pair_parent[pair] + 1] += 1
            for parent in range(n_parents):
                start[parent + 1] += start[parent]
            for pair in range(n_pairs):
                order[start[pair_parent[pair]]] = pair
                start[pair_parent[pair]] += 1
            self.score_rows(indptr, indices, data, pair_indptr, pair_parent, pair_score, order,
                            pair_row, n_pairs, out_indptr, ids, scores, sizes, margins, place)
            for row in range(n_rows):
                if best_first:
                    sort_best_first(&scores[out_indptr[row]], &ids[out_indptr[row]], sizes[row])
                else:
                    sort_by_id(&scores[out_indptr[row]], &ids[out_indptr[row]], sizes[row])
        free(start)
        free(order)
        free(pair_row)
        free(sizes)
        free(margins)
        free(place)
        return good

    def expand(self, const offset_t[::1] indptr, const index_t[::1] indices,
               const float[::1] data, const offset_t[::1] parent_indptr,
               const index_t[::1] parent_ids, const float[::1] parent_scores,
               index_t keep, bint best_first):
        """Score the children of each row's parents and keep the best.

        X and the parents come as the arrays of two CSR matrices, parents rising in each row.
        `keep` is the most children kept a row, 0 for all of them. The result is the arrays
        (indptr, ids, scores) of a CSR matrix whose rows rise by id, or stand best first.
        """
        cdef index_t n_rows = <index_t>(indptr.shape[0] - 1), row
        cdef offset_t pair, n_children
        cdef bint good
        out_indptr = np.zeros(n_rows + 1, dtype=np.int64)
        cdef offset_t[::1] out = out_indptr
        for row in range(n_rows):
            n_children = 0
            for pair in range(parent_indptr[row], parent_indptr[row + 1]):
                n_children += (self.child_indptr[parent_ids[pair] + 1]
                               - self.child_indptr[parent_ids[pair]])
            out[row + 1] = out[row] + (min(n_children, keep) if keep > 0 else n_children)
        out_ids = np.empty(out[n_rows], dtype=np.int32)
        out_scores = np.empty(out[n_rows], dtype=np.float32)
        cdef index_t[::1] ids = out_ids
        cdef float[::1] scores = out_scores
        with nogil:
            good = self.run(&indptr[0], &indices[0], &data[0], &parent_indptr[0], &parent_ids[0],
                            &parent_scores[0], n_rows, &out[0], &ids[0], &scores[0], best_first)
        if not good:
            raise MemoryError()
        return out_indptr, out_ids, out_scores

    def expand_row(self, const index_t[::1] indices, const float[::1] data,
                   const index_t[::1] parent_ids, const float[::1] parent_scores,
                   index_t keep, bint best_first):
        """Score one row: (ids, scores) of the best `keep` children, equal to `expand`."""
        cdef offset_t n_children = 0, at
        cdef index_t size = 0, capacity
        cdef float* margins
        for at in range(parent_ids.shape[0]):
            n_children += (self.child_indptr[parent_ids[at] + 1]
                           - self.child_indptr[parent_ids[at]])
        capacity = <index_t>(min(n_children, keep) if keep > 0 else n_children)
        out_ids = np.empty(capacity, dtype=np.int32)
        out_scores = np.empty(capacity, dtype=np.float32)
        cdef index_t[::1] ids = out_ids
        cdef float[::1] scores = out_scores
        margins = <float*>malloc((self.most_children + 1) * sizeof(float))
        if not margins:
            raise MemoryError()
        with nogil:
            for at in range(parent_ids.shape[0]):
                self.margins_by_search(&indices[0], &data[0], indices.shape[0], parent_ids[at],
                                       margins)
                self.keep_children(parent_ids[at], parent_scores[at], margins, &scores[0],
                                   &ids[0], &size, capacity)
            if best_first:
                sort_best_first(&scores[0], &ids[0], size)
            else:
                sort_by_id(&scores[0], &ids[0], size)
            free(margins)
        return out_ids, out_scores
