"""The linear models of one tree level, stored by chunk."""

import numpy as np

from skxmr._linear.chunk import spread_weights
from skxmr._linear.feature_sets import rank_features
from skxmr._linear.margins import ChunkMargins
from skxmr._linear.scoring import LevelScorer
from skxmr._linear.weight_precision import WEIGHT_TYPES

# Where a level has no wider chunk, its weights may be scored from dense vectors of this many
# children: two to three times as fast as entries. In large levels most of a vector is 0: a level
# has vectors for this many chunk features at most, which take 256 MiB in float32.
DENSE_CHILDREN = 16
MOST_DENSE = 2**22

# What scoring takes of the arrays, and what `rank_features` makes.
SCORED = ("child_indptr", "intercepts", "summaries", "entry_counts", "entry_children")
RANKS = ("word_indptr", "summary_ranks", "ranked_words", "feature_indptr", "entry_indptr")
# Of the arrays, those that blocks of parents have a part of each; scales are for int8 only.
JOINED = (
    *("intercepts", "summaries", "words", "entry_counts", "entry_children", "entry_weights"),
    "weight_scales",
)
# Of these, those of 8 bits where that is enough for the level.
NARROWED = ("entry_counts", "entry_children")


class LevelModel:
    """Weights of one level: a one-vs-all linear model for each child of each parent.

    The weights of the children of one parent form a *chunk*. Made by `fit_levels`; immutable.

    Parameters
    ----------
    arrays : dict of ndarray
        ``child_indptr`` int64 (n_parents + 1,), the children of each parent;
        ``child_ids`` int32 (n_children,), how a child is named in scores;
        ``intercepts`` float32 (n_children,);
        ``summaries`` uint64 (n_parents, n_summary) and ``words`` uint64 (n_words + 1,), the
        features of each chunk, see `feature_sets`;
        ``entry_counts`` (n chunk features,), the number of weights of each; ``entry_children`` and
        ``entry_weights``, these weights and whose they are, counted inside the chunk.
        Counts and children have 8 bits where these are enough, else 16. Weights are float32,
        float16, or int8 beside ``weight_scales`` float32 (n_parents,), see `weight_precision`.
    n_features : int
        Number of columns of X.
    n_iter : int
        Largest number of sweeps that a child took.
    n_unsolved : int
        Number of children that did not reach the tolerance.
    tables : dict of ndarray or None
        What scoring needs beside the arrays, as a model of the same arrays has them in `tables`:
        files keep them, so that a memory map is loaded without reading it, and ``words`` with
        them, which the arrays need not have then. None makes them.
    """

    def __init__(self, arrays, n_features, n_iter, n_unsolved, tables=None):
        self.n_features = n_features
        self.n_iter = n_iter
        self.n_unsolved = n_unsolved
        if tables is None or "ranked_words" not in tables:  # as in an older format
            dense = is_dense(np.diff(arrays["child_indptr"]).max(), len(arrays["entry_counts"]))
            tables = make_tables(arrays, dense)
        self.tables = tables
        # The words lie beside their ranks, and are not held twice.
        self.arrays = {**arrays, "words": tables["ranked_words"][:, 0]}
        weights = arrays["entry_weights"]
        chunks = ChunkMargins(
            *(arrays[name] for name in SCORED),
            weights,
            WEIGHT_TYPES.index(weights.dtype.name),
            arrays.get("weight_scales"),
            *(tables[name] for name in RANKS),
            tables.get("table"),
        )
        self._scorer = LevelScorer(chunks, arrays["child_indptr"], arrays["child_ids"])

    def __getstate__(self):
        """Leave the scorer and its tables, which follow from the arrays, out of pickles."""
        return {
            name: value for name, value in vars(self).items() if name not in ("_scorer", "tables")
        }

    def __setstate__(self, state):
        """Make the scorer anew."""
        self.__init__(**state)

    def parts(self):
        """Return what makes an equal model without work, nothing twice: all its arguments."""
        arrays = {name: array for name, array in self.arrays.items() if name != "words"}
        return {**self.__getstate__(), "arrays": arrays, "tables": self.tables}

    @classmethod
    def from_blocks(cls, blocks, child_indptr, child_ids, n_features):
        """Join what `join_chunks` made of neighbouring parents, in order; empties the blocks."""
        arrays = {"child_indptr": child_indptr, "child_ids": child_ids}
        for name in [name for name in JOINED if name in blocks[0]]:
            # One array of the blocks at a time is there twice.
            parts = [block.pop(name) for block in blocks]
            if name == "words":
                parts.append(np.zeros(1, dtype=np.uint64))
            arrays[name] = np.concatenate(parts)
        n_iter, n_unsolved = count_iterations(blocks)
        return cls(arrays, n_features, n_iter, n_unsolved)

    def expand(self, X, parents, keep, transform, best_first=False, offsets=None):
        """Score the children of each row's parents and keep the best.

        Parameters
        ----------
        X : tuple
            (indptr int64, indices int32, data float32, n_features): canonical CSR rows.
        parents : tuple
            (indptr int64, ids int32, scores float32): a CSR matrix, ids rising in each row.
        keep : int
            Most children kept a row; 0 keeps all.
        transform : tuple
            How margins become scores and join the parents', by `ScoreRule`.
        best_first : bool
            Order each row by falling score, not by rising id.
        offsets : ndarray of shape (n_children,), float32, or None
            Added to the score of each child, times the transform's weight.

        Returns
        -------
        tuple
            (indptr, ids, scores) of the children.
        """
        return self._scorer.expand(*X[:3], *parents, keep, best_first, transform, offsets)

    def expand_row(self, x, parents, keep, transform, best_first=False, offsets=None):
        """Score one row (indices, data); parents and the result are (ids, scores)."""
        return self._scorer.expand_row(*x, *parents, keep, best_first, transform, offsets)

    def score_children(self, X, parents, wanted, transform, offsets=None):
        """Score given children, to the bit as `expand` does.

        Parameters
        ----------
        X, parents, transform, offsets
            As for `expand`.
        wanted : tuple
            (indptr int64, children int32): the children of each entry of `parents`, by their place
            in the level.

        Returns
        -------
        ndarray of shape (n_wanted,), float32
            Their scores.
        """
        return self._scorer.score_children(*X[:3], *parents, *wanted, transform, offsets)


