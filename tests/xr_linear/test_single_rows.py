"""A single row of any format gives the bits that the row gives in a batch."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skxmr import XRLinearClassifier
from skxmr._core.single_row import read_single_row

METHODS = ("predict_topk", "predict_proba", "decision_function", "predict")


def permute_entries(x):
    order = np.random.default_rng(0).permutation(x.nnz)
    permuted = x.copy()
    permuted.indices, permuted.data = x.indices[order], x.data[order]
    permuted.has_sorted_indices = False
    return permuted


def store_zeros(x):
    stored = sp.csr_matrix(x.shape, dtype=x.dtype)
    stored.indices = np.arange(x.shape[1], dtype=np.int32)
    stored.data = x.toarray()[0]
    stored.indptr = np.array([0, x.shape[1]], dtype=np.int32)
    return stored


def store_duplicates(x):
    coo = x.astype(np.float64).tocoo()
    data = np.concatenate([coo.data / 2, coo.data / 2])
    return sp.coo_array((data, (np.tile(coo.row, 2), np.tile(coo.col, 2))), shape=x.shape)


def use_int64_indices(x):
    converted = x.copy()
    converted.indices, converted.indptr = x.indices.astype(np.int64), x.indptr.astype(np.int64)
    return converted


def leave_unused_space(x):
    longer = x.copy()
    longer.indices = np.append(x.indices, np.int32(3))
    longer.data = np.append(x.data, np.float32(9))
    return longer


def skip_every_second(values):
    return np.repeat(values, 2, axis=1)[:, ::2]


FORMATS = {
    "csr": sp.csr_matrix,
    "csr_array": sp.csr_array,
    "csc": sp.csc_matrix,
    "csc_int64": lambda x: use_int64_indices(x.tocsc()),
    "coo": sp.coo_array,
    "lil": sp.lil_array,
    "float64": lambda x: x.astype(np.float64),
    "int64_indices": use_int64_indices,
    "unsorted": permute_entries,
    "unsorted_float64": lambda x: permute_entries(x.astype(np.float64)),
    "stored_zeros": store_zeros,
    "duplicates": store_duplicates,
    "unused_space": leave_unused_space,
    "dense_float32": lambda x: x.toarray(),
    "dense_float64": lambda x: x.toarray().astype(np.float64),
    "dense_big_endian": lambda x: x.toarray().astype(">f8"),
    "dense_fortran": lambda x: np.asfortranarray(x.toarray()),
    "dense_strided": lambda x: skip_every_second(x.toarray()),
    "list": lambda x: x.toarray().tolist(),
    "frame_float32": lambda x: pd.DataFrame(x.toarray()),
    "frame_float64": lambda x: pd.DataFrame(x.toarray().astype(np.float64)),
    "frame_of_two_dtypes": lambda x: pd.DataFrame(x.toarray()).astype({0: np.float64}),
    "frame_sparse": lambda x: pd.DataFrame.sparse.from_spmatrix(x),
    "frame_nullable": lambda x: pd.DataFrame(x.toarray()).astype("Float64"),
}


@pytest.fixture(scope="module")
def fitted(xmc_data):
    return XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)


def as_dense(result):
    parts = result if isinstance(result, tuple) else (result,)
    return [part.toarray() if sp.issparse(part) else part for part in parts]


def assert_equal_results(got, expected):
    for one, other in zip(as_dense(got), as_dense(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("n_trees", [1, 2])
def test_single_row_of_every_format_equals_the_batch(name, n_trees, xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, n_trees=n_trees, random_state=0).fit(X, Y)
    batch = X[:5]
    candidates = Y[:5]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in METHODS:
            expected = as_dense(getattr(model, method)(batch))
            for row in range(5):
                x = FORMATS[name](sp.csr_matrix(X[[row]]))
                got = as_dense(getattr(model, method)(x))
                assert_equal_results(tuple(got), tuple(part[[row]] for part in expected))
        expected = model.score_candidates(batch, candidates).toarray()
        x = FORMATS[name](sp.csr_matrix(X[[3]]))
        got = model.score_candidates(x, candidates[[3]]).toarray()
        np.testing.assert_array_equal(got, expected[[3]])


def test_single_row_of_counts_equals_the_batch(xmc_data):
    X, Y = xmc_data
    counts = (X > 0).astype(np.int64)
    model = XRLinearClassifier(4, 10, C=0.1, random_state=0).fit(counts, Y)
    expected = model.predict_topk(counts[:2])
    for dtype in (bool, np.uint8, np.int32, np.int64, np.float16):
        x = counts[:1].toarray().astype(dtype)
        assert_equal_results(model.predict_topk(x), tuple(part[:1] for part in expected))


def test_single_row_of_float64_is_rounded_once(xmc_data):
    X, Y = xmc_data
    wide = sp.csr_matrix(X, dtype=np.float64)
    wide.data *= 1 + 1e-9 * np.random.default_rng(0).random(wide.nnz)
    wide.data[::7] *= 1e-45  # 0 or subnormal in float32
    model = XRLinearClassifier(4, 10, random_state=0).fit(wide, Y)
    expected = model.predict_topk(wide[:40])
    for row in range(40):
        for x in (wide[[row]], wide[[row]].toarray(), wide[[row]].tocsc()):
            want = tuple(part[[row]] for part in expected)
            assert_equal_results(model.predict_topk(x), want)


def test_single_row_of_a_frame_with_names_equals_the_batch(xmc_data):
    X, Y = xmc_data
    frame = pd.DataFrame(X.toarray(), columns=[f"feature {i}" for i in range(X.shape[1])])
    model = XRLinearClassifier(4, 10, random_state=0).fit(frame, Y)
    for one in (frame, frame.astype(np.float64)):
        expected = model.predict_topk(one[:3])
        got = model.predict_topk(one[2:3])
        assert_equal_results(got, tuple(part[[2]] for part in expected))
    for wrong in (frame[frame.columns[::-1]], frame.rename(columns={"feature 0": "other"})):
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict_topk(wrong[:1])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict_topk(frame[:1].to_numpy())


def test_single_row_with_names_warns_if_the_training_rows_had_none(fitted, xmc_data):
    X = xmc_data[0]
    names = [f"feature {i}" for i in range(X.shape[1])]
    with pytest.warns(UserWarning, match="X has feature names"):
        fitted.predict_topk(pd.DataFrame(X[:1].toarray(), columns=names))


@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csr_array])
def test_single_row_with_an_invalid_indptr_is_rejected(container, fitted, xmc_data):
    x = container(xmc_data[0][:1])
    for indptr in ([1, x.nnz], [0, x.nnz + 1], [-1, x.nnz]):
        x.indptr = np.array(indptr, dtype=np.int32)
        for method in METHODS:
            with pytest.raises(ValueError, match="index pointer"):
                getattr(fitted, method)(x)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.4e38, -2e30])
def test_single_row_with_an_invalid_value_is_rejected(value, fitted, xmc_data):
    x = sp.csr_matrix(xmc_data[0][:1])
    x.data = np.append(np.float32(value), x.data[1:])
    for rows in (x, x.astype(np.float64), x.tocsc(), x.toarray(), pd.DataFrame(x.toarray())):
        with pytest.raises(ValueError, match="^(Input )?X "):
            fitted.predict_topk(rows)


def test_single_row_with_an_invalid_index_is_rejected(fitted, xmc_data):
    x = use_int64_indices(sp.csr_matrix(xmc_data[0][:1]))
    for index in (-1, x.shape[1], 2**32 + 3):
        x.indices = np.append(x.indices[:-1], index)
        with pytest.raises(ValueError, match="ind"):
            fitted.predict_topk(x)


def test_single_row_without_entries_equals_the_batch(fitted, xmc_data):
    n_features = xmc_data[0].shape[1]
    expected = fitted.predict_topk(sp.csr_matrix((2, n_features), dtype=np.float32))
    empty = sp.csr_matrix((1, n_features))
    for x in (empty, empty.tocsc(), empty.toarray(), store_zeros(empty)):
        assert_equal_results(fitted.predict_topk(x), tuple(part[:1] for part in expected))


def test_read_single_row_copies_only_if_needed_and_keeps_the_input(xmc_data):
    x = sp.csr_matrix(xmc_data[0][:1])
    indices, data = read_single_row(x, x.shape[1], None, 1.0)
    assert np.shares_memory(indices, x.indices)
    assert np.shares_memory(data, x.data)
    unsorted = permute_entries(x)
    for array in (unsorted.indices, unsorted.data, unsorted.indptr):
        array.flags.writeable = False
    indices, data = read_single_row(unsorted, x.shape[1], None, 2.0)
    np.testing.assert_array_equal(indices, x.indices)
    np.testing.assert_array_equal(data, x.data / 2)


def test_stored_zeros_do_not_change_predictions(fitted, xmc_data):
    X, Y = xmc_data
    coo = sp.coo_array(X)
    row, column = np.nonzero(np.random.default_rng(0).random(X.shape) < 0.05)
    data = np.append(coo.data, np.zeros(len(row), dtype=np.float32))
    coords = tuple(map(np.append, coo.coords, (row, column)))
    with_zeros = sp.csr_array(sp.coo_array((data, coords), shape=X.shape))
    assert np.count_nonzero(with_zeros.data) < with_zeros.nnz
    for method in METHODS:
        expected = getattr(fitted, method)(X)
        for rows in (with_zeros, with_zeros.tocsc(), with_zeros.astype(np.float64)):
            assert_equal_results(getattr(fitted, method)(rows), expected)
    expected = fitted.score_candidates(X, Y)
    assert_equal_results(fitted.score_candidates(with_zeros, Y), expected)


@pytest.mark.parametrize("how", ["set_params", "setattr"])
def test_parameters_changed_after_fit_are_validated_for_single_rows(how, fitted, xmc_data):
    x = xmc_data[0][:1]
    model = copy.deepcopy(fitted)

    def change(**params):
        if how == "set_params":
            model.set_params(**params)
        else:
            vars(model).update(params)

    model.predict_topk(x)
    for name, wrong in {
        "beam_width": [0, 2.0, 2**31, [1], "1"],
        "score_transform": ["l5-hinge", ["l3-hinge", "log-sigmoid"], ["l3-hinge", []], 3],
        "propensity_weight": [-1, np.nan, np.inf, "0", [0]],
        "path_weight": [0, 1.5, np.nan, "1", [1]],
        "sparse_output": ["yes", None, [True]],
        "n_jobs": [0, 1.0, "2", [1]],
    }.items():
        right = getattr(fitted, name)
        for value in wrong:
            change(**{name: value})
            for method in METHODS:
                with pytest.raises(ValueError, match=name):
                    getattr(model, method)(x)
            for copied in (copy.copy(model), pickle.loads(pickle.dumps(model))):
                with pytest.raises(ValueError, match=name):
                    copied.predict_topk(x.tocsc())
        change(**{name: right})
        assert_equal_results(model.predict_topk(x), fitted.predict_topk(x))


def test_score_transform_list_changed_in_place_is_read_again(fitted, xmc_data):
    x = xmc_data[0][:1]
    model = copy.deepcopy(fitted).set_params(score_transform=["l3-hinge"])
    model.predict_topk(x)
    model.score_transform[0] = "sigmoid"
    expected = copy.deepcopy(fitted).set_params(score_transform="sigmoid").predict_topk(x)
    assert_equal_results(model.predict_topk(x), expected)
    model.score_transform[0] = "unknown"
    with pytest.raises(ValueError, match="score_transform must be one of"):
        model.predict_topk(x)
