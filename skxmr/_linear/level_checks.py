"""Checks of the arrays of a stored level, so that no file can make a kernel leave its arrays.

Structure: dtypes, shapes, and offsets. These arrays are small, so the checks take less than a
millisecond for 50,000 labels. Content: the values that kernels use as positions. This reads all
arrays once.
"""

import numpy as np

from skxmr._core.validation import MAX_CHILDREN
from skxmr._linear.chunk import rank_words
from skxmr._linear.simd.lanes import LANES
from skxmr._linear.weight_precision import WEIGHT_TYPES

# Dtypes and numbers of dimensions of the arrays and tables of a `LevelModel`.
DTYPES = {
    "child_indptr": ("int64",),
    "child_ids": ("int32",),
    "fingerprints": ("uint64",),
    "intercepts": ("float32",),
    "summaries": ("uint64",),
    "words": ("uint64",),
    "entry_counts": ("uint8", "uint16"),
    "entry_children": ("uint8", "uint16"),
    "entry_weights": WEIGHT_TYPES,
    "weight_scales": ("float32",),
    "word_indptr": ("int64",),
    "summary_ranks": ("uint32",),
    "ranked_words": ("uint64",),
    "feature_indptr": ("int64",),
    "entry_indptr": ("int64",),
    "table": WEIGHT_TYPES,
}
MATRICES = ("summaries", "summary_ranks", "ranked_words", "table")
REQUIRED = (
    *("child_indptr", "child_ids", "intercepts", "summaries"),
    *("entry_counts", "entry_children", "entry_weights"),
)


class InvalidLevelError(ValueError):
    """The arrays of a level contradict each other."""


def check_level_structure(arrays, tables, n_features):
    """Check dtypes, shapes and offsets of the arrays of a level.

    Parameters
    ----------
    arrays, tables : dict of ndarray
        As for `LevelModel`; `tables` is empty or complete.
    n_features : int
        Number of columns of X.

    Raises
    ------
    InvalidLevelError
        If a kernel could leave an array, whatever the values of the other arrays are.
    """
    both = {**arrays, **tables}
    for name in REQUIRED:
        _require(name in arrays, f"the array {name} is missing")
    for name, values in both.items():
        _require(name in DTYPES and isinstance(values, np.ndarray), f"{name} is not an array")
        _require(
            values.dtype.name in DTYPES[name] and values.dtype.isnative,
            f"{name} has the dtype {values.dtype}",
        )
        n_dimensions = 2 if name in MATRICES else 1
        _require(values.ndim == n_dimensions, f"{name} has {values.ndim} dimensions")
        _require(values.flags.c_contiguous, f"{name} is not contiguous")
    _require(type(n_features) is int and 0 < n_features < 2**31, f"n_features is {n_features}")
    indptr = arrays["child_indptr"]
    n_children = len(arrays["child_ids"])
    _check_offsets(indptr, "child_indptr", len(indptr), n_children)
    n_parents = len(indptr) - 1
    _require(n_parents > 0, "child_indptr has no parents")
    _require(np.diff(indptr).max() <= MAX_CHILDREN, "a parent has too many children")
    n_fingerprints = len(arrays.get("fingerprints", indptr[1:]))
    _require(n_fingerprints == n_parents, "fingerprints has a wrong length")
    _require(len(arrays["intercepts"]) == n_children, "intercepts has another number of children")
    n_summary = (n_features + 4095) // 4096  # a bit per word of 64 features
    summaries = arrays["summaries"]
    _require(summaries.shape == (n_parents, n_summary), "summaries has a wrong shape")
    n_entries, n_counts = len(arrays["entry_weights"]), len(arrays["entry_counts"])
    _require(len(arrays["entry_children"]) == n_entries, "entry_children has a wrong length")
    is_int8 = arrays["entry_weights"].dtype == np.int8
    _require(is_int8 == ("weight_scales" in arrays), "weight_scales and weights disagree")
    if is_int8:
        _require(len(arrays["weight_scales"]) == n_parents, "weight_scales has a wrong length")
    word_counts = np.bitwise_count(summaries).astype(np.int64)
    n_words = int(word_counts.sum())
    if not tables:
        _require("words" in arrays, "the array words is missing")  # checked by `rank_features`
        return
    missing = {"word_indptr", "summary_ranks", "ranked_words", "feature_indptr", "entry_indptr"}
    _require(missing <= tables.keys(), "a table is missing")
    _require("words" not in arrays, "words is stored twice")
    word_indptr = np.concatenate(([0], np.cumsum(word_counts.sum(axis=1))))
    _require(np.array_equal(tables["word_indptr"], word_indptr), "word_indptr is wrong")
    ranks = np.cumsum(word_counts, axis=1) - word_counts
    _require(np.array_equal(tables["summary_ranks"], ranks), "summary_ranks is wrong")
    _require(tables["ranked_words"].shape == (n_words + 1, 2), "ranked_words has a wrong shape")
    _check_offsets(tables["feature_indptr"], "feature_indptr", n_parents + 1, n_counts)
    _check_offsets(tables["entry_indptr"], "entry_indptr", n_parents + 1, n_entries)
    if "table" in tables:
        table = tables["table"]
        _require(table.shape == (n_counts, LANES), "table has a wrong shape")
        _require(table.dtype == arrays["entry_weights"].dtype, "table has another dtype")
        _require(np.diff(indptr).max() <= LANES, "table has too few columns")


