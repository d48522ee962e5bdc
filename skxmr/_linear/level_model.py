"""The linear models of one tree level, stored by chunk."""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import concatenate_and_release, concatenate_in_pages
from skxmr._core.node_scores import NodeScores
from skxmr._core.packed_arrays import pack_array, unpack_array
from skxmr._linear.chunk import fill_dense_weights
from skxmr._linear.feature_sets import RankTables, rank_features
from skxmr._linear.level_weights import UNTRAINED_INTERCEPT
from skxmr._linear.margins import ChunkMargins
from skxmr._linear.scoring import LevelScorer
from skxmr._linear.simd.lanes import LANES
from skxmr._linear.weight_precision import WEIGHT_TYPES

# A level may also store dense weights: a number per feature of a chunk and child. They are scored
# two to three times as fast as entries. If no chunk has more than LANES children, there are LANES
# numbers per feature. In large levels most of these are 0, so the number of chunk features is
# limited: dense weights of this many take 256 MiB in float32.
MAX_DENSE_FEATURES = 2**22
# Levels with more children per chunk have dense weights if at least this fraction of them is not 0,
# as in data of a few hundred labels, and if they take at most 128 MiB. Dense weights of the most
# frequent features only did not make batches of WordNet or Debian faster.
MIN_DENSE_FRACTION = 0.25
# Files do not contain the dense weights of up to this many chunk features (128 MiB in float32).
# They are computed in 30 milliseconds, faster than they are read and verified. Larger ones are
# stored, so that a memory-mapped model loads quickly, and so that processes share them.
MAX_COMPUTED_FEATURES = 2**21
CACHE_LINE = 64  # bytes

# Arrays that scoring reads.
SCORED_ARRAYS = ("child_indptr", "intercepts", "summaries", "entry_counts", "entry_children")
# Arrays that are known before training.
LAYOUT_ARRAYS = ("child_indptr", "child_ids", "fingerprints")
# Arrays that are concatenated from the arrays of blocks. Only int8 weights have scales.
BLOCK_ARRAYS = (
    *("intercepts", "summaries", "words", "entry_counts", "entry_children", "entry_weights"),
    "weight_scales",
)
# Arrays that are uint8 if all values of the level fit, else uint16.
NARROW_ARRAYS = ("entry_counts", "entry_children")


class Chunk(NamedTuple):
    """Trained linear models of the children of one cluster.

    Attributes
    ----------
    summary, words : ndarray of uint64
        Bitmap of the features of the chunk; see `feature_sets`.
    counts : ndarray of shape (n_chunk_features,), integer
        Number of weights of each feature.
    children : ndarray of shape (n_weights,), uint16
        Child of each weight, counted inside the chunk.
    weights : ndarray of shape (n_weights,)
        Weights in their stored dtype, by feature.
    scale : float
        Factor of int8 weights; 1 for others.
    intercepts : ndarray of shape (n_children,), float32
        Intercept of each child.
    n_iter : int
        Maximum number of sweeps of a child.
    n_unsolved : int
        Number of children that did not reach the tolerance.
    """

    summary: np.ndarray
    words: np.ndarray
    counts: np.ndarray
    children: np.ndarray
    weights: np.ndarray
    scale: float
    intercepts: np.ndarray
    n_iter: int
    n_unsolved: int


class LevelLayout(NamedTuple):
    """Structure and fingerprints of a level, without weights; attributes as in `LevelModel`."""

    child_indptr: np.ndarray
    child_ids: np.ndarray
    fingerprints: np.ndarray
    n_features: int
    only_children_inherit: bool


