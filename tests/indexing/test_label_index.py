"""The classifier's `label_features`, from the parameter to the tree."""

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
from skxmr.indexing import positive_instance_features
from skxmr.indexing._label_representations import check_label_features, represent_labels
from skxmr.metrics import topk_scorer

NAMES = ["pifa", "pii", "spectral"]


def fit(data, label_features, **settings):
    return XRLinearClassifier(4, 10, label_features=label_features, random_state=0, **settings).fit(
        *data
    )


@pytest.mark.parametrize("name", NAMES)
def test_names_give_unit_rows_for_any_number_of_threads(xmc_data, name):
    X, Y = (sp.csr_array(M) for M in xmc_data)
    X = X.astype(np.float32)
    Z, again = (represent_labels(name, X, Y, seed=0, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert Z.dtype == np.float32
    Z, again = (M.toarray() if sp.issparse(M) else M for M in (Z, again))
    np.testing.assert_array_equal(Z, again)
    norms = np.linalg.norm(Z, axis=1)
    np.testing.assert_array_equal(norms == 0, Y.sum(axis=0) == 0)
    np.testing.assert_allclose(norms[norms > 0], 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_its_matrix_and_its_callable(xmc_data, name):
    X, Y = (sp.csr_array(M) for M in xmc_data)
    model = fit(xmc_data, name)

    def same(rows, indicator):
        return represent_labels(name, rows, indicator, seed=seed, n_jobs=1)

    seed = np.random.RandomState(0).randint(2**31 - 1)
    assert fit(xmc_data, same).hierarchy_ == model.hierarchy_
    Z = same(X.astype(np.float32), Y)
    assert fit(xmc_data, Z).hierarchy_ == model.hierarchy_
    for got, want in zip(
        fit(xmc_data, Z).predict_topk(xmc_data[0]),
        model.predict_topk(xmc_data[0]),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)


def test_names_give_trees_of_their_own(xmc_data):
    pifa, pii, spectral = (fit(xmc_data, name).hierarchy_ for name in NAMES)
    assert pifa != pii
    assert pifa != spectral
    assert pii != spectral
    default = XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)
    assert default.hierarchy_ == pifa


def test_containers_types_and_lengths_of_rows_do_not_matter(xmc_data):
    rng = np.random.default_rng(0)
    # Powers of two scale without rounding.
    Z = rng.normal(size=(150, 12)).astype(np.float32) * (rng.random((150, 12)) < 0.5)
    wanted = fit(xmc_data, Z).hierarchy_
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
    for same in (
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
        assert fit(xmc_data, same).hierarchy_ == wanted


@pytest.mark.parametrize("container", [np.array, sp.csr_array, sp.csr_matrix])
def test_the_users_matrix_is_left_alone(xmc_data, container):
    Z = container(np.random.default_rng(0).normal(size=(150, 12)) * 5)
    before = Z.copy()
    fit(xmc_data, LabelFeatureUnion([Z, Z], how="mean", weights=[2, 1]))
    fit(xmc_data, Z)
    assert abs(Z - before).max() == 0


def test_labels_of_one_text_share_a_leaf(xmc_data):
    group = np.random.default_rng(0).permutation(np.repeat(np.arange(15), 10))
    model = fit(xmc_data, np.eye(15)[group])
    # Fewer leaves with labels of several texts than PIFA, which knows nothing of the texts.
    texts = [len(set(group[model.hierarchy_.leaf_of_label == leaf])) for leaf in range(16)]
    mixed = fit(xmc_data, "pifa").hierarchy_.leaf_of_label
    assert np.mean(texts) < np.mean([len(set(group[mixed == leaf])) for leaf in range(16)]) / 2


def test_a_callable_sees_rows_and_indicator(xmc_data):
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


def test_rows_follow_classes_where_y_is_classes():
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
        (sp.csr_array((151, 3)), r"of 150 rows, one for each label; got shape \(151, 3\)"),
        (np.ones((150, 0)), "label_features must be .* 0 feature"),
        (["pifa", "pii"], "label_features must be a 2-D matrix.*could not be read"),
        (
            np.full((150, 2), np.nan),
            "label_features must contain only values that are finite or not a",
        ),
        (sp.csr_array(np.full((150, 2), 1e300)), "label_features contains a value that is inf"),
        (np.ones((150, 2), dtype=complex), "label_features must be .*[Cc]omplex"),
        (LabelFeatureUnion([]), "label_features.parts must hold"),
    ],
)
def test_what_cannot_be_features_is_refused_before_any_work(
    xmc_data, monkeypatch, label_features, message
):
    monkeypatch.setattr("skxmr.indexing._label_index.represent_labels", None)
    with pytest.raises(ValueError, match=message):
        fit(xmc_data, label_features)


@pytest.mark.parametrize(
    "returned", [None, np.ones(150), np.ones((3, 2)), np.full((150, 1), np.inf)]
)
def test_what_a_callable_returns_is_checked(xmc_data, returned):
    with pytest.raises(ValueError, match=r"what label_features\(X, Y\) returned"):
        fit(xmc_data, lambda X, Y: returned)


@pytest.mark.parametrize(
    "label_features", ["pii", np.ones((150, 2)), LabelFeatureUnion(["pifa"]), lambda X, Y: Y.T]
)
def test_a_finished_hierarchy_takes_no_features(xmc_data, label_features):
    tree = LabelHierarchy.from_parents([np.zeros(15, dtype=int), np.arange(150) % 15])
    with pytest.raises(ValueError, match="label_features would not be used: label_tree is a Label"):
        XRLinearClassifier(label_tree=tree, label_features=label_features).fit(*xmc_data)
    model = XRLinearClassifier(label_tree=tree, label_features="pifa", random_state=0)
    assert model.fit(*xmc_data).hierarchy_ == tree


def test_the_trees_own_parameters_still_count(xmc_data):
    tree = HierarchicalLabelTree(3, 10, clustering="kmeans", random_state=5)
    Z = np.random.default_rng(0).normal(size=(150, 4))
    model = XRLinearClassifier(label_tree=tree, label_features=Z).fit(*xmc_data)
    checked = check_label_features(Z, 150, 400)
    wanted = tree.fit_hierarchy(represent_labels(checked, None, None, seed=0, n_jobs=1))
    assert model.hierarchy_ == wanted


def test_grid_search_over_features(xmc_data):
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
    # A weight of 0 leaves a part out.
    assert only_pifa == pifa
    assert min(pifa, pii) > constant
    assert search.predict(X).shape == Y.shape
    assert union.weights is None


def test_cloned_and_set(xmc_data):
    Z = np.random.default_rng(0).normal(size=(150, 3))
    model = XRLinearClassifier(label_features=LabelFeatureUnion(["pifa", Z]))
    copy = clone(model).set_params(label_features__how="mean")
    assert model.label_features.how == "join"
    assert copy.label_features.how == "mean"
    assert clone(XRLinearClassifier(label_features=sp.csr_array(Z))).label_features.shape == Z.shape
    assert "label_features" in repr(model)