def check_level_content(arrays, tables, n_features):
    """Check the values that kernels use as positions; arguments as of `check_level_structure`.

    Raises
    ------
    InvalidLevelError
        If a value is out of range or not finite.
    """
    indptr, child_ids = arrays["child_indptr"], arrays["child_ids"]
    in_range = child_ids.min(initial=0) >= 0 and child_ids.max(initial=0) < len(child_ids)
    _require(in_range, "child_ids is out of range")
    words = tables["ranked_words"][:, 0]
    _require(words[-1] == 0 and np.all(words[:-1] != 0), "ranked_words has invalid words")
    _check_last_feature(arrays["summaries"], words, tables["word_indptr"], n_features)
    words = np.ascontiguousarray(words)
    counts = arrays["entry_counts"]
    n_features_per_word = np.bitwise_count(words)
    n_used = int(n_features_per_word.sum(dtype=np.int64))
    _require(n_used == len(counts), "entry_counts has a wrong length")
    _require(counts.all(), "entry_counts has features without weights")
    _require(
        int(counts.sum(dtype=np.int64)) == len(arrays["entry_weights"]), "entry_counts is wrong"
    )
    ranked, feature_indptr, entry_indptr = rank_words(
        words, n_features_per_word, tables["word_indptr"], counts
    )
    _require(np.array_equal(feature_indptr, tables["feature_indptr"]), "feature_indptr is wrong")
    _require(np.array_equal(entry_indptr, tables["entry_indptr"]), "entry_indptr is wrong")
    _require(np.array_equal(ranked, tables["ranked_words"]), "ranked_words is wrong")
    children = arrays["entry_children"]
    has_entries = np.diff(entry_indptr) > 0
    if has_entries.any():
        largest = np.maximum.reduceat(children, entry_indptr[:-1][has_entries])
        _require(np.all(largest < np.diff(indptr)[has_entries]), "entry_children is out of range")
    for name in ("intercepts", "entry_weights", "weight_scales", "table"):
        values = {**arrays, **tables}.get(name)
        if values is not None and values.dtype != np.int8:
            _require(np.isfinite(values).all(), f"{name} has values that are not finite")


def _check_last_feature(summaries, words, word_indptr, n_features):
    # The last feature of a bitmap must be a column of X. Only the last word of the columns can have
    # bits beyond.
    n_words = -(-n_features // 64)
    if n_words % 64:
        last = summaries[:, -1] >> np.uint64(n_words % 64)
        _require(not last.any(), "summaries has words beyond the last feature")
    if n_features % 64:
        has_last_word = summaries[:, -1] >> np.uint64((n_words - 1) % 64) & np.uint64(1) == 1
        last_words = words[word_indptr[1:][has_last_word] - 1]
        beyond = last_words >> np.uint64(n_features % 64)
        _require(not beyond.any(), "ranked_words has features beyond the last column")


def _check_offsets(offsets, name, length, end):
    _require(len(offsets) == length and length > 0, f"{name} has a wrong length")
    _require(offsets[0] == 0 and offsets[-1] == end, f"{name} does not go from 0 to {end}")
    _require(np.all(offsets[1:] >= offsets[:-1]), f"{name} decreases")


def _require(condition, problem):
    if not condition:
        raise InvalidLevelError(f"the arrays of a level are invalid: {problem}")