class LevelModel:
    """Weights of one level: a one-vs-all linear model for each child of each cluster.

    The weights of the children of one cluster form a *chunk*. Created by `fit_levels`; immutable.

    Parameters
    ----------
    arrays : dict of ndarray
        ``child_indptr`` int64 (n_parents + 1,), start of the children of each parent;
        ``child_ids`` int32 (n_children,), number of each child in scores;
        ``fingerprints`` uint64 (n_parents,), hash of the training data of each chunk, see
        `fingerprints`; 0 if its weights were changed after training, missing in old files;
        ``intercepts`` float32 (n_children,);
        ``summaries`` uint64 (n_parents, n_summary) and ``words`` uint64 (n_words + 1,), the
        features of each chunk, see `feature_sets`;
        ``entry_counts`` (n_chunk_features,), the number of weights of each feature;
        ``entry_children`` and ``entry_weights`` (n_weights,), the child of each weight, counted
        inside the chunk, and its value.
        Counts and children are uint8 if all values fit, else uint16. Weights are float32, float16,
        or int8 with ``weight_scales`` float32 (n_parents,), see `weight_precision`.
    n_features : int
        Number of columns of X.
    n_iter : int
        Maximum number of sweeps of a child.
    n_unsolved : int
        Number of children that did not reach the tolerance.
    tables : dict of ndarray or None
        Tables for scoring, as in the attribute `tables` of an equal model. They are stored in files
        so that a memory map loads without being read. They contain ``words``, which may then be
        missing in `arrays`. None computes them.
    only_children_inherit : bool
        Whether the only child of a parent has the score of its parent. Files of earlier versions
        lack it.
    """

    def __init__(
        self, arrays, n_features, n_iter, n_unsolved, tables=None, only_children_inherit=False
    ):
        self.n_features = n_features
        self.n_iter = n_iter
        self.n_unsolved = n_unsolved
        self.only_children_inherit = only_children_inherit
        max_children = np.diff(arrays["child_indptr"]).max()
        n_chunk_features = len(arrays["entry_counts"])
        if "fingerprints" not in arrays:
            n_parents = len(arrays["child_indptr"]) - 1
            arrays = {**arrays, "fingerprints": np.zeros(n_parents, dtype=np.uint64)}
        are_stored = tables is not None and "ranked_words" in tables  # not in format version 1
        if not are_stored:
            tables = make_tables(arrays)
        n_lanes = count_dense_lanes(max_children, n_chunk_features, len(arrays["entry_children"]))
        if n_lanes and not (are_stored and stores_dense_weights(max_children, n_chunk_features)):
            # The key is the name of a file.
            tables = {**tables, "table": make_dense_weights(arrays, n_lanes)}
        self.tables = tables
        # A view of the words inside the table, so that they are in memory only once.
        self.arrays = {**arrays, "words": tables["ranked_words"][:, 0]}
        weights = arrays["entry_weights"]
        chunks = ChunkMargins(
            *(arrays[name] for name in SCORED_ARRAYS),
            weights,
            WEIGHT_TYPES.index(weights.dtype.name),
            arrays.get("weight_scales"),
            *(tables[name] for name in RankTables._fields),
            tables.get("table"),  # the dense weights
        )
        self.scorer = LevelScorer(
            chunks,
            arrays["child_indptr"],
            arrays["child_ids"],
            n_features,
            only_children_inherit,
        )

    def __getstate__(self):
        """Return the packed arrays, without the scorer and its tables, which follow from them."""
        arrays = {name: pack_array(array) for name, array in self.arrays.items()}
        return {**self._scalars(), "arrays": arrays}

    def __setstate__(self, state):
        """Restore the arrays, and compute the tables again."""
        arrays = {name: unpack_array(packed) for name, packed in state["arrays"].items()}
        self.__init__(**{**state, "arrays": arrays})

    def _scalars(self):
        names = ("n_features", "n_iter", "n_unsolved", "only_children_inherit")
        return {name: getattr(self, name) for name in names}

    def constructor_arguments(self):
        """Return the arguments for an equal model, no array twice, with the tables to be stored."""
        arrays = {name: array for name, array in self.arrays.items() if name != "words"}
        tables = dict(self.tables)
        if not stores_dense_weights(
            np.diff(arrays["child_indptr"]).max(), len(arrays["entry_counts"])
        ):
            tables.pop("table", None)
        return {**self._scalars(), "arrays": arrays, "tables": tables}

    @classmethod
    def from_blocks(cls, blocks, layout):
        """Join the results of `join_chunks` for neighboring clusters, in order.

        `layout` is the `LevelLayout` of the level. The blocks are emptied, so that nothing is in
        memory twice.
        """
        arrays = {name: getattr(layout, name) for name in LAYOUT_ARRAYS}
        for name in [name for name in BLOCK_ARRAYS if name in blocks[0]]:
            block_arrays = [block.pop(name) for block in blocks]
            if name == "words":
                block_arrays.append(np.zeros(1, dtype=np.uint64))
            arrays[name] = concatenate_and_release(block_arrays)
        n_iter, n_unsolved = count_iterations(blocks)
        return cls(
            arrays,
            layout.n_features,
            n_iter,
            n_unsolved,
            only_children_inherit=layout.only_children_inherit,
        )

    @property
    def layout(self):
        """The `LevelLayout`."""
        arrays = {name: self.arrays[name] for name in LAYOUT_ARRAYS}
        return LevelLayout(
            **arrays,
            n_features=self.n_features,
            only_children_inherit=self.only_children_inherit,
        )

    def chunk(self, parent):
        """Return the `Chunk` of one parent, which shares memory with the level.

        Numbers of sweeps are stored by level: its `n_iter` is that of the level, `n_unsolved` is 0.
        """
        a = self.arrays
        words, features, entries = (
            slice(*self.tables[f"{name}_indptr"][parent : parent + 2])
            for name in ("word", "feature", "entry")
        )
        return Chunk(
            a["summaries"][parent],
            a["words"][words],
            a["entry_counts"][features],
            a["entry_children"][entries],
            a["entry_weights"][entries],
            a["weight_scales"][parent] if "weight_scales" in a else np.float32(1),
            a["intercepts"][slice(*a["child_indptr"][parent : parent + 2])],
            self.n_iter,
            n_unsolved=0,
        )

    def count_models(self):
        """Return the number of children whose model was trained."""
        is_trained = self.arrays["intercepts"] > UNTRAINED_INTERCEPT
        if self.only_children_inherit:
            n_children = np.diff(self.arrays["child_indptr"])
            is_trained &= np.repeat(n_children > 1, n_children)
        return int(np.count_nonzero(is_trained))

    def expand(
        self,
        X,
        parents,
        max_children,
        transform,
        best_first=False,
        offsets=None,
        min_scores=None,
        node_filter=None,
    ):
        """Score the children of the parents of each row, and keep the best.

        Parameters
        ----------
        X : Rows
            Rows to score.
        parents : NodeScores
            Parents of each row, best first.
        max_children : int
            Maximum number of children kept per row; 0 keeps all.
        transform : LevelTransform
            How margins become scores and are joined to the scores of the parents.
        best_first : bool
            Whether each row is sorted best first instead of by child.
        offsets : ndarray of shape (n_children,), float32, or None
            Added to the score of each child, multiplied by the weight of the transform.
        min_scores : ndarray of shape (n_rows,), float32, or None
            Minimum score of the children of each row. Not with the transform "identity".
        node_filter : NodeFilter or None
            Children that may be kept. None allows all.

        Returns
        -------
        NodeScores
            The children.
        """
        found = self.scorer.expand(
            X.indptr,
            X.indices,
            X.data,
            *parents,
            max_children,
            best_first,
            transform,
            offsets,
            min_scores,
            X.n_dense,
            node_filter,
        )
        return NodeScores(*found)

    def score_children(self, X, parents, wanted, transform, offsets=None):
        """Score given children; the results are bit-identical to those of `expand`.

        Parameters
        ----------
        X : Rows
            Rows to score.
        parents : NodeScores
            Parents of each row.
        wanted : tuple of ndarray
            (indptr int64, children int32): the children of each entry of `parents`, numbered
            within the level.
        transform : LevelTransform
            As for `expand`.
        offsets : ndarray of shape (n_children,), float32, or None
            As for `expand`.

        Returns
        -------
        scores, margins : ndarray of shape (n_wanted,), float32
            Scores of the children, and sums of the margins on their paths.
        """
        return self.scorer.score_children(
            X.indptr, X.indices, X.data, *parents, *wanted, transform, offsets
        )


