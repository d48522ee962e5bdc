"""Classifiers by similarity, compared with scikit-learn and with dense matrices."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmr._core.validation import MAX_SEED
from skxmr.matching import NearestCentroidMatcher, NearestNeighborsMatcher

MATCHERS = [NearestNeighborsMatcher, NearestCentroidMatcher]


@parametrize_with_checks(
    [
        NearestNeighborsMatcher(),
        NearestNeighborsMatcher(n_neighbors=1, n_jobs=2),
        NearestCentroidMatcher(),
        NearestCentroidMatcher(n_neighbors=2),
    ]
)
def test_matchers_pass_scikit_learn_checks(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [NearestNeighborsMatcher(index="hnswlib"), NearestCentroidMatcher(index="hnswlib")]
)
def test_matchers_with_graph_pass_scikit_learn_checks(estimator, check):
    pytest.importorskip("hnswlib")
    check(estimator)


def test_neighbor_votes_equal_those_of_scikit_learn(xmc_data):
    X, Y = xmc_data
    X, Y, queries = X[:400], Y[:400], X[400:].copy()
    reference = KNeighborsClassifier(
        7, metric="cosine", algorithm="brute", weights=lambda distance: 1 - distance
    ).fit(X, Y.toarray())
    wanted = np.column_stack(
        [
            column[:, 1] if column.shape[1] == 2 else np.full(len(column), classes[0])
            for column, classes in zip(
                reference.predict_proba(queries), reference.classes_, strict=True
            )
        ]
    )
    got = NearestNeighborsMatcher(7).fit(X, Y).predict_proba(queries)
    assert sp.issparse(got)
    np.testing.assert_allclose(got.toarray(), wanted, atol=1e-5)


def test_nearest_centroids_equal_those_of_a_dense_matrix(xmc_data):
    X, Y = xmc_data
    centroids = normalize(normalize(Y.toarray().astype(float)).T @ X.toarray())
    full = normalize(X.toarray()) @ centroids.T
    got = NearestCentroidMatcher(5).fit(X, Y).predict_proba(X).toarray()
    assert np.count_nonzero(got, axis=1).max() == 5
    np.testing.assert_allclose(np.sort(got)[:, -5:], np.sort(full)[:, -5:], atol=1e-6)
    np.testing.assert_allclose(got[got > 0], full[got > 0], atol=1e-6)
    # Labels without positive rows have no score.
    assert not got[:, [3, 77]].any()


@pytest.mark.parametrize("index", ["exact", "hnswlib"])
def test_n_components_equals_a_separate_decomposition(index, xmc_data):
    if index == "hnswlib":
        pytest.importorskip("hnswlib")
    X, Y = xmc_data
    X, Y, queries = X[:400], Y[:400], X[400:]
    seed = check_random_state(0).randint(MAX_SEED)
    svd = TruncatedSVD(40, random_state=seed).fit(normalize(X))
    wanted = NearestNeighborsMatcher(5).fit(svd.transform(X), Y)
    wanted = wanted.predict_proba(svd.transform(queries)).toarray()
    model = NearestNeighborsMatcher(5, index=index, n_components=40, random_state=0).fit(X, Y)
    got = model.predict_proba(queries).toarray()
    # The graph may miss a neighbor.
    assert np.mean(np.abs(got - wanted) < 1e-5) > (0.99 if index == "hnswlib" else 0.9999)
    # If n_components is at least the number of features, nothing changes.
    full = NearestNeighborsMatcher(5, index=index, n_components=1000).fit(X, Y)
    plain = NearestNeighborsMatcher(5).fit(X, Y).predict_proba(queries).toarray()
    assert np.mean(np.abs(full.predict_proba(queries).toarray() - plain) < 1e-5) > 0.99


@pytest.mark.parametrize("matcher", MATCHERS)
def test_predictions_have_the_format_of_the_targets(matcher, xmc_data):
    X, Y = xmc_data
    sparse = matcher().fit(X, Y)
    dense = matcher().fit(X.toarray().astype(np.float64), Y.toarray())
    assert sp.issparse(sparse.predict(X))
    assert sparse.predict(X).dtype == Y.dtype
    P = sparse.predict_proba(X).toarray()
    # Dense scores are strictly between 0 and 1.
    np.testing.assert_allclose(dense.predict_proba(X), P, rtol=0, atol=1e-7)
    assert dense.predict_proba(X).min() > 0
    np.testing.assert_array_equal(sparse.predict(X).toarray(), dense.predict(X))
    np.testing.assert_array_equal(dense.predict(X), dense.predict_proba(X) >= 0.5)


@pytest.mark.parametrize("matcher", MATCHERS)
def test_rows_without_similar_points_get_class_frequencies_or_no_scores(matcher):
    X = np.eye(4)[[0, 0, 1, 2]]
    no_similar_point = np.eye(4)[3:]
    model = matcher().fit(X, ["a", "a", "a", "b"])
    np.testing.assert_array_equal(model.predict_proba(no_similar_point), np.float32([[0.75, 0.25]]))
    assert model.predict(no_similar_point) == ["a"]
    Y = sp.csr_array([[1, 0], [1, 0], [1, 0], [0, 1]])
    assert matcher().fit(X, Y).predict_proba(no_similar_point).nnz == 0


@pytest.mark.parametrize("matcher", MATCHERS)
def test_n_neighbors_can_be_changed_after_fit(matcher, xmc_data):
    X, Y = xmc_data
    model = matcher(2).fit(X, Y)
    few = model.predict_proba(X)
    many = model.set_params(n_neighbors=20).predict_proba(X)
    assert many.nnz > few.nnz
    assert (many != matcher(20).fit(X, Y).predict_proba(X)).nnz == 0


@pytest.mark.parametrize("matcher", MATCHERS)
def test_fit_rejects_invalid_parameters(matcher, xmc_data, monkeypatch):
    with pytest.raises(ValueError, match="'n_neighbors' parameter"):
        matcher(0).fit(*xmc_data)
    with pytest.raises(ValueError, match="'index' parameter"):
        matcher(index="annoy").fit(*xmc_data)
    with pytest.raises(ValueError, match="'n_components' parameter"):
        matcher(n_components=0).fit(*xmc_data)
    with pytest.raises(ValueError, match="indicator of 0 and 1"):
        matcher().fit(xmc_data[0], xmc_data[1] * 2)
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    with pytest.raises(ImportError, match=r"pip install 'skxmr\[neighbors\]'"):
        matcher(index="hnswlib").fit(*xmc_data)
