"""The parameter `label_features` of the classifier, from its value to the tree."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skxmr import (
    HierarchicalLabelTree,
    LabelFeatureUnion,
    LabelHierarchy,
    XRLinearClassifier,
)
from skxmr._core.rows import as_rows
from skxmr.indexing import positive_instance_features
from skxmr.indexing._label_features import check_label_features, compute_label_features
from skxmr.metrics import topk_scorer

NAMES = ["pifa", "pii", "spectral"]


def fit(data, label_features, **settings):
    return XRLinearClassifier(4, 10, label_features=label_features, random_state=0, **settings).fit(
        *data
    )


@pytest.mark.parametrize("name", NAMES)
def test_named_label_features_have_unit_rows_for_any_n_jobs(xmc_data, name):
    X, Y = (sp.csr_array(M) for M in xmc_data)
    X = X.astype(np.float32)
    rows = as_rows(X).to_training_rows()
    Z, again = (compute_label_features(name, rows, Y, seed=0, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert Z.dtype == np.float32
    Z, again = (M.toarray() if sp.issparse(M) else M for M in (Z, again))
    np.testing.assert_array_equal(Z, again)
    norms = np.linalg.norm(Z, axis=1)
    np.testing.assert_array_equal(norms == 0, Y.sum(axis=0) == 0)
    np.testing.assert_allclose(norms[norms > 0], 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_name_matrix_and_callable_give_the_same_tree(xmc_data, name):
    X, Y = (sp.csr_array(M) for M in xmc_data)
    model = fit(xmc_data, name)

    def compute(rows, indicator):
        training_rows = as_rows(rows).to_training_rows()
        return compute_label_features(name, training_rows, indicator, seed=seed, n_jobs=1)

    seed = np.random.RandomState(0).randint(2**31 - 1)
    assert fit(xmc_data, compute).hierarchy_ == model.hierarchy_
    Z = compute(X.astype(np.float32), Y)
    assert fit(xmc_data, Z).hierarchy_ == model.hierarchy_
    for got, want in zip(
        fit(xmc_data, Z).predict_topk(xmc_data[0]),
        model.predict_topk(xmc_data[0]),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)


def test_names_give_different_trees_and_the_default_is_pifa(xmc_data):
    pifa, pii, spectral = (fit(xmc_data, name).hierarchy_ for name in NAMES)
    assert pifa != pii
    assert pifa != spectral
    assert pii != spectral
    default = XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)
    assert default.hierarchy_ == pifa


def test_tree_does_not_depend_on_container_dtype_or_norms_of_a_matrix(xmc_data):
    rng = np.random.default_rng(0)
    # Scaling by powers of two is exact.
    Z = rng.normal(size=(150, 12)).astype(np.float32) * (rng.random((150, 12)) < 0.5)
    expected = fit(xmc_data, Z).hierarchy_
    scaled = Z * 2.0 ** rng.integers(-100, 100, size=(150, 1))
    wide = sp.csr_array(Z)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    unsorted = sp.csr_array(Z)
    for row in range(150):
        part = slice(unsorted.indptr[row], unsorted.indptr[row + 1])
        unsorted.indices[part] = unsorted.indices[part][::-1]
        unsorted.data[part] = unsorted.data[part][::-1]
    unsorted.has_sorted_indices = False
    read_only = Z.copy()
    read_only.setflags(write=False)
    for matrix in (
        Z.astype(np.float64),
        Z.tolist(),
        np.asfortranarray(Z),
        read_only,
        scaled,
        sp.csr_matrix(Z),
        sp.csc_array(Z),
        sp.coo_matrix(Z),
        sp.csr_array(scaled),
        wide,
        unsorted,
    ):
        assert fit(xmc_data, matrix).hierarchy_ == expected


@pytest.mark.parametrize("container", [np.array, sp.csr_array, sp.csr_matrix])
def test_fit_does_not_modify_the_matrix_of_label_features(xmc_data, container):
    Z = container(np.random.default_rng(0).normal(size=(150, 12)) * 5)
    before = Z.copy()
    fit(xmc_data, LabelFeatureUnion([Z, Z], how="mean", weights=[2, 1]))
    fit(xmc_data, Z)
    assert abs(Z - before).max() == 0


def test_labels_with_equal_features_share_a_leaf(xmc_data):
    group = np.random.default_rng(0).permutation(np.repeat(np.arange(15), 10))
    model = fit(xmc_data, np.eye(15)[group])
    # A leaf contains labels of fewer groups than with PIFA, which does not depend on the groups.
    leaf_of_label = model.hierarchy_.leaf_of_label
    n_groups = [len(set(group[leaf_of_label == leaf])) for leaf in range(16)]
    leaf_of_label = fit(xmc_data, "pifa").hierarchy_.leaf_of_label
    n_groups_pifa = [len(set(group[leaf_of_label == leaf])) for leaf in range(16)]
    assert np.mean(n_groups) < np.mean(n_groups_pifa) / 2


def test_callable_receives_csr_rows_and_indicator(xmc_data):
    X, Y = xmc_data
    seen = {}

    def features(rows, indicator):
        seen.update(rows=rows, indicator=indicator)
        return positive_instance_features(rows, indicator, max_entries=256)

    assert fit(xmc_data, features).hierarchy_ == fit(xmc_data, "pifa").hierarchy_
    assert seen["rows"].dtype == np.float32
    assert seen["rows"].format == seen["indicator"].format == "csr"
    assert abs(seen["rows"] - X.astype(np.float32)).max() == 0
    assert abs(seen["indicator"] - Y).max() == 0


def test_rows_of_a_matrix_are_sorted_classes_if_y_is_classes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 5)), np.array(["a", "b", "c", "d"])[np.arange(90) % 4]
    Z = np.array([[1, 0], [0, 1], [0.9, 0.1], [0.1, 0.9]])
    model = XRLinearClassifier(
        max_leaf_size=2, label_features=Z, max_iter=1000, random_state=0
    ).fit(X, y)
    leaf = model.hierarchy_.leaf_of_label
    assert leaf[0] == leaf[2] != leaf[1] == leaf[3]


@pytest.mark.parametrize(
    ("label_features", "message"),
    [
        ("tfidf", "'label_features' parameter of XRLinearClassifier must be"),
        (3, "'label_features' parameter of XRLinearClassifier must be"),
        (None, "'label_features' parameter of XRLinearClassifier must be"),
        (np.ones(150), "label_features must be a 2-D matrix of 150 rows.*1D"),
        (np.ones((149, 3)), r"label_features must be .* of 150 rows.* got shape \(149, 3\)"),
        (sp.csr_array((151, 3)), r"of 150 rows, one per label; got shape \(151, 3\)"),
        (np.ones((150, 0)), "label_features must be .* 0 feature"),
        (["pifa", "pii"], "label_features must be a 2-D matrix.*reading it failed"),
        (np.full((150, 2), np.nan), "label_features must contain only finite"),
        (
            sp.csr_array(np.full((150, 2), 1e300)),
            "label_features must contain only values from -1e.30 to 1e.30",
        ),
        (np.ones((150, 2), dtype=complex), "label_features must be .*[Cc]omplex"),
        (LabelFeatureUnion([]), "label_features.parts must contain"),
    ],
)
def test_fit_rejects_invalid_label_features_before_computing_them(
    xmc_data, monkeypatch, label_features, message
):
    monkeypatch.setattr("skxmr.indexing._build_hierarchies.compute_label_features", None)
    with pytest.raises(ValueError, match=message):
        fit(xmc_data, label_features)


@pytest.mark.parametrize(
    "returned", [None, np.ones(150), np.ones((3, 2)), np.full((150, 1), np.inf)]
)
def test_fit_rejects_invalid_results_of_a_callable(xmc_data, returned):
    with pytest.raises(ValueError, match=r"the result of label_features\(X, Y\)"):
        fit(xmc_data, lambda X, Y: returned)


@pytest.mark.parametrize(
    "label_features", ["pii", np.ones((150, 2)), LabelFeatureUnion(["pifa"]), lambda X, Y: Y.T]
)
def test_hierarchy_as_label_tree_rejects_label_features(xmc_data, label_features):
    tree = LabelHierarchy.from_parents([np.zeros(15, dtype=int), np.arange(150) % 15])
    with pytest.raises(ValueError, match="label_features must be 'pifa'.*label_tree is a LabelH"):
        XRLinearClassifier(label_tree=tree, label_features=label_features).fit(*xmc_data)
    model = XRLinearClassifier(label_tree=tree, label_features="pifa", random_state=0)
    assert model.fit(*xmc_data).hierarchy_ == tree


def test_fit_uses_the_parameters_of_the_tree(xmc_data):
    tree = HierarchicalLabelTree(3, 10, clustering="kmeans", random_state=5)
    Z = np.random.default_rng(0).normal(size=(150, 4))
    model = XRLinearClassifier(label_tree=tree, label_features=Z).fit(*xmc_data)
    checked = check_label_features(Z, 150, 400)
    features = compute_label_features(checked, None, None, seed=0, n_jobs=1)
    assert model.hierarchy_ == tree.fit_hierarchy(features)


def test_grid_search_supports_label_features_and_nested_parameters(xmc_data):
    X, Y = xmc_data
    union = LabelFeatureUnion(["pifa", "spectral"])
    search = GridSearchCV(
        make_pipeline(Normalizer(), XRLinearClassifier(4, 10, random_state=0)),
        [
            {"xrlinearclassifier__label_features": ["pifa", "pii", union, np.ones((150, 1))]},
            {
                "xrlinearclassifier__label_features": [union],
                "xrlinearclassifier__label_features__weights": [[1, 0], [0, 1]],
            },
        ],
        scoring=topk_scorer("precision", k=1),
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    pifa, pii, _, constant, only_pifa, _ = search.cv_results_["mean_test_score"]
    # A part with weight 0 has no influence.
    assert only_pifa == pifa
    assert min(pifa, pii) > constant
    assert search.predict(X).shape == Y.shape
    assert union.weights is None


def test_classifier_with_label_features_supports_clone_and_set_params(xmc_data):
    Z = np.random.default_rng(0).normal(size=(150, 3))
    model = XRLinearClassifier(label_features=LabelFeatureUnion(["pifa", Z]))
    copy = clone(model).set_params(label_features__how="mean")
    assert model.label_features.how == "join"
    assert copy.label_features.how == "mean"
    assert clone(XRLinearClassifier(label_features=sp.csr_array(Z))).label_features.shape == Z.shape
    assert "label_features" in repr(model)
