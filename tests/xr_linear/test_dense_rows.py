"""Dense rows give bit-identical results to sparse ones, and are converted block by block."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy
from numpy.testing import assert_array_equal

from skxmr import XRLinearClassifier
from skxmr._core import rows as rows_module
from skxmr._core.rows import as_rows
from skxmr._linear import WEIGHT_TYPES
from skxmr.model_selection import tune_prediction


def make_data(n_features=70, n_labels=150):
    """Return rows of multiples of 1/64, which float16 represents exactly; some have zeros."""
    rng = np.random.default_rng(0)
    X = rng.integers(-60, 60, (300, n_features)).astype(np.float32)
    X[X == 0] = 1
    X[::10, 3] = 0
    X[7] = 0
    return X / 64, sp.csr_array((rng.random((300, n_labels)) < 0.03).astype(np.int8))


X, Y = make_data()
MODEL = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(sp.csr_array(X), Y)


def assert_equal_rankings(results, expected):
    for values, expected_values in zip(results, expected, strict=True):
        assert_array_equal(values, expected_values)


def containers(tmp_path):
    pandas = pytest.importorskip("pandas")
    np.save(tmp_path / "X.npy", X)
    wide = np.zeros((len(X), 3 * X.shape[1]), dtype=np.float32)
    wide[:, ::3] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    return {
        "float32": X,
        "float64": X.astype(np.float64),
        "float16": X.astype(np.float16),
        "big-endian": X.astype(">f4"),
        "Fortran": np.asfortranarray(X),
        "strided": wide[:, ::3],
        "read-only": read_only,
        "memory map": np.load(tmp_path / "X.npy", mmap_mode="r"),
        "frame": pandas.DataFrame(X),
        "list": X.tolist(),
    }


def test_containers_of_dense_rows_do_not_change_results(tmp_path):
    S = sp.csr_array(X)
    expected = MODEL.predict_topk(S, k=5)
    for name, rows in containers(tmp_path).items():
        fitted = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(rows, Y)
        assert_equal_rankings(fitted.predict_topk(rows, k=5), expected)
        assert (MODEL.predict_proba(rows) != MODEL.predict_proba(S)).nnz == 0, name
        assert (MODEL.score_candidates(rows, Y) != MODEL.score_candidates(S, Y)).nnz == 0, name


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("weight_dtype", WEIGHT_TYPES)
@pytest.mark.parametrize("max_leaf_size", [10, 40, 150])
@pytest.mark.parametrize("weight_threshold", [0.0, 0.3])
@pytest.mark.parametrize("n_features", [37, 128])
def test_batches_of_dense_rows_equal_single_sparse_rows(
    weight_dtype, max_leaf_size, weight_threshold, n_features
):
    rows, targets = make_data(n_features)
    model = XRLinearClassifier(
        max_leaf_size=max_leaf_size,
        weight_dtype=weight_dtype,
        weight_threshold=weight_threshold,
        random_state=0,
    ).fit(rows, targets)
    S = sp.csr_array(rows)
    single = [model.predict_topk(S[[i]], k=5) for i in range(60)]
    expected = [np.vstack(arrays) for arrays in zip(*single, strict=True)]
    assert_equal_rankings(model.predict_topk(rows[:60], k=5), expected)
    assert_equal_rankings(model.predict_topk(S[:60], k=5), expected)
    # Exact search, and several threads.
    model.set_params(beam_width=None)
    expected = model.predict_topk(S, k=5)
    assert_equal_rankings(model.predict_topk(rows, k=5), expected)
    assert_equal_rankings(model.set_params(n_jobs=3).predict_topk(rows, k=5), expected)


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("weight_dtype", WEIGHT_TYPES)
@pytest.mark.parametrize(("n_labels", "max_leaf_size"), [(300, 40), (700, 400)])
def test_batches_scored_with_sparse_weights_equal_single_rows(
    weight_dtype, n_labels, max_leaf_size
):
    # Numbers of children are stored in 8 bits, or in 16 bits.
    rows, targets = make_data(n_features=130, n_labels=n_labels)
    model = XRLinearClassifier(
        max_leaf_size=max_leaf_size,
        weight_dtype=weight_dtype,
        weight_threshold=0.3,
        random_state=0,
    ).fit(rows, targets)
    assert "table" not in model._model.levels[-1].tables
    single = [model.predict_topk(rows[[i]], k=20) for i in range(len(rows))]
    expected = [np.vstack(arrays) for arrays in zip(*single, strict=True)]
    for n_rows in (len(rows), 17, 3):
        found = model.predict_topk(rows[:n_rows], k=20)
        assert_equal_rankings(found, [values[:n_rows] for values in expected])


def test_blocks_of_dense_rows_do_not_change_results(monkeypatch):
    expected = MODEL.predict_topk(X, k=5)
    monkeypatch.setattr(rows_module, "BLOCK_NUMBERS", 500)
    monkeypatch.setattr("skxmr._core.threads.BLOCK_SCORES", 900)
    assert_equal_rankings(MODEL.predict_topk(X, k=5), expected)
    assert_equal_rankings(MODEL.predict_topk(X.astype(np.float16), k=5), expected)
    tuned = tune_prediction(MODEL, X, Y, scoring="f1_micro")
    monkeypatch.undo()
    assert tuned.best_score == tune_prediction(MODEL, X, Y, scoring="f1_micro").best_score


def test_rows_of_other_lengths_are_divided_equally():
    long = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(3.7 * X, Y)
    sparse = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(sp.csr_array(3.7 * X), Y)
    expected = sparse.predict_topk(sp.csr_array(3.7 * X))
    assert_equal_rankings(long.predict_topk(3.7 * X), expected)


@given(
    hypothesis_numpy.arrays(
        np.float64,
        hypothesis_numpy.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
        elements=st.floats(-1e20, 1e20) | st.sampled_from([0.0, -0.0, 1e-320, 1e-50]),
    ),
    st.sampled_from([1.0, 0.5, 3.0]),
)
def test_as_rows_of_dense_equals_sparse(values, length):
    expected = as_rows(sp.csr_array(values), length=length)
    for array in (values, np.asfortranarray(values)):
        rows = as_rows(array, length=length)._replace(n_dense=expected.n_dense)
        for name, found in rows._asdict().items():
            assert_array_equal(found, getattr(expected, name), err_msg=name)
            assert np.asarray(found).dtype == np.asarray(getattr(expected, name)).dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_prediction_needs_little_memory_besides_dense_rows(dtype):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((60_000, 100), dtype=np.float32).astype(dtype)
    labels = sp.csr_array((np.ones(400, dtype=int), (np.arange(400), np.arange(400) % 40)))
    model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(rows[:400], labels)
    tracemalloc.start()
    try:
        model.predict_topk(rows, k=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Blocks of 2**22 numbers, with 8 bytes each.
    assert peak < 60e6 if dtype == np.float16 else peak < 48e6


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_that_are_not_finite_are_refused(value, dtype):
    rows = X.astype(dtype)
    rows[250, 2] = value
    with pytest.raises(ValueError, match="Input X contains (NaN|infinity)"):
        MODEL.predict_topk(rows)
    with pytest.raises(ValueError, match="Input X contains (NaN|infinity)"):
        XRLinearClassifier().fit(rows, Y)


# The hinge needs more sweeps for the tolerance of the float64 solver.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "log_loss"])
@pytest.mark.usefixtures("simd")
def test_training_of_dense_rows_reaches_the_optimum(loss):
    # Four rows are visited together. The weights must be those of the float64 solver, which visits
    # one row after the other, up to the tolerance.
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((203, 37)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    targets = sp.csr_array((rng.random((203, 19)) < 0.2).astype(np.int8))
    transform = "sigmoid" if loss == "log_loss" else "l3-hinge"
    fast, exact = (
        XRLinearClassifier(
            loss=loss,
            tol=tol,
            max_iter=10_000,
            weight_threshold=0.0,
            score_transform=transform,
            random_state=0,
        ).fit(rows, targets)
        for tol in (1e-4, 2e-6)
    )
    for level, expected in zip(fast._model.levels, exact._model.levels, strict=True):
        for name in ("entry_weights", "intercepts"):
            np.testing.assert_allclose(level.arrays[name], expected.arrays[name], atol=3e-3)


@pytest.mark.parametrize("scale", [1e-20, 1e20])
def test_training_of_dense_rows_survives_extreme_values(scale):
    rows = scale * np.abs(X[8:10].repeat(20, axis=0))
    rows += scale / 64
    model = XRLinearClassifier(random_state=0).fit(rows, Y[: len(rows)])
    assert np.isfinite(model.predict_topk(rows)[1]).all()
