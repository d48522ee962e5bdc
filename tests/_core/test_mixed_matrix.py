"""`MixedMatrix`, and the unions that return it."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skxmr import XRLinearClassifier, load_model, save_model
from skxmr.compose import ColumnTransformer
from skxmr.indexing import positive_instance_features
from skxmr.pipeline import FeatureUnion, MixedMatrix, Pipeline


def make_data(n_rows=200, n_sparse=150, n_dense=30, n_labels=60):
    rng = np.random.default_rng(0)
    sparse = sp.random_array((n_rows, n_sparse), density=0.05, format="csr", rng=rng)
    dense = rng.standard_normal((n_rows, n_dense)).astype(np.float32)
    dense[::7, 3] = 0
    return MixedMatrix(sparse.astype(np.float32), dense), sp.csr_array(
        (rng.random((n_rows, n_labels)) < 0.05).astype(np.int8)
    )


X, Y = make_data()


def fit(X, **parameters):
    return XRLinearClassifier(max_leaf_size=10, random_state=0, **parameters).fit(X, Y)


@pytest.mark.parametrize(
    "dense",
    [
        X.dense,
        X.dense.astype(np.float16).astype(np.float64),
        np.asfortranarray(X.dense),
        np.zeros_like(X.dense),
        X.dense[:, :0],
    ],
    ids=["float32", "float64", "fortran", "zeros", "empty"],
)
@pytest.mark.parametrize("scale", [1, 5])
def test_results_are_those_of_the_sparse_matrix(dense, scale):
    rows = MixedMatrix(X.sparse, dense) * scale
    model, expected = fit(rows), fit(rows.tocsr())
    for found, expected_values in zip(
        model.predict_topk(rows), expected.predict_topk(rows.tocsr()), strict=True
    ):
        assert_array_equal(found, expected_values)
        assert_array_equal(model.predict_topk(rows.tocsr())[0], model.predict_topk(rows)[0])
    single = [model.predict_topk(rows[i])[1] for i in range(20)]
    assert_array_equal(np.vstack(single), model.predict_topk(rows)[1][:20])
    assert model.score(rows, Y) == expected.score(rows.tocsr(), Y)


@pytest.mark.parametrize(
    "parameters",
    [
        {"negatives": "tfn+man"},
        {"n_trees": 2},
        {"ranker": LogisticRegression()},
        {"label_features": lambda X, Y: Y.T @ X},
        {"loss": "log_loss", "score_transform": "sigmoid"},
        {"tol": 1e-6, "max_iter": 500},
    ],
    ids=["beam", "ensemble", "ranker", "label_features", "log_loss", "float64"],
)
def test_every_kind_of_training_accepts_mixed_rows(parameters):
    found, expected = fit(X, **parameters), fit(X.tocsr(), **parameters)
    assert_array_equal(found.predict_topk(X)[1], expected.predict_topk(X.tocsr())[1])


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("weight_dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("max_leaf_size", [30, 300])
def test_batches_of_mixed_rows_equal_single_sparse_rows(weight_dtype, max_leaf_size):
    rows, targets = make_data(n_rows=150, n_sparse=200, n_dense=70, n_labels=max_leaf_size + 20)
    model = XRLinearClassifier(
        max_leaf_size=max_leaf_size, weight_dtype=weight_dtype, random_state=0
    ).fit(rows, targets)
    S = rows.tocsr()
    single = [model.predict_topk(S[[i]], k=15) for i in range(150)]
    expected = [np.vstack(arrays) for arrays in zip(*single, strict=True)]
    for n_jobs in (1, 3):
        found = model.set_params(n_jobs=n_jobs).predict_topk(rows, k=15)
        for values, expected_values in zip(found, expected, strict=True):
            assert_array_equal(values, expected_values)


def test_sample_weights_select_rows():
    weights = np.arange(200) % 3
    found = XRLinearClassifier(random_state=0).fit(X, Y, sample_weight=weights)
    expected = XRLinearClassifier(random_state=0).fit(X.tocsr(), Y, sample_weight=weights)
    assert_array_equal(found.predict_topk(X)[1], expected.predict_topk(X.tocsr())[1])


def test_label_features_are_those_of_the_sparse_matrix():
    found = positive_instance_features(X, Y)
    assert (found != positive_instance_features(X.tocsr(), Y)).nnz == 0


def test_rows_can_be_selected_pickled_and_scaled():
    expected = X.toarray()
    mask = np.arange(200) % 2 == 0
    for rows in ([3, 1], slice(5, 9), mask, np.array([7]), -1):
        assert_array_equal(X[rows].toarray(), np.atleast_2d(expected[rows]))
        assert_array_equal(X[rows, ...].toarray(), np.atleast_2d(expected[rows]))
    assert_array_equal(pickle.loads(pickle.dumps(X)).toarray(), expected)
    assert_array_equal((2 * X).toarray(), 2 * expected)
    half = MixedMatrix(X.sparse, X.dense.astype(np.float16))
    assert_array_equal(half.tocsr().toarray(), half.toarray())
    assert_array_equal(X.tocsr().toarray(), expected)
    train, test = train_test_split(X, test_size=0.25, random_state=0)
    assert train.shape == (150, 180)
    assert test.shape == (50, 180)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            (np.ones((2, 2)), np.ones((2, 2))),
            "sparse must be a 2-D sparse matrix; got a ndarray",
        ),
        ((sp.csr_array((2, 2)), np.ones(2)), r"dense must be .* got shape \(2,\)"),
        ((sp.csr_array((2, 2)), np.array([["a"], ["b"]])), "2-D array of numbers.*<U1"),
        ((sp.csr_array((2, 2)), np.ones((3, 1))), "same number of rows; got 2 and 3"),
        ((sp.csr_array((2, 2)), np.ma.ones((2, 1))), "dense must not be a masked array"),
        ((sp.coo_array(([1.0], ([0], [5])), shape=(2, 6)).tocsr()[:, :3], [["a"], ["b"]]), "<U1"),
    ],
)
def test_invalid_parts_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        MixedMatrix(*parts)


def test_mixed_matrices_are_not_converted_silently():
    with pytest.raises(TypeError, match="use toarray or tocsr"):
        np.asarray(X)
    with pytest.raises(IndexError, match="columns of a MixedMatrix cannot be selected"):
        X[:, 0]


def test_invalid_indices_are_refused():
    coo = sp.coo_array(([1.0], ([0], [1])), shape=(2, 2))
    coo.coords[1][0] = 2**30
    csr = sp.csr_array(np.eye(5))
    csr.indptr[3] = 2**30
    for sparse in (coo, csr):
        with pytest.raises(ValueError, match="ind"):
            MixedMatrix(sparse, np.ones((sparse.shape[0], 1)))
    with pytest.raises(ValueError, match="ind"):
        fit_rows(csr, sample_weight=[0, 1, 1, 1, 1])


def test_matrix_without_columns_is_refused():
    with pytest.raises(ValueError, match="0 feature"):
        fit_rows(MixedMatrix(sp.csr_array((5, 0)), np.empty((5, 0))))


def fit_rows(rows, **options):
    return XRLinearClassifier(random_state=0).fit(rows, np.eye(5, dtype=int), **options)


@pytest.mark.parametrize("part", ["sparse", "dense"])
def test_values_that_are_not_finite_are_refused(part):
    rows = X[:]
    values = rows.sparse.data if part == "sparse" else rows.dense[0]
    values[0] = np.nan
    with pytest.raises(ValueError, match="X contains NaN"):
        fit(rows)


def lengths(texts):
    return np.array([[len(text), 1.0] for text in texts], dtype=np.float32) / 10


TEXTS = ["red apples", "ripe pears", "a fast car", "an old bus"] * 5
TOPICS = [["fruit"], ["fruit", "green"], ["vehicle"], ["vehicle", "old"]] * 5
PARTS = [("words", TfidfVectorizer(dtype=np.float32)), ("length", FunctionTransformer(lengths))]


def test_union_keeps_dense_results_and_is_tuned():
    union = FeatureUnion(PARTS, transformer_weights={"length": 0.5})
    rows = union.fit_transform(TEXTS)
    assert isinstance(rows, MixedMatrix)
    assert rows.dense.dtype == np.float32
    assert_array_equal(rows.dense, lengths(TEXTS) / 2)
    nested = FeatureUnion([("both", union)], transformer_weights={"both": 2}).fit_transform(TEXTS)
    assert_array_equal(nested.toarray(), (rows * 2).toarray())
    model = Pipeline([("features", union), ("labels", XRLinearClassifier(random_state=0))])
    search = GridSearchCV(
        model, {"features__transformer_weights": [{"length": 0.1}, {"length": 1}]}, cv=2
    )
    search.fit(np.array(TEXTS), [topics[0] for topics in TOPICS])
    assert search.score(np.array(TEXTS), [topics[0] for topics in TOPICS]) == 1


def test_union_of_one_kind_is_that_of_scikit_learn():
    sparse = FeatureUnion([PARTS[0], ("again", TfidfVectorizer())]).fit_transform(TEXTS)
    assert sp.issparse(sparse)
    dense = FeatureUnion([PARTS[1], ("again", FunctionTransformer(lengths))]).fit_transform(TEXTS)
    assert isinstance(dense, np.ndarray)


def test_dense_results_must_come_last():
    with pytest.raises(ValueError, match="come last; 'words' returned a sparse"):
        FeatureUnion(PARTS[::-1]).fit_transform(TEXTS)


def make_frame():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"title": TEXTS, "price": np.arange(20.0), "size": np.ones(20)})


def make_column_transformer(**parameters):
    return ColumnTransformer(
        [("words", TfidfVectorizer(), "title")], remainder="passthrough", **parameters
    )


def test_column_transformer_keeps_dense_results():
    rows = make_column_transformer(sparse_threshold=1).fit_transform(make_frame())
    assert isinstance(rows, MixedMatrix)
    assert rows.dense.shape == (20, 2)
    dense = make_column_transformer(sparse_threshold=0).fit_transform(make_frame())
    assert_array_equal(rows.toarray(), dense)
    nested = ColumnTransformer([("both", FeatureUnion(PARTS), "title"), ("n", "passthrough", [1])])
    assert isinstance(nested.fit_transform(make_frame()), MixedMatrix)


def test_column_transformer_passes_columns_of_embeddings(tmp_path):
    frame = make_frame()
    frame["embedding"] = list(lengths(TEXTS))
    columns = ColumnTransformer(
        [("words", TfidfVectorizer(), "title"), ("embedding", "passthrough", ["embedding"])],
        sparse_threshold=1,
    )
    model = Pipeline([("features", columns), ("labels", XRLinearClassifier(random_state=0))])
    model.fit(frame, TOPICS)
    assert_array_equal(model[:-1].transform(frame).dense, lengths(TEXTS))
    save_model(model, tmp_path / "model")
    assert load_model(tmp_path / "model").suggest(frame) == model.suggest(frame)


@pytest.mark.filterwarnings("ignore:When `set_output` is configured:UserWarning")
def test_mixed_results_cannot_be_data_frames():
    union, columns = FeatureUnion(PARTS), make_column_transformer(sparse_threshold=1)
    nested = ColumnTransformer([("both", FeatureUnion(PARTS), "title")])
    for transformer, rows in ((union, TEXTS), (columns, make_frame()), (nested, make_frame())):
        transformer.fit(rows)
        with config_context(transform_output="pandas"):
            for method in (transformer.transform, transformer.fit_transform):
                with pytest.raises(ValueError, match="transform_output must be 'default' if .*got"):
                    method(rows)
            with config_context(transform_output="default"):
                assert isinstance(transformer.transform(rows), MixedMatrix)
    scaled = FeatureUnion([("a", StandardScaler()), ("b", StandardScaler())])
    frame = scaled.set_output(transform="pandas").fit_transform(X.dense)
    assert list(frame.columns[:1]) == ["a__x0"]


def test_saved_pipelines_return_mixed_rows(tmp_path):
    frame = make_frame()
    for name, step, data in [
        ("union", FeatureUnion([PARTS[0], ("again", PARTS[0][1])]), TEXTS),
        ("columns", make_column_transformer(sparse_threshold=1), frame),
    ]:
        model = Pipeline([("features", step), ("labels", XRLinearClassifier(random_state=0))])
        model.fit(data, TOPICS)
        save_model(model, tmp_path / name)
        loaded = load_model(tmp_path / name)
        assert type(loaded.steps[0][1]) is type(step)
        assert loaded.suggest(data[:3]) == model.suggest(data[:3])