def join_chunks(chunks):
    """Join the chunks of neighboring clusters.

    Parameters
    ----------
    chunks : list of Chunk
        In the order of their clusters.

    Returns
    -------
    dict of ndarray
        Arrays of a `LevelModel` of these clusters, without the 0 after the words, and ``n_iter``
        and ``n_unsolved`` of all their children.
    """
    joined = {
        "intercepts": concatenate_in_pages([chunk.intercepts for chunk in chunks]),
        "summaries": np.stack([chunk.summary for chunk in chunks]),
        "words": concatenate_in_pages([chunk.words for chunk in chunks]),
        "entry_counts": _narrow([chunk.counts for chunk in chunks]),
        "entry_children": _narrow([chunk.children for chunk in chunks]),
        "entry_weights": concatenate_in_pages([chunk.weights for chunk in chunks]),
        "n_iter": np.int64(max(chunk.n_iter for chunk in chunks)),
        "n_unsolved": np.int64(sum(chunk.n_unsolved for chunk in chunks)),
    }
    if joined["entry_weights"].dtype == np.int8:
        joined["weight_scales"] = np.array([chunk.scale for chunk in chunks], dtype=np.float32)
    return joined


def count_iterations(blocks):
    """Return (n_iter, n_unsolved) of the level that consists of the blocks."""
    return (
        max(int(block["n_iter"]) for block in blocks),
        sum(int(block["n_unsolved"]) for block in blocks),
    )