def join_chunks(chunks):
    """Join what `Solver.solve` returned for neighbouring parents, in order: a dict of arrays.

    The arrays are those of a `LevelModel` from these parents on, without the 0 after the words;
    ``n_iter`` and ``n_unsolved`` are of all their children.
    """
    summaries, words, counts, children, weights, scales, intercepts, n_iter, n_unsolved = zip(
        *chunks, strict=True
    )
    joined = {
        "intercepts": np.concatenate(intercepts),
        "summaries": np.stack(summaries),
        "words": np.concatenate(words),
        "entry_counts": _narrow(np.concatenate(counts)),
        "entry_children": _narrow(np.concatenate(children)),
        "entry_weights": np.concatenate(weights),
        "n_iter": np.int64(max(n_iter)),
        "n_unsolved": np.int64(sum(n_unsolved)),
    }
    if joined["entry_weights"].dtype == np.int8:
        joined["weight_scales"] = np.array(scales, dtype=np.float32)
    return joined


def count_iterations(blocks):
    """Return (n_iter, n_unsolved) of the level that blocks make up."""
    return (
        max(int(block["n_iter"]) for block in blocks),
        sum(int(block["n_unsolved"]) for block in blocks),
    )


def is_dense(widest, n_chunk_features):
    """Return whether a level has dense vectors.

    `widest` is the most children of a chunk; the features of all chunks are counted together.
    """
    return bool(widest <= DENSE_CHILDREN and n_chunk_features <= MOST_DENSE)


def _narrow(values):
    return values.astype(np.uint8 if values.max(initial=0) < 2**8 else np.uint16)


def make_tables(arrays, dense):
    """Return the tables of a level; see `LevelModel`."""
    counts = arrays["entry_counts"]
    ranks = rank_features(arrays["summaries"], arrays["words"], counts)
    tables = dict(zip(RANKS, ranks, strict=True))
    if dense:
        weights = arrays["entry_weights"]
        table = _aligned_zeros(len(counts), DENSE_CHILDREN, weights.dtype)
        # Weights of any type are so many bits here.
        bits = f"u{weights.itemsize}"
        spread_weights(counts, arrays["entry_children"], weights.view(bits), table.view(bits))
        tables["table"] = table
    return tables


def _aligned_zeros(n_rows, n_columns, dtype):
    # From a cache line on, so that no row lies on more of them than it must.
    size = n_rows * n_columns * dtype.itemsize
    room = np.zeros(size + 64, dtype=np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size].view(dtype).reshape(n_rows, n_columns)
