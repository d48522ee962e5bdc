"""Errors for invalid parameters, raised before any work."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.indexing import positive_instance_features
from skxmr.matching import NearestCentroidMatcher
from skxmr.model_selection import (
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)


@pytest.fixture
def fitted(xmc_data):
    return XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)


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
        ("path_weight", 0.0, r"\(0.0, 1.0\]"),
        ("beam_width", 0, r"\[1, 2147483647\]"),
        ("beam_width", 1.5, "int in the range"),
        ("beam_width", 2**40, r"\[1, 2147483647\]"),
        ("sparse_output", "yes", "'auto'"),
        ("random_state", "seed", "RandomState"),
        ("n_jobs", 0.5, "int"),
        ("n_jobs", 0, r"int in the range \(-inf, -1\]"),
        ("n_trees", 0, r"\[1, 1000\]"),
        ("n_trees", 10**9, r"\[1, 1000\]"),
    ],
)
def test_fit_rejects_invalid_parameters(name, value, allowed, xmc_data):
    model = XRLinearClassifier().set_params(**{name: value})
    with pytest.raises(ValueError, match=rf"'{name}' parameter .*{allowed}.*Got .*{value}"):
        model.fit(*xmc_data)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["C", "tol", "weight_threshold"])
def test_fit_rejects_nan_and_infinite_parameters(name, value, xmc_data):
    with pytest.raises(ValueError, match=f"'{name}'"):
        XRLinearClassifier(**{name: value}).fit(*xmc_data)


@pytest.mark.parametrize("beam_width", [0, -3, "wide", 2.0, 2**40])
def test_predict_validates_beam_width(fitted, xmc_data, beam_width):
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
def test_score_transform_rejects_invalid_sequences(fitted, xmc_data, params, message, monkeypatch):
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
        ("path_weight", 0.0),
        ("path_weight", 1.1),
    ],
)
def test_predict_validates_score_parameters(fitted, xmc_data, name, value):
    fitted.set_params(**{name: value})
    for X in (xmc_data[0], xmc_data[0][[0]]):
        for method in (fitted.predict, fitted.predict_proba, fitted.predict_topk):
            with pytest.raises(ValueError, match=name):
                method(X)


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
def test_prune_rejects_invalid_arguments_and_keeps_the_model(fitted, xmc_data, params, message):
    before = fitted.predict_topk(xmc_data[0])
    with pytest.raises(ValueError, match=message):
        fitted.prune(**params)
    np.testing.assert_array_equal(fitted.predict_topk(xmc_data[0])[1], before[1])
    with pytest.raises(NotFittedError):
        XRLinearClassifier().prune(weight_threshold=0.5)


@pytest.mark.parametrize("k", [0, -1, 2.0, "10", None, True])
def test_predict_topk_rejects_invalid_k(fitted, xmc_data, k):
    with pytest.raises(ValueError, match="k must be an integer >= 1"):
        fitted.predict_topk(xmc_data[0], k=k)


@pytest.mark.filterwarnings("ignore:y has 70,000 labels")
def test_label_tree_rejects_hierarchies_that_do_not_match(xmc_data):
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


def test_label_tree_parameters_are_validated_before_label_features(xmc_data, monkeypatch):
    monkeypatch.setattr("skxmr.indexing._build_hierarchies.compute_label_features", None)
    tree = HierarchicalLabelTree(branching_factor=1)
    with pytest.raises(ValueError, match="'branching_factor' parameter of HierarchicalLabelTree"):
        XRLinearClassifier(label_tree=tree).fit(*xmc_data)


def test_sparse_output_true_rejects_classes(xmc_data):
    with pytest.raises(ValueError, match="y must be an indicator if sparse_output=True"):
        XRLinearClassifier(sparse_output=True).fit(xmc_data[0], np.arange(600) % 3)


def test_matcher_level_without_matcher_is_rejected_before_label_features(xmc_data):
    def fail(X, Y):
        raise AssertionError("label features were computed")

    with pytest.raises(ValueError, match="matcher_level must be -1 if matcher is None; got 2"):
        XRLinearClassifier(label_features=fail, matcher_level=2).fit(*xmc_data)


@pytest.mark.parametrize("name", ["matcher", "ranker"])
def test_custom_stage_that_is_a_class_is_rejected_before_any_work(name, xmc_data):
    model = XRLinearClassifier(**{name: LogisticRegression}, label_features=refuse_to_compute)
    message = f"{name} must be an estimator instance; got the class LogisticRegression"
    with pytest.raises(ValueError, match=message):
        model.fit(*xmc_data)


def refuse_to_compute(X, Y):
    raise AssertionError("label features were computed")


@pytest.mark.parametrize(
    "function",
    [
        lambda X, Y: NearestCentroidMatcher(n_jobs=0).fit(X, Y),
        lambda X, Y: HierarchicalLabelTree(n_jobs=0).fit(X),
        lambda X, Y: CalibratedMultilabelClassifierCV(XRLinearClassifier(), n_jobs=0).fit(X, Y),
        lambda X, Y: TunedThresholdMultilabelClassifierCV(XRLinearClassifier(), n_jobs=0).fit(X, Y),
        lambda X, Y: cross_validate(XRLinearClassifier(), X, Y, n_jobs=0),
        lambda X, Y: cross_val_score(XRLinearClassifier(), X, Y, n_jobs=0),
        lambda X, Y: cross_val_predict(XRLinearClassifier(), X, Y, n_jobs=0),
        lambda X, Y: learning_curve(XRLinearClassifier(), X, Y, n_jobs=0),
        lambda X, Y: positive_instance_features(X, Y, n_jobs=0),
        lambda X, Y: XRLinearClassifier(n_jobs=0).estimate_costs(X, Y),
    ],
)
def test_n_jobs_of_0_is_rejected_by_all_functions(function, xmc_data):
    with pytest.raises(ValueError, match="'n_jobs' parameter of .* Got 0 instead"):
        function(*xmc_data)
