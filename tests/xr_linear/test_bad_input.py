"""Bad input is named, with its value and what is allowed, before any work, and loses nothing."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.calibration import CalibratedMultilabelClassifierCV


@pytest.fixture
def fitted(xmc_data):
    return XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)


def spoiled(M, value):
    M = M.astype(np.float64)
    M.data[5] = value
    return M


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("branching_factor", 1, r"\[2, 65535\]"),
        ("branching_factor", 2.5, r"int in the range"),
        ("max_leaf_size", 0, r"\[1, 65535\]"),
        ("max_leaf_size", 70_000, r"\[1, 65535\]"),
        ("label_tree", "pifa", "HierarchicalLabelTree"),
        ("C", 0.0, r"\(0.0, 1000000000.0\]"),
        ("C", -1, r"\(0.0, 1000000000.0\]"),
        ("C", "1", "float in the range"),
        ("tol", 0, r"\(0.0, inf\)"),
        ("max_iter", 0, r"\[1, 2147483647\]"),
        ("weight_threshold", -0.1, r"\[0.0, inf\)"),
        ("weight_dtype", "float64", "'float16'"),
        ("score_transform", "l5-hinge", "'l3-hinge'"),
        ("propensity_weight", -1.0, r"\[0.0, inf\)"),
        ("beam_width", 0, r"\[1, 2147483647\]"),
        ("beam_width", 1.5, "int in the range"),
        ("beam_width", 2**40, r"\[1, 2147483647\]"),
        ("sparse_output", "yes", "'auto'"),
        ("random_state", "seed", "RandomState"),
        ("n_jobs", 0.5, "int"),
    ],
)
def test_parameters(name, value, allowed, xmc_data):
    model = XRLinearClassifier().set_params(**{name: value})
    with pytest.raises(ValueError, match=rf"'{name}' parameter .*{allowed}.*Got .*{value}"):
        model.fit(*xmc_data)


@pytest.mark.parametrize("C", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["C", "tol", "weight_threshold"])
def test_parameters_that_are_no_number(name, C, xmc_data):
    with pytest.raises(ValueError, match=f"'{name}'"):
        XRLinearClassifier(**{name: C}).fit(*xmc_data)


@pytest.mark.parametrize("beam_width", [0, -3, "wide", 2.0, 2**40])
def test_beam_width_is_checked_again_at_prediction(fitted, xmc_data, beam_width):
    fitted.set_params(beam_width=beam_width)
    for X in (xmc_data[0], xmc_data[0][[0]]):
        for method in (fitted.predict, fitted.predict_proba, fitted.predict_topk):
            with pytest.raises(ValueError, match="'beam_width'"):
                method(X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"score_transform": ("l3-hinge", "cubic")}, "score_transform must be one of .*'cubic'"),
        ({"score_transform": ("l3-hinge", 3)}, "score_transform must be one of .*3"),
        ({"score_transform": ()}, "score_transform must name at least one"),
        ({"score_transform": ("l3-hinge", "log-sigmoid")}, "log- forms on all levels or on none"),
    ],
)
def test_scores_that_make_no_sense(fitted, xmc_data, params, message, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("skxmr.xr_linear._training.build_hierarchies", None)
        with pytest.raises(ValueError, match=message):
            XRLinearClassifier(**params).fit(*xmc_data)
    fitted.set_params(**params)
    for X in (xmc_data[0], xmc_data[0][[0]]):
        for method in (fitted.predict, fitted.predict_proba, fitted.predict_topk):
            with pytest.raises(ValueError, match=message):
                method(X)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("score_transform", "l5-hinge"),
        ("score_transform", None),
        ("propensity_weight", -1.0),
        ("propensity_weight", np.nan),
        ("propensity_weight", "1"),
    ],
)
def test_score_parameters_are_checked_again_at_prediction(fitted, xmc_data, name, value):
    fitted.set_params(**{name: value})
    for X in (xmc_data[0], xmc_data[0][[0]]):
        for method in (fitted.predict, fitted.predict_proba, fitted.predict_topk):
            with pytest.raises(ValueError, match=name):
                method(X)


def test_candidates(fitted, xmc_data):
    X, Y = xmc_data
    for wrong in (Y[:-1], Y[:, :-1], Y.toarray()[0]):
        with pytest.raises(ValueError, match=r"candidates must have the shape \(600, 150\)"):
            fitted.score_candidates(X, wrong)
    broken = Y.copy()
    broken.indices[3] = 150
    with pytest.raises(ValueError, match="ind"):
        fitted.score_candidates(X, broken)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "must be set; got None for both"),
        ({"weight_threshold": -1.0}, "'weight_threshold' parameter .* Got -1.0"),
        ({"weight_threshold": np.nan}, "'weight_threshold' parameter .* Got nan"),
        ({"max_weights_per_label": 0}, "'max_weights_per_label' parameter .* Got 0"),
        ({"max_weights_per_label": 2.5}, "'max_weights_per_label' parameter .* Got 2.5"),
    ],
)
def test_prune(fitted, xmc_data, params, message):
    before = fitted.predict_topk(xmc_data[0])
    with pytest.raises(ValueError, match=message):
        fitted.prune(**params)
    np.testing.assert_array_equal(fitted.predict_topk(xmc_data[0])[1], before[1])
    with pytest.raises(NotFittedError):
        XRLinearClassifier().prune(weight_threshold=0.5)


@pytest.mark.parametrize("k", [0, -1, 2.0, "10", None, True, 2**31])
def test_k(fitted, xmc_data, k):
    with pytest.raises(ValueError, match="k must be an integer >= 1"):
        fitted.predict_topk(xmc_data[0], k=k)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_x_that_is_not_finite(xmc_data, fitted, value):
    X, Y = xmc_data
    bad = spoiled(X, value)
    for rows in (bad, bad.toarray(), bad.astype(np.float32)):
        with pytest.raises(ValueError, match="X contains (NaN|infinity)"):
            XRLinearClassifier().fit(rows, Y)
        with pytest.raises(ValueError, match="X contains (NaN|infinity)"):
            fitted.predict_topk(rows)
    one = bad[[0]].astype(np.float32)
    assert not np.isfinite(one.data).all()
    with pytest.raises(ValueError, match="X contains (NaN|infinity)"):
        fitted.predict_topk(one)


def test_x_beyond_float32(xmc_data):
    with pytest.raises(ValueError, match="X must contain only values that are finite in float32"):
        XRLinearClassifier().fit(spoiled(xmc_data[0], 1e300), xmc_data[1])


def test_wrong_number_of_features(xmc_data, fitted):
    X = xmc_data[0]
    for rows in (X[:, :-1], X[[0], :-1], sp.hstack([X, X], format="csr"), X[:3, :5].toarray()):
        with pytest.raises(ValueError, match=rf"X has {rows.shape[1]} features, but .* 400"):
            fitted.predict_topk(rows)


def test_x_of_a_wrong_shape_or_type(xmc_data, fitted):
    X, Y = xmc_data
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        fitted.predict(X.toarray()[0])
    with pytest.raises(ValueError, match="could not convert string to float"):
        fitted.predict_topk([["a"] * 400])
    with pytest.raises(ValueError, match="0 sample"):
        fitted.predict_topk(X[:0])
    with pytest.raises(ValueError, match="0 sample"):
        XRLinearClassifier().fit(X[:0], Y[:0])
    with pytest.raises(ValueError, match="0 feature"):
        XRLinearClassifier().fit(X[:, :0], Y)


@pytest.mark.parametrize(
    "row",
    [{"a", "b"}, frozenset("ab"), ("a", "b"), ["a", "b"]],
    ids=["set", "frozenset", "tuple", "list"],
)
def test_labels_of_rows_are_told_the_way_to_an_indicator(fitted, xmc_data, row):
    X, _ = xmc_data
    as_objects = np.empty(X.shape[0], dtype=object)
    as_objects[:] = [row] * len(as_objects)
    ragged = [[1, 2], [3]] * (len(as_objects) // 2)
    for y in (as_objects, list(as_objects), ragged):
        for model in (fitted, CalibratedMultilabelClassifierCV(fitted)):
            with pytest.raises(ValueError, match=r"MultiLabelBinarizer\(sparse_output=True\)"):
                model.fit(X, y)
    assert fitted.n_features_in_ == X.shape[1]


def test_lists_that_are_an_indicator_or_classes(xmc_data):
    X, Y = xmc_data
    dense = Y.toarray()[:, :3]
    model = XRLinearClassifier(random_state=0)
    expected = model.fit(X, dense).predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, dense.tolist()).predict_proba(X), expected)
    names = ["ab"[int(value)] for value in dense[:, 0]]
    assert model.fit(X, names).classes_.tolist() == ["a", "b"]


def test_broken_csr_is_refused_and_not_read(xmc_data, fitted):
    X = xmc_data[0].copy()
    X.indices[3] = 10**6
    with pytest.raises(ValueError, match="ind"):
        fitted.predict_topk(X)
    one = xmc_data[0][[0]].copy()
    one.indices[-1] = 10**6
    with pytest.raises(ValueError, match="ind"):
        fitted.predict_topk(one)


@pytest.mark.parametrize("value", [2, -1, 0.5, 255])
def test_y_of_other_values(xmc_data, value):
    X, Y = xmc_data
    for bad in (spoiled(Y, value), spoiled(Y, value).toarray(), spoiled(Y, value).tocsc()):
        with pytest.raises(ValueError, match=f"y must be an indicator of 0 and 1; .*{value}"):
            XRLinearClassifier().fit(X, bad)
    # All entries the same wrong value would pass for an indicator elsewhere.
    with pytest.raises(ValueError, match="y must be an indicator of 0 and 1"):
        XRLinearClassifier().fit(X, Y * value)


def test_y_that_is_not_finite_or_no_number(xmc_data):
    X, Y = xmc_data
    with pytest.raises(ValueError, match="y contains NaN"):
        XRLinearClassifier().fit(X, spoiled(Y, np.nan))
    with pytest.raises(ValueError, match="Complex data not supported"):
        XRLinearClassifier().fit(X, Y.astype(complex))
    with pytest.raises(ValueError, match="y must be an indicator .* got dtype"):
        XRLinearClassifier().fit(X, np.full((600, 2), "a"))


def test_y_of_a_wrong_shape(xmc_data):
    X, Y = xmc_data
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[600, 599\]"):
        XRLinearClassifier().fit(X, Y[:-1])
    with pytest.raises(ValueError, match=r"0 feature.*shape=\(600, 0\).* minimum of 1"):
        XRLinearClassifier().fit(X, Y[:, :0])
    with pytest.raises(ValueError, match="y"):
        XRLinearClassifier().fit(X, None)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        XRLinearClassifier().fit(X, np.linspace(0, 1, 600))


def test_a_hierarchy_that_does_not_fit(xmc_data):
    tree = LabelHierarchy.from_parents([[0] * 149])
    with pytest.raises(ValueError, match="label_tree must have 150 labels.*of 149 labels"):
        XRLinearClassifier(label_tree=tree).fit(*xmc_data)
    tree = LabelHierarchy.from_parents([[0] * 150])
    for name in ("branching_factor", "max_leaf_size"):
        with pytest.raises(ValueError, match=f"{name} must be None .*LabelHierarchy; got 5"):
            XRLinearClassifier(label_tree=tree, **{name: 5}).fit(*xmc_data)
    Y = sp.csr_matrix(([1], ([0], [0])), shape=(600, 70_000))
    wide = LabelHierarchy.from_parents([np.zeros(70_000, dtype=int)])
    with pytest.raises(ValueError, match="at most 65535 children .* cluster of 70000"):
        XRLinearClassifier(label_tree=wide).fit(xmc_data[0], Y)


def test_a_nested_tree_is_checked_before_any_work(xmc_data, monkeypatch):
    monkeypatch.setattr("skxmr.indexing._build_hierarchies.compute_label_features", None)
    tree = HierarchicalLabelTree(branching_factor=1)
    with pytest.raises(ValueError, match="'branching_factor' parameter of HierarchicalLabelTree"):
        XRLinearClassifier(label_tree=tree).fit(*xmc_data)


def test_sparse_output_of_classes(xmc_data):
    with pytest.raises(ValueError, match="y must be an indicator if sparse_output=True"):
        XRLinearClassifier(sparse_output=True).fit(xmc_data[0], np.arange(600) % 3)


def test_sparse_y_of_one_dimension(xmc_data):
    with pytest.raises(ValueError, match="y must be 2-D if it is sparse|Expected 2D|1D"):
        XRLinearClassifier().fit(xmc_data[0], sp.coo_array(np.arange(600) % 2))


def test_indices_beyond_32_bits_are_refused(xmc_data, fitted):
    X = xmc_data[0].copy()
    X.indices = X.indices.astype(np.int64) + 2**32
    with pytest.raises(ValueError, match="indices"):
        fitted.predict_topk(X)
    with pytest.raises(ValueError, match="label_order must be at most"):
        LabelHierarchy([[0, 2]], [2**32, 1])


@pytest.mark.parametrize("clustering", ["kmeans"])
def test_tree_rows_beyond_float32(clustering):
    Z = np.random.default_rng(0).random((30, 3)) * 1e300
    for rows in (Z, sp.csr_array(Z)):
        with pytest.raises(ValueError, match="Z .*finite"):
            HierarchicalLabelTree(2, 5, clustering=clustering).fit(rows)


def test_too_few_sweeps_are_told(xmc_data):
    with pytest.warns(ConvergenceWarning, match="did not converge within max_iter=1 sweeps"):
        XRLinearClassifier(4, 10, max_iter=1).fit(*xmc_data)


def test_before_fit(xmc_data):
    model = XRLinearClassifier()
    for method in ("predict", "predict_proba", "decision_function", "predict_topk"):
        for X in (xmc_data[0], xmc_data[0][[0]]):
            with pytest.raises(NotFittedError, match="not fitted yet"):
                getattr(model, method)(X)


def test_a_failed_fit_loses_nothing(xmc_data, fitted):
    X, Y = xmc_data
    before = fitted.predict_topk(X)
    with pytest.raises(ValueError, match="infinite"):
        fitted.fit(spoiled(X, 1e300), Y)
    with pytest.raises(ValueError, match="indicator"):
        fitted.fit(X, Y * 2)
    with pytest.raises(ValueError, match="samples"):
        fitted.fit(X[:, :7], Y[:-1])
    with pytest.raises(ValueError, match="indicator"):
        fitted.fit(X[:, :7], Y * 2)
    fitted.set_params(C=-1.0)
    with pytest.raises(ValueError, match="'C'"):
        fitted.fit(X[:, :7], Y)
    fitted.set_params(C=1.0)
    assert fitted.n_features_in_ == 400
    for got, want in zip(fitted.predict_topk(X), before, strict=True):
        np.testing.assert_array_equal(got, want)
