"""Score the children of given parents: one level of a beam search.

The input is pairs (row, parent) with the parent's score and the sum of the margins on its path.
`margins` computes the margins of the parent's children. `transforms` converts margins to scores and
combines them with the parent's score. The best children per row are kept.

An only child can have the score of its parent: it is reached whenever its parent is, so its own
margin says nothing. Otherwise labels that are carried down a chain of only children, in a tree of
uneven depth, would rank differently from those that are not.

The pairs of a batch are scored in the order of their parents, so that a chunk is read from memory
once for all of its rows. The result does not depend on this order: each pair is scored
independently, and the best children are selected by a total order.

Early stopping, which is exact: no child has a higher score than its parent, if the transform is a
loss >= 0 and no offset is positive (up to rounding, see `find_largest_score`). So once a row has as
many children as it keeps, a parent with a lower score than the worst of them cannot change the
result, and neither can the parents after it, because the parents of a row are sorted best first. A
batch is scored in waves: the first parents of all rows, then those of the next parents that can
still change the result, and so on.
"""

import numpy as np

from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from skxmr._core.interrupts cimport check_interrupt
from skxmr._core.row_search cimport RowScores, SparseRow, allocate_row_scores
from skxmr._core.topk cimport Entries, Entry, entries_from, keep_best, sort_entries
from skxmr._core.transforms cimport (
    MARGIN, LevelTransform, Node, Transform, find_largest_score, find_smallest_margin,
    inherit_score, transform_margins, with_offsets
)
from skxmr._core.types cimport index_t, offset_t, uint8_t
from skxmr._linear.simd.lanes cimport (
    LANES, MAX_ENTRY_ROWS, ROWS_TOGETHER, get_lane_kernels, lane_kernels
)
from skxmr._linear.margins cimport (
    PIPELINE_DEPTH, ChunkMargins, FullRows, Scratch, SharedFeatures, allocate_full_rows,
    allocate_scratch, release_full_rows, release_scratch
)
from skxmr._linear.node_filter cimport (
    FilterArrays, NodeFilter, count_allowed, find_allowed, get_filter_arrays, is_filtered
)


# Number of scored children between two checks for interrupts: a few milliseconds.
cdef index_t CHILDREN_PER_CHECK = 1 << 16


# Full rows are scored together with sparse entries if a chunk has at least this number of them.
# 2,000 rows, 50,000 labels and 768 features, 16 % of the weights nonzero: 22.2 microseconds per row
# with a minimum of 2, 23.1 with 3, and 23.5 with 4 (November 2026).
cdef enum:
    MIN_ROWS_WITH_ENTRIES = 2
    MAX_COLUMNS_PER_FEATURE = 4          # columns of X per feature of the chunk

# Children that are transformed at a time: the widest vectors have 16 numbers.
cdef enum:
    CHILDREN_PER_BLOCK = 16
# Number of parents per row in the first waves; then it is doubled, because each wave takes time for
# every parent of the level. On WordNet and Debian, first waves of 1 to 4 parents were equally fast
# within the noise of 5 % (k = 1, 5, 10, November 2026).
cdef offset_t[3] FIRST_WAVES = [2, 2, 3]
# Mean number of rows per parent in a wave of rows with all features that are scored with sparse
# entries, if there are enough pairs: fewer would not fill the lanes. For the 2,000 rows above: 26
# microseconds per row with the waves of other rows, 22 with 32 rows per parent, 20 with 64.
cdef enum:
    FULL_WAVE_ROWS = 64


cdef struct Batch:             # rows of X, and pairs (row, parent) to score, as two CSR matrices
    const offset_t* x_indptr
    const index_t* x_indices
    const float* x_data
    const offset_t* indptr
    const index_t* parents
    const float* scores        # of the parents
    const float* margins       # of the paths to the parents
    index_t n_rows
    offset_t n_last            # columns at the end of X; a row without zeros in them is full
    FilterArrays filter        # children that may be kept


cdef struct RowHeaps:          # the best children per row
    Entries entries
    const offset_t* indptr     # (n_rows + 1) start of each row in `entries`
    index_t* sizes             # (n_rows) children that a row has
    const float* min_scores    # (n_rows) minimum score of the children, or NULL
    bint keep_all              # whether the capacity of each row is never reached


cdef struct PairOrder:
    offset_t* pairs            # pairs in the order of scoring; NULL: in the order of the batch
    offset_t n_pairs
    index_t* rows              # row of each pair; NULL: row 0


