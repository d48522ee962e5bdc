"""Targets are read from every container, and common mistakes are reported."""

import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr._core.target_containers import holds_names, read_sparse_frame, read_targets
from skxmr._core.targets import check_indicator, check_targets, check_training_targets

DENSE = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 1], [1, 1, 0]])
IS_MISSING = np.array([[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)
CLASSES = [3, 1, 3, 2]
SPARSE_FORMATS = ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"]
LABEL_LISTS = [["a", "b"], ["c"], ["a"], []]


def to_pandas(dtype):
    return lambda y: pytest.importorskip("pandas").DataFrame(y).astype(dtype)


def to_pandas_columns(y):
    pd = pytest.importorskip("pandas")
    first = pd.array(y[:, 0].astype(bool), dtype="boolean")
    return pd.DataFrame({"a": first, "b": y[:, 1], "c": pd.array(y[:, 2], dtype="Int64")})


def to_sparse_frame(y):
    return pytest.importorskip("pandas").DataFrame.sparse.from_spmatrix(sp.csr_matrix(y))


def to_sparse_frame_with_fill(fill_value):
    def convert(y):
        pd = pytest.importorskip("pandas")
        return pd.DataFrame(y).astype(pd.SparseDtype(type(fill_value), fill_value))

    return convert


def to_partly_sparse_frame(y):
    frame = to_sparse_frame(y)
    frame[1] = y[:, 1]
    return frame


DENSE_CONTAINERS = {
    "int array": lambda y: y,
    "bool array": lambda y: y.astype(bool),
    "float array": lambda y: y.astype(float),
    "object array": lambda y: y.astype(object),
    "Fortran order": np.asfortranarray,
    "lists": lambda y: y.tolist(),
    "list of arrays": list,
    "frame": to_pandas(int),
    "frame of Int64": to_pandas("Int64"),
    "frame of boolean": to_pandas("boolean"),
    "frame of objects": to_pandas(object),
    "frame of categories": to_pandas("category"),
    "frame of different dtypes": to_pandas_columns,
    "polars frame": lambda y: pytest.importorskip("polars").DataFrame(y),
    "Arrow table": lambda y: pytest.importorskip("pyarrow").table(list(y.T), names=list("abc")),
    "tensor": lambda y: pytest.importorskip("torch").tensor(y),
}
SPARSE_CONTAINERS = {
    **{f"{name}_array": getattr(sp, f"{name}_array") for name in SPARSE_FORMATS},
    **{f"{name}_matrix": getattr(sp, f"{name}_matrix") for name in SPARSE_FORMATS},
    "sparse frame": to_sparse_frame,
    "sparse frame of bool": to_sparse_frame_with_fill(False),
    "sparse frame filled with 1": to_sparse_frame_with_fill(1),
    "partly sparse frame": to_partly_sparse_frame,
}  # fmt: skip
CLASS_CONTAINERS = {
    "array": lambda y: np.array(y),
    "object array": lambda y: np.array(y, dtype=object),
    "list": lambda y: y,
    "tuple": tuple,
    "list of numpy numbers": lambda y: list(np.array(y)),
    "Series": lambda y: pytest.importorskip("pandas").Series(y),
    "Series of Int64": lambda y: pytest.importorskip("pandas").Series(y, dtype="Int64"),
    "Series of objects": lambda y: pytest.importorskip("pandas").Series(y, dtype=object),
    "Series of categories": lambda y: pytest.importorskip("pandas").Series(y, dtype="category"),
    "pandas array": lambda y: pytest.importorskip("pandas").array(y, dtype="Int64"),
    "polars Series": lambda y: pytest.importorskip("polars").Series(y),
    "Arrow array": lambda y: pytest.importorskip("pyarrow").array(y),
    "chunked array": lambda y: pytest.importorskip("pyarrow").chunked_array([y]),
}


@pytest.mark.parametrize("name", DENSE_CONTAINERS)
def test_check_targets_reads_every_dense_container(name):
    targets = check_targets(DENSE_CONTAINERS[name](DENSE))
    assert targets.kind == "dense"
    assert targets.dtype.kind in "bif"
    np.testing.assert_array_equal(targets.indicator.toarray(), DENSE)


@pytest.mark.parametrize("name", SPARSE_CONTAINERS)
def test_check_targets_reads_every_sparse_container(name):
    targets = check_targets(SPARSE_CONTAINERS[name](DENSE))
    assert targets.kind == "sparse"
    assert targets.dtype.kind in "bi"
    np.testing.assert_array_equal(targets.indicator.toarray(), DENSE)


@pytest.mark.parametrize("name", CLASS_CONTAINERS)
def test_check_targets_keeps_integer_classes_of_every_container(name):
    targets = check_targets(CLASS_CONTAINERS[name](CLASSES))
    assert targets.classes.tolist() == [1, 2, 3]
    assert targets.classes.dtype.kind == "i"
    np.testing.assert_array_equal(targets.indicator.indices, [2, 0, 2, 1])


@pytest.mark.parametrize("dtype", [object, "string", "category", "str"])
def test_check_targets_reads_string_classes_of_pandas(dtype):
    pd = pytest.importorskip("pandas")
    assert check_targets(pd.Series(["b", "a", "b"], dtype=dtype)).classes.tolist() == ["a", "b"]


def test_check_targets_reads_numpy_strings_in_lists():
    names = np.array(["b", "a", "b"])
    assert check_targets(list(names)).dtype == names.dtype
    assert check_targets(np.array(["b", names[1]], dtype=object)).classes.tolist() == ["a", "b"]


def test_read_targets_of_sparse_frame_takes_memory_of_its_entries():
    pd = pytest.importorskip("pandas")
    Y = sp.random_array((2000, 2000), density=0.001, format="csr", rng=0)
    frame = pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(Y))
    tracemalloc.start()
    read = read_targets(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (read != Y).nnz == 0
    assert peak < 2000 * 2000  # a dense array takes 32 MB


def test_duplicate_entries_count_once_in_every_format():
    rows, columns = np.array([0, 0, 1, 0]), np.array([1, 1, 0, 2])
    coo = sp.coo_array((np.ones(4, dtype=int), (rows, columns)), shape=(2, 3))
    csr = sp.csr_array((np.ones(4, dtype=int), np.array([1, 1, 2, 0]), np.array([0, 3, 4])), (2, 3))
    assert csr.nnz == 4
    for Y in (coo, csr, csr.tocsc(), sp.coo_matrix(coo)):
        Y = check_indicator(Y)
        np.testing.assert_array_equal(Y.toarray(), [[0, 1, 1], [1, 0, 0]])
        assert Y.nnz == 3
    coo.data[0] = 2
    with pytest.raises(ValueError, match="y must be an indicator of 0 and 1; got the value 2"):
        check_indicator(coo)


def test_read_targets_keeps_the_arrays_of_the_caller():
    Y = sp.csr_array((np.ones(3), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3))
    for array in (Y.data, Y.indices, Y.indptr):
        array.flags.writeable = False
    np.testing.assert_array_equal(check_indicator(Y).toarray(), [[1, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(Y.indices, [2, 0, 1])
    assert np.shares_memory(read_targets(Y).data, Y.data)


def test_check_indicator_rejects_indices_out_of_range():
    for format in ("csr", "csc", "coo"):
        Y = sp.csr_array(DENSE).asformat(format)
        indices = Y.coords[1] if format == "coo" else Y.indices
        indices[0] = 9
        with pytest.raises(ValueError, match="ind"):
            check_indicator(Y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: [1.0, np.nan], "got NaN in row 1"),
        (lambda: ["a", None, "b"], "got None in row 1"),
        (lambda: ["a", "b", np.nan], "got NaN in row 2"),
        (lambda: np.where(DENSE, 1, [np.nan, 0, 0]), "got NaN in row 1"),
        (lambda: sp.csc_array(np.where(DENSE, [1, 1, np.nan], 0)), "got NaN in row 0"),
        (lambda: np.ma.masked_array([1, 2, 1], mask=[0, 0, 1]), "got None in row 2"),
        (lambda: to_pandas("Int64")(DENSE).mask(IS_MISSING), "got NaN in row 2"),
        (lambda: to_pandas("boolean")(DENSE).mask(IS_MISSING), r"got (NaN|<NA>) in row 2"),
        (lambda: to_pandas(float)(np.where(DENSE, 1, np.nan)).astype("Sparse"), "got NaN in row 0"),
        (
            lambda: pytest.importorskip("pandas").Series([1, None], dtype="Int64"),
            "got NaN in row 1",
        ),
        (
            lambda: pytest.importorskip("pandas").Series(["a", None], dtype="category"),
            "got NaN in row 1",
        ),
        (lambda: pytest.importorskip("polars").Series(["a", None]), "got None in row 1"),
        (lambda: pytest.importorskip("pyarrow").array([1, None]), "got NaN in row 1"),
    ],
)
def test_missing_values_are_reported_with_their_row(make, message):
    with pytest.raises(ValueError, match=f"y_true must have no missing values; {message}"):
        read_targets(make(), "y_true")


@pytest.mark.parametrize(
    "make",
    [
        lambda: LABEL_LISTS,
        lambda: [set(row) for row in LABEL_LISTS],
        lambda: [np.array(row) for row in LABEL_LISTS],
        lambda: [["a"], "b"],
        lambda: [[1, 2], [3]],
        lambda: np.array(LABEL_LISTS, dtype=object),
        lambda: pytest.importorskip("pandas").Series(LABEL_LISTS),
        lambda: pytest.importorskip("pandas").Series([["a"], ["b"]]),
        lambda: pytest.importorskip("pandas").Series([np.array([1, 2]), np.array([3, 4])]),
        lambda: pytest.importorskip("polars").Series(LABEL_LISTS),
        lambda: pytest.importorskip("polars").Series([[1, 2], [3, 4]]),
        lambda: pytest.importorskip("pyarrow").array(LABEL_LISTS),
        lambda: pytest.importorskip("pyarrow").chunked_array([LABEL_LISTS]),
    ],
)
def test_label_collections_are_read_as_tuples(make):
    y = make()
    if any(isinstance(row, str) for row in y):
        with pytest.raises(ValueError, match="y must have a list, tuple, set or array .*; got 'b'"):
            read_targets(y)
        return
    names = read_targets(y)
    assert holds_names(names)
    assert [set(row) for row in names] == [set(row) for row in y]
    assert holds_names(read_targets(names))
    with pytest.raises(ValueError, match=r"y must be .*MultiLabelBinarizer\(sparse_output=True\)"):
        check_indicator(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ({"a": 1}, "y must be an array, list, frame or sparse matrix .*; got dict"),
        ({1, 2}, "got set"),
        ("labels", "got str"),
        (None, "got NoneType"),
        (np.zeros((2, 2, 2)), r"y must have 1 or 2 dimensions; got shape \(2, 2, 2\)"),
        (["a", 1, "b"], "y must have classes of one type; got int and str"),
        ([1.0, np.inf], "y must have finite values; got inf"),
        ([1j, 2j], "y must have real values; got dtype complex128"),
        (np.array([["a", "b"], ["b", "c"]]), "got dtype <U1. If the 2 columns contain labels"),
        ([[3, 1], [2, 4]], "got the value 3. If the columns contain label ids, join"),
        (DENSE * 2 - 1, r"got the value -1. .* pass \(y > 0\)"),
        (sp.csr_array(DENSE * 3), r"got the value 3. .* pass \(y > 0\)"),
        (DENSE * 0.25, r"got the value 0.25. .* choose a threshold, for example y >= 0.5"),
        (DENSE[:, :0], r"y must have at least one label; got shape \(4, 0\)"),
    ],
)  # fmt: skip
def test_invalid_targets_raise_an_error_with_advice(y, message):
    with pytest.raises(ValueError, match=message) as error:
        check_targets(y)
    assert "np." not in str(error.value)


def test_check_training_targets_refuses_only_zeros():
    for y in (DENSE * 0, sp.csr_array((4, 3)), sp.csr_array(DENSE) * 0):
        with pytest.raises(ValueError, match=r"y must have .*; got only zeros of shape \(4, 3\)"):
            check_training_targets(y)


def draw_labels(n_labels, n_used, rng):
    columns = rng.choice(n_labels, n_used, replace=False)
    return sp.csr_array((np.ones(n_used), columns, np.arange(n_used + 1)), (n_used, n_labels))


def test_nearly_empty_label_sets_are_reported():
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match="y has 1,000,000 labels, and 999,500 of them have no row"):
        check_training_targets(draw_labels(1_000_000, 500, rng))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # 1 % of the rows of a data set with few rows per label uses 5 % of the labels.
        check_training_targets(draw_labels(20_000, 1000, rng))
        check_training_targets(draw_labels(500, 1, rng))


def test_label_numbers_that_start_at_one_are_reported():
    Y = np.eye(25, dtype=int)
    with pytest.warns(UserWarning, match="except for label 0"):
        check_training_targets(Y[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_training_targets(Y)
        check_training_targets(Y[:-1])
        check_training_targets(Y[1:4, :4])


@pytest.mark.parametrize(
    ("classes", "separator"),
    [
        (["fft", "plot", "sparse;product", "sparse;solve"], ";"),
        (["a|b", "b|c", "a"], r"\|"),
        (["a,b", "b,c", "a", "c,a"], ","),
        (["python, pandas", "pandas, numpy", "numpy", "python, numpy"], ","),
    ],
)
def test_joined_labels_are_reported(classes, separator):
    with pytest.warns(UserWarning, match=f"joined by '{separator}'.*y.str.split"):
        check_training_targets(classes * 3)


@pytest.mark.parametrize(
    "classes",
    [
        ["Korea, North", "Korea, South", "Washington, DC", "Spain"],
        ["Smith, John", "Smith, Jane", "Doe, John", "Doe, Jane"],
        ["Food, Beverages", "Health, Beauty", "Toys", "Sports, Outdoors"],
        ["<1,000", "1,000-5,000", "5,000-10,000", ">10,000"],
        ["yes;no", "a", "b"],
        ["Books|Fiction", "Books|Poetry", "Music|Jazz", "Music|Rock"],
        ["0, 10", "10, 20", "20, 30", "30, 40"],
        ["1,5", "2,5", "5,1", "2,1"],
        ["R&amp;B", "Q&amp;A", "B&amp;B"],
        ["New York, New York", "New York", "Albany, New York"],
        ["a|b"],
        ["a", "b"],
        [1, 2, 3],
    ],
)
def test_ordinary_class_names_are_not_reported(classes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(check_training_targets(classes * 3).classes) == len(classes)


def test_read_sparse_frame_returns_other_values_unchanged():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(DENSE)
    for X in (DENSE, sp.csr_array(DENSE), frame, DENSE.tolist()):
        assert read_sparse_frame(X) is X
    assert sp.issparse(read_sparse_frame(to_sparse_frame(DENSE)))