def count_dense_lanes(max_children, n_chunk_features, n_entries):
    """Return the number of dense weights per feature of a level; 0 if it has none.

    `max_children` is the largest number of children of a chunk, `n_chunk_features` the sum of the
    numbers of features of all chunks, `n_entries` the number of weights that are not 0.
    """
    if max_children <= LANES:
        return LANES if n_chunk_features <= MAX_DENSE_FEATURES else 0
    n_lanes = -(-int(max_children) // LANES) * LANES
    size = n_chunk_features * n_lanes
    is_small = size <= LANES * MAX_COMPUTED_FEATURES
    return n_lanes if is_small and n_entries >= MIN_DENSE_FRACTION * size else 0


def stores_dense_weights(max_children, n_chunk_features):
    """Return whether the files of a level contain its dense weights."""
    return bool(
        max_children <= LANES and MAX_COMPUTED_FEATURES < n_chunk_features <= MAX_DENSE_FEATURES
    )


def _narrow(arrays):
    # Concatenate arrays of integers to uint8 if all values fit, else to uint16.
    largest = max(array.max(initial=0) for array in arrays)
    dtype = np.uint8 if largest < 2**8 else np.uint16
    return concatenate_in_pages([array.astype(dtype) for array in arrays])


def make_tables(arrays):
    """Return the tables of a level, see `LevelModel`, without dense weights."""
    return rank_features(arrays["summaries"], arrays["words"], arrays["entry_counts"])._asdict()


def make_dense_weights(arrays, n_lanes=LANES):
    """Return the dense weights of a level: `n_lanes` weights per feature of each chunk."""
    counts, weights = arrays["entry_counts"], arrays["entry_weights"]
    dense_weights = _aligned_zeros(len(counts), n_lanes, weights.dtype)
    # The kernel copies bits, whatever the dtype of the weights.
    bits = f"u{weights.itemsize}"
    fill_dense_weights(
        counts, arrays["entry_children"], weights.view(bits), dense_weights.view(bits)
    )
    return dense_weights


def _aligned_zeros(n_rows, n_columns, dtype):
    # Starts at a cache line, so that no row crosses more cache lines than necessary.
    size = n_rows * n_columns * dtype.itemsize
    buffer = np.zeros(size + CACHE_LINE, dtype=np.uint8)
    start = -buffer.ctypes.data % CACHE_LINE
    return buffer[start : start + size].view(dtype).reshape(n_rows, n_columns)
