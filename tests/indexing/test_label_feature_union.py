"""Unions of label features, compared with dense arithmetic."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skxmr import LabelFeatureUnion
from skxmr._core.rows import as_rows
from skxmr.indexing import positive_instance_features, positive_instance_indices
from skxmr.indexing._label_features import check_label_features, compute_label_features


def normalize_dense(Z):
    Z = np.asarray(Z, dtype=np.float64)
    norms = np.linalg.norm(Z, axis=1, keepdims=True)
    return Z / np.where(norms > 0, norms, 1.0)


@pytest.fixture
def data(xmc_data):
    X, Y = xmc_data
    return sp.csr_array(X, dtype=np.float32), sp.csr_array(Y)


def compute(label_features, X, Y, n_jobs=None):
    checked = check_label_features(label_features, Y.shape[1], X.shape[1])
    rows = as_rows(X).to_training_rows()
    return compute_label_features(checked, rows, Y, seed=0, n_jobs=n_jobs)


@pytest.fixture
def embeddings():
    Z = np.random.default_rng(0).normal(size=(150, 6))
    Z[[5, 77]] = 0.0
    return Z


@pytest.mark.parametrize("weights", [None, [2.0, 0.5, 1], np.array([1.0, 0.0, 3.0])])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_join_concatenates_the_weighted_parts(data, embeddings, weights, n_jobs):
    X, Y = data
    union = LabelFeatureUnion(["pifa", embeddings, "pii"], weights=weights)
    Z = compute(union, X, Y, n_jobs)
    w = np.ones(3) if weights is None else weights
    wanted = normalize_dense(
        np.hstack(
            [
                w[0] * positive_instance_features(X, Y, max_entries=256).toarray(),
                w[1] * normalize_dense(embeddings),
                w[2] * positive_instance_indices(Y).toarray(),
            ]
        )
    )
    assert sp.issparse(Z)
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z.toarray(), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("container", [np.asarray, sp.csc_array])
def test_mean_sums_the_weighted_parts(data, container):
    X, Y = data
    texts = np.abs(np.random.default_rng(0).normal(size=(150, 400)))
    union = LabelFeatureUnion(["pifa", container(texts)], how="mean", weights=[3, 1])
    pifa = positive_instance_features(X, Y, max_entries=256).toarray()
    np.testing.assert_allclose(
        compute(union, X, Y).toarray(),
        normalize_dense(3 * pifa + normalize_dense(texts)),
        rtol=1e-4,
        atol=1e-6,
    )


def test_union_of_dense_parts_is_dense(data, embeddings):
    union = LabelFeatureUnion([embeddings, embeddings[:, ::-1]], how="mean")
    Z = compute(union, *data)
    assert isinstance(Z, np.ndarray)
    wanted = normalize_dense(normalize_dense(embeddings) + normalize_dense(embeddings[:, ::-1]))
    np.testing.assert_allclose(Z, wanted, rtol=1e-4, atol=1e-6)


def test_union_of_one_part_equals_the_part_and_unions_can_be_nested(data):
    wanted = compute("pii", *data).toarray()
    for union in (
        LabelFeatureUnion(["pii"], weights=[7]),
        LabelFeatureUnion([LabelFeatureUnion(["pii", "pii"], how="mean")]),
        LabelFeatureUnion([lambda X, Y: Y.T], how="mean"),
    ):
        np.testing.assert_allclose(compute(union, *data).toarray(), wanted, rtol=1e-5)


def test_union_ignores_parts_without_features_of_a_label(data, embeddings):
    X, Y = data
    absent = np.flatnonzero(Y.sum(axis=0) == 0)
    assert 3 in absent
    assert 77 in absent
    Z = compute(LabelFeatureUnion(["pifa", embeddings]), X, Y).toarray()
    np.testing.assert_allclose(Z[3, 400:], normalize_dense(embeddings)[3], rtol=1e-5)
    assert not Z[77].any()
    np.testing.assert_allclose(np.linalg.norm(Z[5, :400]), 1.0, rtol=1e-5)


def test_union_supports_clone_and_set_params(embeddings):
    union = LabelFeatureUnion(["pifa", embeddings], how="mean", weights=[1, 2])
    copy = clone(union)
    assert copy.get_params()["how"] == "mean"
    assert copy.parts[0] == "pifa"
    np.testing.assert_array_equal(copy.parts[1], embeddings)
    copy.set_params(how="join", weights=None)
    assert (union.how, union.weights) == ("mean", [1, 2])
    assert (copy.how, copy.weights) == ("join", None)


@pytest.mark.parametrize(
    ("union", "message"),
    [
        (LabelFeatureUnion([]), "label_features.parts must contain at least one entry"),
        (LabelFeatureUnion("pifa"), "'parts' parameter of LabelFeatureUnion must be"),
        (LabelFeatureUnion(["pifa"], how="max"), "'how' parameter of LabelFeatureUnion must be"),
        (LabelFeatureUnion(["pifa", "tfidf"]), r"label_features.parts\[1\] must .*; got 'tfidf'"),
        (LabelFeatureUnion(["pifa", np.ones((9, 2))]), r"parts\[1\] must be .* 150 rows.*\(9, 2\)"),
        (
            LabelFeatureUnion([LabelFeatureUnion(["pii", None])]),
            r"label_features.parts\[0\].parts\[1\] must be a 2-D matrix",
        ),
        (LabelFeatureUnion(["pifa", "pii"], weights=[1]), "weights must be 2 finite numbers"),
        (LabelFeatureUnion(["pifa", "pii"], weights=[0, 0]), "not all 0; got"),
        (LabelFeatureUnion(["pifa", "pii"], weights=[1, -1]), "at least 0"),
        (LabelFeatureUnion(["pifa", "pii"], weights=[1, np.nan]), "weights must be"),
        (LabelFeatureUnion(["pifa", "pii"], weights=["a", 1]), "weights must be"),
        (
            LabelFeatureUnion(["pii", "pifa", np.ones((150, 7))], how="mean"),
            "label_features.parts must have equal numbers .*how='mean'; got [?], 400, 7",
        ),
        (
            LabelFeatureUnion(
                [np.ones((150, 7)), LabelFeatureUnion(["pifa", np.ones((150, 7))])], how="mean"
            ),
            "got 7, 407",
        ),
    ],
)
def test_check_rejects_invalid_unions(union, message):
    with pytest.raises(ValueError, match=message):
        check_label_features(union, 150, 400)


def test_mean_rejects_widths_that_depend_on_the_data(data):
    with pytest.raises(ValueError, match="label_features.parts must .*how='mean'; got 400, 600"):
        compute(LabelFeatureUnion(["pifa", "pii"], how="mean"), *data)
