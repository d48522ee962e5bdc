"""Dense rows in tensors, array-API arrays and columns of Arrow."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skxmr import XRLinearClassifier
from skxmr._core.dense_containers import read_dense_container

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 6)).astype(np.float32)
Y = (RNG.random((40, 8)) < 0.3).astype(int)
MODEL = XRLinearClassifier(random_state=0).fit(X, Y)


def fit(rows):
    return XRLinearClassifier(random_state=0).fit(rows, Y)


class Exporter:
    """An array that exports its memory, as tensors do."""

    shape, ndim, dtype = (40, 6), 2, "bfloat16"

    def __init__(self, array, device=1, error=None):
        self.array, self.device, self.error = array, device, error

    def __dlpack_device__(self):
        return self.device, 0

    def __dlpack__(self, **options):
        if self.error:
            raise self.error
        return self.array.__dlpack__(**options)


def test_exported_memory_is_used_in_place():
    assert np.shares_memory(read_dense_container(Exporter(X), "X"), X)
    assert_array_equal(fit(Exporter(X)).predict_topk(Exporter(X))[1], MODEL.predict_topk(X)[1])
    assert MODEL.score(Exporter(X), Y) == MODEL.score(X, Y)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (Exporter(X, device=2), r"X must be in the main memory; got a Exporter.*X\.cpu\(\)"),
        (Exporter(X, error=BufferError()), r"got dtype bfloat16.*X\.float\(\)"),
    ],
)
def test_memory_that_numpy_cannot_read_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        fit(rows)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_tensors_give_the_results_of_arrays(dtype):
    torch = pytest.importorskip("torch")
    rows = X.astype(dtype)
    tensor = torch.from_numpy(rows)
    expected = fit(rows).predict_topk(rows)
    assert_array_equal(fit(tensor).predict_topk(tensor)[1], expected[1])
    with pytest.raises(ValueError, match=r"X must not require gradients; pass X\.detach\(\)"):
        fit(tensor.clone().requires_grad_())
    with pytest.raises(ValueError, match=r"got dtype torch.bfloat16.*X\.float\(\)"):
        fit(tensor.bfloat16())


@pytest.mark.parametrize("kind", ["fixed", "list", "large_list", "chunks"])
def test_columns_of_arrow_give_the_results_of_arrays(kind):
    pa = pytest.importorskip("pyarrow")
    types = {
        "fixed": pa.list_(pa.float32(), 6),
        "list": pa.list_(pa.float32()),
        "large_list": pa.large_list(pa.float32()),
        "chunks": pa.list_(pa.float32(), 6),
    }
    column = pa.array(list(X), type=types[kind])
    if kind == "chunks":
        column = pa.chunked_array([column[:15], column[15:]])
    assert_array_equal(read_dense_container(column, "X"), X)
    assert_array_equal(read_dense_container(column[5:9], "X"), X[5:9])
    assert_array_equal(fit(column).predict_topk(column)[1], MODEL.predict_topk(X)[1])


def test_columns_of_arrow_without_equal_rows_are_refused():
    pa = pytest.importorskip("pyarrow")
    for rows, message in [
        (pa.array([[1.0], [1.0, 2.0]]), "rows of equal length"),
        (pa.array([[1.0], None]), "missing values"),
        (pa.array([[1.0], [None]]), "missing values"),
        (pa.array([1.0, 2.0]), "a column of lists of numbers; got double"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit(rows)


def make_column(rows):
    column = np.empty(len(rows), dtype=object)
    column[:] = rows
    return column


def test_columns_with_an_array_per_row_give_the_results_of_arrays():
    pandas = pytest.importorskip("pandas")
    column = make_column(list(X))
    expected = MODEL.predict_topk(X)[1]
    for rows in (
        column,
        column[:, None],
        pandas.Series(column),
        pandas.DataFrame({"embedding": column}),
        pandas.Series([row.tolist() for row in X]),
        list(X),
    ):
        assert_array_equal(fit(rows).predict_topk(rows)[1], expected)


def test_columns_of_polars_give_the_results_of_arrays():
    polars = pytest.importorskip("polars")
    for dtype in (polars.Array(polars.Float32, 6), polars.List(polars.Float32)):
        rows = polars.Series(X.tolist(), dtype=dtype)
        assert_array_equal(fit(rows).predict_topk(rows)[1], MODEL.predict_topk(X)[1])
        with pytest.raises(ValueError, match="missing values"):
            fit(polars.Series([*X.tolist()[1:], None], dtype=dtype))
    with pytest.raises(ValueError, match="rows of equal length"):
        fit(polars.Series([[1.0], [1.0, 2.0]]))


def test_columns_without_equal_rows_are_refused():
    for rows, message in [
        ([[1.0], [1.0, 2.0]], "rows of equal length; got lengths from 1 to 2"),
        (make_column([np.ones(1), np.ones(2)]), "rows of equal length; got lengths from 1 to 2"),
        ([[1.0], None], "a row of numbers in each entry; got None at position 1"),
        (make_column([None, np.ones(2)]), "got None at position 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit(rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.array([["a"] * 6] * 40), "X must contain numbers; got text"),
        (np.array([["a"] * 6] * 40, dtype=object), "X must contain numbers; got text"),
        (np.where(X > 2, np.nan, X), "X contains NaN"),
        (np.where(X > 2, np.inf, X), "X contains infinity"),
        (X[:, :0], "0 feature"),
    ],
)
def test_other_invalid_rows_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        fit(rows)


def test_other_widths_are_refused():
    with pytest.raises(ValueError, match="X has 5 features, but .* 6 features"):
        MODEL.predict(X[:, :5])
