"""Weights of 16 and 8 bits: they are rounded, and nothing else changes."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone

from helpers import quick
from helpers.reference import beam_search, dense_weights
from skxmr import XRLinearClassifier, load_model, save_model
from skxmr._core import array_folder
from skxmr._core.node_scores import NodeScores
from skxmr._core.rows import Rows
from skxmr._core.score_rule import ScoreParams
from skxmr._linear import WEIGHT_TYPES, LevelModel
from skxmr._linear import level_model as level_models
from skxmr._linear.chunk import pack_features
from skxmr._linear.weight_precision import dequantize, quantize
from skxmr.inspection import explain

MARGIN = ScoreParams(("identity",)).make_rule((False,)).transforms[0]
SMALL_TYPES = [dtype for dtype in WEIGHT_TYPES if dtype != "float32"]
SHAPES = {"narrow": (4, 10), "wide": (4, 60), "more than 255": (2, 300), "one leaf": (2, 200)}


def train(xmc_data, dtype, shape=SHAPES["narrow"], **params):
    options = {"weight_dtype": dtype, "random_state": 0, **params}
    return XRLinearClassifier(*shape, **options).fit(*xmc_data)


def weight_scales(level):
    """Return the scale of each weight of a level."""
    ones = np.ones(len(level.arrays["child_indptr"]) - 1, np.float32)
    scales = level.arrays.get("weight_scales", ones)
    return np.repeat(scales, np.diff(level.tables["entry_indptr"]))


def as_float32(level):
    """Return a level with the rounded weights, stored as float32."""
    weights = level.arrays["entry_weights"].astype(np.float32) * weight_scales(level)
    arrays = {n: a for n, a in level.arrays.items() if n != "weight_scales"}
    arrays["entry_weights"] = weights.astype(np.float32)
    return LevelModel(arrays, level.n_features, level.n_iter, level.n_unsolved)


def replace_levels(model, replace):
    """Return a copy of a classifier with replace(level) instead of each level."""
    other = pickle.loads(pickle.dumps(model))
    matcher, ranker = other._model.matcher, other._model.ranker
    matcher.levels = [replace(level) for level in matcher.levels]
    ranker.level = replace(ranker.level)
    return other


def assert_same_predictions(model, other, X):
    for rows in (X, X[:1], X[5:6]):
        for array, expected in zip(model.predict_topk(rows), other.predict_topk(rows), strict=True):
            np.testing.assert_array_equal(array, expected)


def test_scoring_converts_every_float16_as_numpy_does(simd):
    # A level with one child. Each feature has one of the weights, and each row has one feature.
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    n = len(halves)
    summary, words = pack_features(np.arange(n, dtype=np.int32), n)
    level = LevelModel(
        {
            "child_indptr": np.array([0, 1]),
            "child_ids": np.zeros(1, np.int32),
            "intercepts": np.zeros(1, np.float32),
            "summaries": summary[None],
            "words": np.append(words, np.uint64(0)),
            "entry_counts": np.ones(n, np.uint8),
            "entry_children": np.zeros(n, np.uint8),
            "entry_weights": halves,
        },
        n,
        1,
        0,
    )
    sparse_level = remove_dense_weights(level)
    X = Rows(np.arange(n + 1), np.arange(n, dtype=np.int32), np.ones(n, np.float32), n)
    for scorer in (level, sparse_level):
        children = scorer.expand(X, NodeScores.root(n), 0, MARGIN)
        np.testing.assert_array_equal(children.scores, halves.astype(np.float32))


@pytest.mark.parametrize("dtype", SMALL_TYPES)
def test_quantize_rounds_to_the_nearest(dtype):
    rng = np.random.default_rng(0)
    weights = (rng.normal(size=500) * 10 ** rng.uniform(-6, 3, size=500)).astype(np.float32)
    rounded, scale = quantize(weights, dtype)
    assert rounded.dtype == dtype
    back = dequantize(rounded, scale)
    assert back.dtype == np.float32
    error = np.abs(back.astype(np.float64) - weights)
    if dtype == "int8":
        assert scale == pytest.approx(np.abs(weights).max() / 127)
        assert np.abs(rounded).max() == 127
        assert np.all(error <= scale * 0.5001)
    else:
        assert scale == 1
        assert np.all(error <= np.maximum(np.abs(weights) * 2**-11, 2**-25))


@pytest.mark.parametrize("dtype", SMALL_TYPES)
def test_quantize_returns_finite_weights_and_accepts_none(dtype):
    huge = np.array([1e30, -1e30, 65520.0, 1.0, 0.0], dtype=np.float32)
    back = dequantize(*quantize(huge, dtype))
    assert np.all(np.isfinite(back))
    np.testing.assert_array_equal(np.sign(back[:3]), [1, -1, 1 if dtype == "float16" else 0])
    for weights in (
        np.zeros(0, np.float32),
        np.zeros(3, np.float32),
        np.full(2, 1e-45, np.float32),
    ):
        back = dequantize(*quantize(weights, dtype))
        assert len(back) == len(weights)
        assert not back.any()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", SMALL_TYPES)
def test_fit_rounds_each_chunk_and_nothing_else(xmc_data, dtype, shape):
    exact, model = train(xmc_data, "float32", shape), train(xmc_data, dtype, shape)
    for level, expected in zip(model._model.levels, exact._model.levels, strict=True):
        starts = level.tables["entry_indptr"]
        assert ("weight_scales" in level.arrays) == (dtype == "int8")
        for parent, (start, end) in enumerate(pairwise(starts)):
            rounded, scale = quantize(expected.arrays["entry_weights"][start:end], dtype)
            weights = level.arrays["entry_weights"][start:end]
            assert weights.dtype == dtype
            np.testing.assert_array_equal(weights, rounded)
            if dtype == "int8":
                assert level.arrays["weight_scales"][parent] == np.float32(scale)
        for name in level.arrays.keys() - {"entry_weights", "weight_scales", "fingerprints"}:
            np.testing.assert_array_equal(level.arrays[name], expected.arrays[name])


@pytest.mark.parametrize("shape", quick.first(2, list(SHAPES.values())), ids=SHAPES)
@pytest.mark.parametrize("dtype", SMALL_TYPES)
def test_predict_topk_uses_the_rounded_weights(xmc_data, dtype, shape, simd):
    X, Y = xmc_data
    model = train(xmc_data, dtype, shape)
    float32_model = replace_levels(model, as_float32)
    assert_same_predictions(model, float32_model, X)
    assert (model.score_candidates(X, Y) != float32_model.score_candidates(X, Y)).nnz == 0
    for row in (11, 12):
        x = X[row].toarray().ravel().astype(np.float64)
        expected = beam_search(model, x, model.beam_width, keep=5)
        _, scores = model.predict_topk(X[row], k=5)
        np.testing.assert_allclose(
            np.log(scores[0]), [s for _, s in expected], rtol=1e-4, atol=1e-5
        )


def remove_dense_weights(level):
    """Return the level without dense weights, so that it is scored by its entries."""
    tables = {name: table for name, table in level.tables.items() if name != "table"}
    assert len(tables) < len(level.tables)
    return LevelModel(level.arrays, level.n_features, level.n_iter, level.n_unsolved, tables)


@pytest.mark.parametrize("dtype", WEIGHT_TYPES)
def test_sparse_and_dense_weights_give_identical_predictions(xmc_data, dtype, simd):
    model = train(xmc_data, dtype)
    assert_same_predictions(model, replace_levels(model, remove_dense_weights), xmc_data[0])


@pytest.mark.parametrize("dtype", WEIGHT_TYPES)
def test_level_model_has_dense_weights_only_if_small(xmc_data, dtype, monkeypatch):
    level = train(xmc_data, dtype)._model.ranker.level
    n_features = len(level.arrays["entry_counts"])
    parts = level.arrays, level.n_features, level.n_iter, level.n_unsolved
    monkeypatch.setattr(level_models, "MAX_DENSE_FEATURES", n_features)
    assert LevelModel(*parts).tables["table"].dtype == dtype
    monkeypatch.setattr(level_models, "MAX_DENSE_FEATURES", n_features - 1)
    assert "table" not in LevelModel(*parts).tables


@pytest.mark.parametrize("mmap_mode", [None, "r"])
@pytest.mark.parametrize("dtype", SMALL_TYPES)
def test_files_and_pickles_keep_the_weight_dtype(xmc_data, tmp_path, monkeypatch, dtype, mmap_mode):
    monkeypatch.setattr(array_folder, "MIN_MAPPED_BYTES", 0)
    X, _ = xmc_data
    model = train(xmc_data, dtype)
    save_model(model, tmp_path / "model")
    assert len(pickle.dumps(model)) < len(pickle.dumps(train(xmc_data, "float32")))
    for other in (
        load_model(tmp_path / "model", mmap_mode=mmap_mode),
        pickle.loads(pickle.dumps(model)),
    ):
        assert_same_predictions(model, other, X)
        assert other.weight_dtype == dtype
        for level, expected in zip(other._model.levels, model._model.levels, strict=True):
            assert level.arrays.keys() == expected.arrays.keys()
            for name, array in expected.arrays.items():
                assert level.arrays[name].dtype == array.dtype
                np.testing.assert_array_equal(level.arrays[name], array)


def test_level_model_recomputes_the_tables_of_an_older_format(xmc_data):
    model = train(xmc_data, "float32")
    old_tables = {"word_indptr": np.zeros(1, np.int64), "word_ranks": np.zeros(1, np.uint32)}

    def replace(level):
        return LevelModel(
            level.arrays, level.n_features, level.n_iter, level.n_unsolved, old_tables
        )

    assert_same_predictions(model, replace_levels(model, replace), xmc_data[0])


@pytest.mark.parametrize("dtype", SMALL_TYPES)
def test_prune_uses_the_rounded_weights(xmc_data, dtype):
    model = train(xmc_data, dtype, weight_threshold=0.05)
    before = [dense_weights(level)[0].copy() for level in model._model.levels]
    model.prune(weight_threshold=0.2)
    for level, W in zip(model._model.levels, before, strict=True):
        expected = np.where(np.abs(W.astype(np.float32)) >= np.float32(0.2), W, 0)
        np.testing.assert_array_equal(dense_weights(level)[0], expected)
        assert level.arrays["entry_weights"].dtype == dtype
    W = dense_weights(model._model.ranker.level)[0].copy()
    model.prune(max_weights_per_label=3)
    V = dense_weights(model._model.ranker.level)[0]
    assert (V != 0).sum(axis=0).max() == 3
    for child in range(W.shape[1]):
        kept = np.lexsort((np.arange(len(W)), -np.abs(W[:, child])))[:3]
        np.testing.assert_array_equal(
            np.flatnonzero(V[:, child]), np.sort(kept[W[kept, child] != 0])
        )


@pytest.mark.parametrize("dtype", SMALL_TYPES)
def test_explain_uses_the_rounded_weights(xmc_data, dtype):
    X, _ = xmc_data
    model = train(xmc_data, dtype)
    label = int(model.predict_topk(X[20], k=1)[0][0, 0])
    float32_model = replace_levels(model, as_float32)
    assert str(explain(model, X[20], label)) == str(explain(float32_model, X[20], label))


@pytest.mark.parametrize("dtype", SMALL_TYPES)
@pytest.mark.parametrize("options", [{"n_jobs": 2}, {"n_trees": 2}, {"negatives": "tfn+man"}])
def test_fit_accepts_weight_dtype_with_other_options(xmc_data, dtype, options):
    X, Y = xmc_data
    model = train(xmc_data, dtype, **options)
    assert {level.arrays["entry_weights"].dtype.name for level in model._model.levels} == {dtype}
    cloned = clone(model)
    assert cloned.get_params()["weight_dtype"] == dtype
    assert_same_predictions(model, cloned.set_params(n_jobs=None).fit(X, Y), X)