cdef inline offset_t get_pair(const PairOrder* order, offset_t at) noexcept nogil:
    return order.pairs[at] if order.pairs != NULL else at


cdef inline index_t get_row(const PairOrder* order, offset_t pair) noexcept nogil:
    return order.rows[pair] if order.rows != NULL else 0


cdef inline index_t get_capacity(const RowHeaps* heaps, index_t row) noexcept nogil:
    # If all children are kept, the capacity is larger by one. Then it is never reached, and
    # keep_best only appends.
    return <index_t>(heaps.indptr[row + 1] - heaps.indptr[row]) + heaps.keep_all


cdef inline float get_threshold(const RowHeaps* heaps, index_t row) noexcept nogil:
    # Score below which a child cannot be among the best of its row. A full row is a heap, whose
    # root is the worst child.
    cdef float threshold = heaps.min_scores[row] if heaps.min_scores != NULL else -INFINITY
    if heaps.sizes[row] == get_capacity(heaps, row):
        threshold = max(threshold, heaps.entries.scores[heaps.indptr[row]])
    return threshold


cdef inline offset_t drop_parents(const Transform* transform, const float* scores,
                                  offset_t n_parents, offset_t n_scored,
                                  float threshold) noexcept nogil:
    # Return the number of parents, sorted best first, without the last ones whose children are all
    # below the threshold. The first n_scored remain.
    while (n_parents > n_scored
           and find_largest_score(transform, scores[n_parents - 1]) < threshold):
        n_parents -= 1
    return n_parents


cdef inline bint has_margin_from(const float* margins, index_t n, float smallest) noexcept nogil:
    # Whether any margin is at least `smallest`, or NaN. No early exit, so that it is vectorized.
    cdef index_t at
    cdef int found = 0
    for at in range(n):
        found |= not (margins[at] < smallest)
    return found


cdef class LevelScorer:
    """Scores the children of one level; see `LevelModel` for the arrays."""

    cdef ChunkMargins chunks
    cdef const offset_t[::1] child_indptr      # (n_parents + 1) slices of the children
    cdef const index_t[::1] child_ids          # (n_children) id of each child in the result
    cdef index_t max_children                  # per parent
    cdef offset_t pairs_per_check              # for interrupts
    cdef bint only_children_inherit            # whether they have the scores of their parents
    cdef offset_t n_features                   # of X

    def __init__(self, ChunkMargins chunks, child_indptr, child_ids, n_features,
                 bint only_children_inherit):
        self.chunks = chunks
        self.n_features = n_features
        self.only_children_inherit = only_children_inherit
        self.child_indptr = child_indptr
        self.child_ids = child_ids
        self.max_children = np.diff(child_indptr).max(initial=0)
        self.pairs_per_check = 1 + CHILDREN_PER_CHECK // (self.max_children + 1)

    cdef void compute_margins(self, const lane_kernels* kernels, const Batch* batch,
                              const PairOrder* order, offset_t at, bint is_first,
                              Scratch* scratch) noexcept nogil:
        # Write the margins of the children of pair number `at` to `scratch`. Call this function for
        # consecutive pairs in turn, because it also performs the first steps of the next pairs, see
        # margins.pyx: step 3 of pair at + 1, step 2 of at + 2, step 1 of at + 3, then step 4 of
        # `at`. A call with `is_first` fills this pipeline.
        cdef offset_t current, ahead, pair, start
        cdef index_t parent, row
        for current in range(at - PIPELINE_DEPTH if is_first else at, at + 1):
            for ahead in range(max(current + 1, at),
                               min(current + PIPELINE_DEPTH + 1, order.n_pairs)):
                pair = get_pair(order, ahead)
                parent = batch.parents[pair]
                if ahead == current + 1:
                    self.chunks.find_entries(kernels, parent,
                                             &scratch.shared[ahead % PIPELINE_DEPTH])
                    continue
                row = get_row(order, pair)
                start = batch.x_indptr[row]
                if ahead == current + 2:
                    self.chunks.find_shared_features(
                        kernels, parent, &batch.x_indices[start], &batch.x_data[start],
                        batch.x_indptr[row + 1] - start, &scratch.shared[ahead % PIPELINE_DEPTH])
                elif ahead == at or parent != batch.parents[get_pair(order, ahead - 1)]:
                    # If the previous pair has the same parent, most words are in cache already.
                    self.chunks.prefetch_words(kernels, parent, &batch.x_indices[start],
                                               batch.x_indptr[row + 1] - start)
        pair = get_pair(order, at)
        self.chunks.compute_margins(kernels, batch.parents[pair],
                                    &scratch.shared[at % PIPELINE_DEPTH], scratch.margins)

    cdef void transform_children(self, index_t parent, Node parent_node,
                                 const Transform* transform, Scratch* scratch) noexcept nogil:
        # Write the scores and path margins of all children of a parent to `scratch`.
        cdef offset_t first = self.child_indptr[parent]
        cdef index_t n_children = <index_t>(self.child_indptr[parent + 1] - first)
        if n_children == 1 and self.only_children_inherit:
            inherit_score(transform, parent_node, first, scratch.margins, scratch.scores)
        else:
            transform_margins(transform, parent_node, first, scratch.margins, scratch.scores,
                              n_children)

    cdef void keep_best_children(self, const Batch* batch, offset_t pair, index_t row,
                                 const Transform* transform, Scratch* scratch,
                                 const RowHeaps* heaps) noexcept nogil:
        # Add the children of a pair, whose margins are in `scratch`, to the best of the row. Only
        # blocks of children with a sufficient margin are transformed.
        cdef index_t parent = batch.parents[pair], block, child, n_block
        cdef offset_t first = self.child_indptr[parent]
        cdef index_t n_children = <index_t>(self.child_indptr[parent + 1] - first)
        cdef Node parent_node = Node(batch.scores[pair], batch.margins[pair])
        cdef float smallest = -INFINITY, threshold = get_threshold(heaps, row)
        cdef float* margins
        cdef Entries best = entries_from(&heaps.entries, heaps.indptr[row])
        cdef index_t* size = &heaps.sizes[row]
        cdef index_t capacity = get_capacity(heaps, row)
        cdef const uint8_t* allowed = NULL
        if is_filtered(&batch.filter):
            allowed = find_allowed(&batch.filter, row, first, first + n_children, scratch.flags)
            for child in range(n_children):  # so that other children are rarely transformed
                scratch.margins[child] = scratch.margins[child] if allowed[child] else -INFINITY
        if n_children == 1 and self.only_children_inherit:
            self.transform_children(parent, parent_node, transform, scratch)
            if scratch.scores[0] >= threshold and (allowed == NULL or allowed[0]):
                keep_best(&best, size, capacity,
                          Entry(scratch.scores[0], scratch.margins[0], self.child_ids[first]))
            return
        if threshold > -INFINITY:
            smallest = find_smallest_margin(transform, parent_node, threshold)
        block = 0
        while block < n_children:
            n_block = min(n_children - block, CHILDREN_PER_BLOCK)
            margins = &scratch.margins[block]
            if has_margin_from(margins, n_block, smallest):
                transform_margins(transform, parent_node, first + block, margins, scratch.scores,
                                  n_block)
                for child in range(n_block):
                    if (scratch.scores[child] >= threshold
                            and (allowed == NULL or allowed[block + child])):
                        keep_best(&best, size, capacity,
                                  Entry(scratch.scores[child], margins[child],
                                        self.child_ids[first + block + child]))
                        threshold = get_threshold(heaps, row)
            block += n_block

    cdef offset_t select_wave(self, const Batch* batch, const Transform* transform,
                              const RowHeaps* heaps, offset_t wave_size, offset_t* next_pairs,
                              offset_t* selected) noexcept nogil:
        # Write the next pairs of each row that can change the result. next_pairs[row] is the first
        # pair that was in no wave yet. Returns the number of pairs.
        cdef offset_t n_selected = 0, pair, last
        cdef index_t row
        cdef float threshold
        for row in range(batch.n_rows):
            last = min(batch.indptr[row + 1], next_pairs[row] + wave_size)
            threshold = get_threshold(heaps, row)
            for pair in range(next_pairs[row], last):
                if find_largest_score(transform, batch.scores[pair]) < threshold:
                    last = batch.indptr[row + 1]
                    break
                selected[n_selected] = pair
                n_selected += 1
            next_pairs[row] = last
        return n_selected

    cdef void sort_by_parent(self, const index_t* parents, const offset_t* selected,
                             offset_t n_pairs, offset_t* starts,
                             offset_t* pairs) noexcept nogil:
        # Counting sort of the selected pairs; `starts` is a buffer with one place per parent.
        cdef index_t n_parents = <index_t>(self.child_indptr.shape[0] - 1), parent
        cdef offset_t at, start = 0, n
        memset(starts, 0, n_parents * sizeof(offset_t))
        for at in range(n_pairs):
            starts[parents[selected[at]]] += 1
        for parent in range(n_parents):
            n = starts[parent]
            starts[parent] = start
            start += n
        for at in range(n_pairs):
            parent = parents[selected[at]]
            pairs[starts[parent]] = selected[at]
            starts[parent] += 1

    cdef PairOrder list_all_pairs(self, const Batch* batch) noexcept nogil:
        # All pairs, sorted by parent; pointers are NULL if memory runs out.
        cdef offset_t n_pairs = batch.indptr[batch.n_rows], pair
        cdef PairOrder order = PairOrder(<offset_t*>malloc((n_pairs + 1) * sizeof(offset_t)),
                                         n_pairs, list_pair_rows(batch))
        cdef offset_t* all_pairs = <offset_t*>malloc((n_pairs + 1) * sizeof(offset_t))
        cdef offset_t* starts = <offset_t*>malloc(self.child_indptr.shape[0] * sizeof(offset_t))
        if order.pairs != NULL and all_pairs != NULL and starts != NULL:
            for pair in range(n_pairs):
                all_pairs[pair] = pair
            self.sort_by_parent(batch.parents, all_pairs, n_pairs, starts, order.pairs)
        else:
            free(order.pairs)
            order.pairs = NULL
        free(all_pairs)
        free(starts)
        return order

    cdef bint score_batch(self, const Batch* batch, const Transform* transform,
                          const RowHeaps* heaps) except -1 nogil:
        # Score all pairs that can change the result, and keep the best children per row. Returns
        # False if memory runs out.
        cdef const lane_kernels* kernels = get_lane_kernels()
        cdef offset_t start, stop, n_pairs = batch.indptr[batch.n_rows], wave_size = n_pairs
        cdef offset_t n_parents = self.child_indptr.shape[0] - 1
        cdef int wave = 0
        cdef Scratch scratch
        cdef FullRows full_rows
        cdef offset_t* next_pairs = <offset_t*>malloc((batch.n_rows + 1) * sizeof(offset_t))
        cdef offset_t* selected = <offset_t*>malloc((n_pairs + 1) * sizeof(offset_t))
        cdef offset_t* starts = <offset_t*>malloc(self.child_indptr.shape[0] * sizeof(offset_t))
        cdef PairOrder order = PairOrder(<offset_t*>malloc((n_pairs + 1) * sizeof(offset_t)), 0,
                                         list_pair_rows(batch))
        cdef offset_t max_entries = find_max_row_entries(batch)
        cdef bint has_entries = (max_entries >= batch.n_last
                                 and self.chunks.scores_entries_of_rows())
        full_rows.block = NULL
        cdef bint has_memory = (
            allocate_scratch(&scratch, max_entries, self.max_children)
            and allocate_full_rows(&full_rows, min(max_entries, batch.n_last), self.max_children,
                                   has_entries)
            and order.pairs != NULL and order.rows != NULL and next_pairs != NULL
            and selected != NULL and starts != NULL)
        try:
            if not has_memory:
                return False
            memcpy(next_pairs, batch.indptr, batch.n_rows * sizeof(offset_t))
            while True:
                if transform.shape != MARGIN and not heaps.keep_all:
                    wave_size = FIRST_WAVES[wave] if wave < 3 else 2 * wave_size
                    if has_entries and n_pairs >= LANES * n_parents:
                        wave_size = max(wave_size, FULL_WAVE_ROWS * n_parents // batch.n_rows)
                wave += 1
                order.n_pairs = self.select_wave(batch, transform, heaps, wave_size, next_pairs,
                                                 selected)
                if order.n_pairs == 0:
                    break
                self.sort_by_parent(batch.parents, selected, order.n_pairs, starts, order.pairs)
                stop = 0
                while stop < order.n_pairs:
                    check_interrupt()
                    start, stop = stop, min(order.n_pairs, stop + self.pairs_per_check)
                    self.score_pairs(kernels, batch, &order, start, stop, transform, &scratch,
                                     &full_rows, heaps)
        finally:
            release_scratch(&scratch)
            release_full_rows(&full_rows)
            free(order.pairs)
            free(order.rows)
            free(next_pairs)
            free(selected)
            free(starts)
        return True

    cdef void score_pairs(self, const lane_kernels* kernels, const Batch* batch,
                          const PairOrder* order, offset_t start, offset_t stop,
                          const Transform* transform, Scratch* scratch, FullRows* full_rows,
                          const RowHeaps* heaps) noexcept nogil:
        # Score the pairs from number `start` to before `stop` of the order.
        cdef offset_t at = start, stop_together, last = -1, end_of_parent = start
        cdef bint is_prepared = False
        while at < stop:
            if at == end_of_parent:
                end_of_parent = self.find_end_of_parent(batch, order, at, stop)
                is_prepared = self.prepare_full_pairs(batch, order, at, end_of_parent, full_rows)
            if is_prepared:
                stop_together = self.find_full_pairs(batch, order, at, end_of_parent)
                if stop_together > at:
                    self.score_full_pairs(kernels, batch, order, at, stop_together, transform,
                                          scratch, full_rows, heaps)
                    at = stop_together
                    continue
            self.compute_margins(kernels, batch, order, at, at == 0 or at != last + 1, scratch)
            self.keep_best_children(batch, order.pairs[at], order.rows[order.pairs[at]], transform,
                                    scratch, heaps)
            last = at
            at += 1

    cdef offset_t find_end_of_parent(self, const Batch* batch, const PairOrder* order, offset_t at,
                                     offset_t stop) noexcept nogil:
        # Return the end of the pairs from number `at` on that have the same parent.
        cdef index_t parent = batch.parents[order.pairs[at]]
        while at < stop and batch.parents[order.pairs[at]] == parent:
            at += 1
        return at

    cdef bint prepare_full_pairs(self, const Batch* batch, const PairOrder* order,
                                 offset_t start, offset_t stop,
                                 FullRows* full_rows) noexcept nogil:
        # Prepare the chunk of pairs with the same parent for full rows. Returns False if too few
        # rows are full.
        cdef offset_t at, n_full = 0
        cdef offset_t n_wanted = 1
        cdef bint has_dense_weights = self.chunks.dense_weights is not None
        if not has_dense_weights:
            if full_rows.values_by_column == NULL:
                return False
            n_wanted = MIN_ROWS_WITH_ENTRIES
        elif batch.n_last < self.n_features:
            return False
        for at in range(start, stop):
            n_full += self.is_full(batch, order.rows[order.pairs[at]])
            if n_full == n_wanted:
                self.chunks.start_chunk(batch.parents[order.pairs[start]],
                                        self.n_features - batch.n_last, full_rows)
                # All of these columns are transposed to score sparse entries.
                return (has_dense_weights
                        or MAX_COLUMNS_PER_FEATURE * full_rows.n_features >= batch.n_last)
        return False

    cdef bint is_full(self, const Batch* batch, index_t row) noexcept nogil:
        # Indices are sorted and different, so the row has all of the last columns if it has the
        # first of them at this position.
        cdef offset_t start = batch.x_indptr[row], at = batch.x_indptr[row + 1] - batch.n_last
        return at >= start and batch.x_indices[at] == self.n_features - batch.n_last

    cdef offset_t find_full_pairs(self, const Batch* batch, const PairOrder* order, offset_t at,
                                  offset_t stop) noexcept nogil:
        # Return the end of the pairs from number `at` on that are scored together: their rows are
        # full.
        cdef bint has_entries = self.chunks.dense_weights is None
        stop = min(stop, at + (MAX_ENTRY_ROWS if has_entries else ROWS_TOGETHER))
        while at < stop and self.is_full(batch, order.rows[order.pairs[at]]):
            at += 1
        return at

    cdef void score_full_pairs(self, const lane_kernels* kernels, const Batch* batch,
                               const PairOrder* order, offset_t start, offset_t stop,
                               const Transform* transform, Scratch* scratch, FullRows* full_rows,
                               const RowHeaps* heaps) noexcept nogil:
        # Score pairs that `find_full_pairs` has found, after `prepare_full_pairs`.
        cdef const float* data[32]          # [MAX_ENTRY_ROWS]
        cdef float* margins = scratch.margins
        cdef offset_t pair, child
        cdef index_t row, parent = batch.parents[order.pairs[start]]
        cdef offset_t n_children = self.child_indptr[parent + 1] - self.child_indptr[parent]
        cdef bint has_entries = self.chunks.dense_weights is None
        cdef int at, n_rows = ROWS_TOGETHER
        if has_entries:
            n_rows = LANES if stop - start <= LANES else MAX_ENTRY_ROWS
        for at in range(n_rows):
            # Missing rows are copies of the last one, whose results are not used.
            row = order.rows[order.pairs[min(start + at, stop - 1)]]
            data[at] = &batch.x_data[batch.x_indptr[row + 1] - batch.n_last]
            if has_entries and start + at < stop:
                self.compute_first_margins(kernels, batch, row, parent, scratch)
            for child in range(n_children if has_entries else 0):
                full_rows.margins_by_child[n_rows * child + at] = margins[child]
        if has_entries:
            self.chunks.compute_margins_by_child(kernels, parent, data, n_rows, full_rows)
        else:
            self.chunks.compute_margins_of_rows(kernels, parent, data, full_rows)
        for at in range(<int>(stop - start)):
            pair = order.pairs[start + at]
            if has_entries:
                for child in range(n_children):
                    margins[child] = full_rows.margins_by_child[n_rows * child + at]
            else:
                scratch.margins = full_rows.margins[at]
            self.keep_best_children(batch, pair, order.rows[pair], transform, scratch, heaps)
        scratch.margins = margins

    cdef void compute_first_margins(self, const lane_kernels* kernels, const Batch* batch,
                                    index_t row, index_t parent, Scratch* scratch) noexcept nogil:
        # Write the margins of a full row without the products of the last columns to `scratch`.
        cdef offset_t start = batch.x_indptr[row]
        cdef SharedFeatures* shared = &scratch.shared[0]
        shared.size = 0
        if batch.x_indptr[row + 1] - start > batch.n_last:
            self.chunks.find_shared_features(
                kernels, parent, &batch.x_indices[start], &batch.x_data[start],
                batch.x_indptr[row + 1] - start - batch.n_last, shared)
            self.chunks.find_entries(kernels, parent, shared)
        self.chunks.compute_margins(kernels, parent, shared, scratch.margins)

    def expand(self, const offset_t[::1] indptr, const index_t[::1] indices,
               const float[::1] data, const offset_t[::1] parent_indptr,
               const index_t[::1] parent_ids, const float[::1] parent_scores,
               const float[::1] parent_margins, index_t max_kept, bint best_first,
               LevelTransform transform not None, const float[::1] offsets,
               const float[::1] min_scores=None, offset_t n_dense=0,
               NodeFilter node_filter=None):
        """Score the children of each row's parents, and return the best ones per row.

        X and the parents are CSR arrays; the parents of a row are sorted best first. `max_kept` is
        the maximum number of children kept per row; 0 keeps all. `offsets` has the shape
        (n_children,) or is None. `min_scores` is the minimum score per row, or None; it needs a
        transform with a bound. `n_dense` is `Rows.n_dense`. `node_filter` has the children that
        may be kept, or is None.
        Returns CSR arrays (indptr, ids, scores, margins). Rows are sorted best first, in the order
        of topk.pxd, if `best_first`, otherwise by increasing id.
        """
        cdef Batch batch = Batch(&indptr[0], &indices[0], &data[0], &parent_indptr[0],
                                 &parent_ids[0], &parent_scores[0], &parent_margins[0],
                                 <index_t>(indptr.shape[0] - 1), n_dense or self.n_features,
                                 get_filter_arrays(node_filter))
        cdef Transform margin_transform = with_offsets(transform, offsets)
        cdef RowHeaps heaps
        cdef Entries best_of_row
        cdef offset_t first, n_parents
        cdef index_t row
        cdef bint has_memory
        heaps.min_scores = &min_scores[0] if min_scores is not None else NULL
        heaps.keep_all = max_kept == 0
        out_indptr = np.zeros(batch.n_rows + 1, dtype=np.int64)
        cdef offset_t[::1] out = out_indptr
        for row in range(batch.n_rows):
            first = parent_indptr[row]
            n_parents = parent_indptr[row + 1] - first
            if heaps.min_scores != NULL:
                n_parents = drop_parents(&margin_transform, batch.scores + first, n_parents, 0,
                                         min_scores[row])
            out[row + 1] = out[row] + self.count_kept(&batch, row, n_parents, max_kept)
        row_sizes = np.zeros(batch.n_rows + 1, dtype=np.int32)
        # One more, because get_threshold reads the first entry of an empty row, too.
        out_ids = np.empty(out[batch.n_rows] + 1, dtype=np.int32)
        out_scores = np.empty(out[batch.n_rows] + 1, dtype=np.float32)
        out_margins = np.empty(out[batch.n_rows] + 1, dtype=np.float32)
        cdef index_t[::1] ids = out_ids, sizes = row_sizes
        cdef float[::1] scores = out_scores, margins = out_margins
        heaps.entries = Entries(&scores[0], &margins[0], &ids[0])
        heaps.indptr = &out[0]
        heaps.sizes = &sizes[0]
        with nogil:
            has_memory = self.score_batch(&batch, &margin_transform, &heaps)
            if has_memory:
                for row in range(batch.n_rows):
                    best_of_row = entries_from(&heaps.entries, out[row])
                    sort_entries(&best_of_row, sizes[row], best_first)
        if not has_memory:
            raise MemoryError()
        if min_scores is None:  # all rows are full
            kept = slice(out[batch.n_rows])
        else:
            row_sizes = row_sizes[:batch.n_rows]
            kept_indptr = np.zeros(batch.n_rows + 1, dtype=np.int64)
            np.cumsum(row_sizes, out=kept_indptr[1:])
            kept = (np.arange(kept_indptr[batch.n_rows])
                    + np.repeat((out_indptr - kept_indptr)[:batch.n_rows], row_sizes))
            out_indptr = kept_indptr
        return out_indptr, out_ids[kept], out_scores[kept], out_margins[kept]

    cdef offset_t count_kept(self, const Batch* batch, index_t row, offset_t n_parents,
                             index_t max_kept) noexcept nogil:
        # Count the allowed children of the first parents of a row, up to `max_kept` unless it is 0.
        cdef offset_t n_children = 0, at
        cdef index_t parent
        for at in range(batch.indptr[row], batch.indptr[row] + n_parents):
            parent = batch.parents[at]
            n_children += count_allowed(&batch.filter, row, parent, self.child_indptr[parent],
                                        self.child_indptr[parent + 1])
        return min(n_children, <offset_t>max_kept) if max_kept > 0 else n_children

    cdef RowScores expand_row(self, SparseRow x, RowScores parents, index_t max_kept,
                              bint best_first, const Transform* transform, float min_score,
                              NodeFilter node_filter, Scratch* scratch):
        # Return the best children of one row, bit-identical to `expand`.
        cdef const lane_kernels* kernels = get_lane_kernels()
        cdef offset_t[2] x_indptr = [0, x.index_view.shape[0]]
        cdef offset_t[2] parent_indptr = [0, parents.size]
        cdef const Entries* entries = &parents.entries
        cdef Batch batch = Batch(&x_indptr[0], &x.index_view[0], &x.value_view[0],
                                 &parent_indptr[0], entries.ids, entries.scores, entries.margins,
                                 1, self.n_features, get_filter_arrays(node_filter))
        cdef offset_t at = 0
        cdef PairOrder order = PairOrder(NULL, parents.size, NULL)
        order.n_pairs = drop_parents(transform, entries.scores, order.n_pairs, 0, min_score)
        cdef RowScores best = allocate_row_scores(
            <index_t>self.count_kept(&batch, 0, order.n_pairs, max_kept))
        cdef offset_t[2] best_indptr = [0, best.size]
        cdef RowHeaps heaps = RowHeaps(best.entries, &best_indptr[0], &best.size, &min_score,
                                       max_kept == 0)
        best.size = 0
        with nogil:
            while at < order.n_pairs:
                self.compute_margins(kernels, &batch, &order, at, at == 0, scratch)
                self.keep_best_children(&batch, at, 0, transform, scratch, &heaps)
                at += 1
                order.n_pairs = drop_parents(transform, entries.scores, order.n_pairs, at,
                                             get_threshold(&heaps, 0))
            sort_entries(&best.entries, best.size, best_first)
        return best

    def score_children(self, const offset_t[::1] indptr, const index_t[::1] indices,
                       const float[::1] data, const offset_t[::1] parent_indptr,
                       const index_t[::1] parent_ids, const float[::1] parent_scores,
                       const float[::1] parent_margins, const offset_t[::1] wanted_indptr,
                       const index_t[::1] wanted, LevelTransform transform not None,
                       const float[::1] offsets):
        """Return the scores and margins of given children only; arguments as for `expand`.

        The children of pair i are wanted[wanted_indptr[i]:wanted_indptr[i + 1]], as positions in
        the level instead of `child_ids`.
        """
        cdef const lane_kernels* kernels = get_lane_kernels()
        cdef Batch batch = Batch(&indptr[0], &indices[0], &data[0], &parent_indptr[0],
                                 &parent_ids[0], &parent_scores[0], &parent_margins[0],
                                 <index_t>(indptr.shape[0] - 1), self.n_features,
                                 get_filter_arrays(None))
        cdef Transform margin_transform = with_offsets(transform, offsets)
        cdef offset_t pair, at, e
        cdef index_t child
        cdef PairOrder order
        cdef Scratch scratch
        cdef bint has_memory
        out_scores = np.empty(wanted.shape[0], dtype=np.float32)
        out_margins = np.empty(wanted.shape[0], dtype=np.float32)
        cdef float[::1] scores = out_scores, margins = out_margins
        with nogil:
            order = self.list_all_pairs(&batch)
            has_memory = (
                allocate_scratch(&scratch, find_max_row_entries(&batch), self.max_children)
                and order.pairs != NULL and order.rows != NULL)
            try:
                for at in range(order.n_pairs if has_memory else 0):
                    if at % self.pairs_per_check == 0:
                        check_interrupt()
                    pair = order.pairs[at]
                    self.compute_margins(kernels, &batch, &order, at, at == 0, &scratch)
                    self.transform_children(batch.parents[pair], Node(batch.scores[pair],
                                            batch.margins[pair]), &margin_transform, &scratch)
                    for e in range(wanted_indptr[pair], wanted_indptr[pair + 1]):
                        child = <index_t>(wanted[e] - self.child_indptr[batch.parents[pair]])
                        scores[e] = scratch.scores[child]
                        margins[e] = scratch.margins[child]
            finally:
                release_scratch(&scratch)
                free(order.pairs)
                free(order.rows)
        if not has_memory:
            raise MemoryError()
        return out_scores, out_margins


cdef index_t* list_pair_rows(const Batch* batch) noexcept nogil:
    # Returns the row of each pair, or NULL if memory runs out.
    cdef index_t* rows = <index_t*>malloc((batch.indptr[batch.n_rows] + 1) * sizeof(index_t))
    cdef index_t row
    cdef offset_t pair
    if rows != NULL:
        for row in range(batch.n_rows):
            for pair in range(batch.indptr[row], batch.indptr[row + 1]):
                rows[pair] = row
    return rows


cdef offset_t find_max_row_entries(const Batch* batch) noexcept nogil:
    cdef offset_t max_entries = 0
    cdef index_t row
    for row in range(batch.n_rows):
        max_entries = max(max_entries, batch.x_indptr[row + 1] - batch.x_indptr[row])
    return max_entries


def search_row(list levels not None, transforms not None, SparseRow x not None,
               RowScores parents not None, max_kept not None, bint best_first,
               const float[::1] offsets=None, float min_score=-INFINITY, node_filters=None):
    """Search several levels for one row.

    Parameters
    ----------
    levels : list of LevelModel
        Consecutive levels.
    transforms : sequence of LevelTransform
        Transform of each level.
    x : SparseRow
        The row.
    parents : RowScores
        Parents of the first level, best first.
    max_kept : sequence of int
        Maximum number of nodes kept on each level; 0 keeps all.
    best_first : bool
        Whether the result is sorted best first instead of by id.
    offsets : ndarray of float32 or None
        Offsets of the nodes of the last level.
    min_score : float
        Minimum score of the nodes; needs transforms with a bound.
    node_filters : sequence of NodeFilter or None
        Nodes of each level that may be kept.

    Returns
    -------
    RowScores
        Nodes of the last level.
    """
    cdef float max_dropped = parents.max_dropped
    cdef LevelScorer scorer
    cdef Transform transform
    cdef Scratch scratch
    cdef index_t max_children = 0, last = <index_t>(len(levels) - 1), at
    for level in levels:
        scorer = level.scorer
        max_children = max(max_children, scorer.max_children)
    try:
        if not allocate_scratch(&scratch, x.index_view.shape[0], max_children):
            raise MemoryError()
        for at in range(last + 1):
            scorer = levels[at].scorer
            transform = with_offsets(transforms[at], offsets if at == last else None)
            parents = scorer.expand_row(x, parents, max_kept[at], best_first or at < last,
                                        &transform, min_score,
                                        None if node_filters is None else node_filters[at],
                                        &scratch)
            parents.max_dropped = max_dropped
            if 0 < max_kept[at] == parents.size:
                max_dropped = max(max_dropped, parents.entries.scores[parents.size - 1])
    finally:
        release_scratch(&scratch)
    return parents
