"""scikit-learn's common estimator checks."""

import re

import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.utils.estimator_checks import estimator_checks_generator

from skxmr import HierarchicalLabelTree, LabelFeatureUnion, XRLinearClassifier

# A row of weight 2 and two equal rows have the same optimum, but with the default `tol` fits stop
# at different points near it. These checks therefore use a small `tol`. scikit-learn skips them
# for its LinearSVC.
WEIGHT_EQUIVALENCE = {
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}
PRECISE = {"tol": 1e-10, "max_iter": 100_000, "weight_threshold": 0.0}


def parametrize_with_checks(*estimators):
    """Return a pytest mark that runs a test for each estimator and each of its checks."""
    cases = []
    for estimator in estimators:
        shown = re.sub(r"\s", "", repr(estimator))
        for instance, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name in WEIGHT_EQUIVALENCE and isinstance(instance, XRLinearClassifier):
                instance = clone(instance).set_params(**PRECISE)
            cases.append(pytest.param(instance, check, id=f"{shown}-{name}"))
    return pytest.mark.parametrize(("estimator", "check"), cases)


# The data of the checks are not scaled, so some fits do not converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks(
    XRLinearClassifier(),
    XRLinearClassifier(2, 2, loss="hinge", negatives="tfn+man", n_trees=2),
    HierarchicalLabelTree(),
    HierarchicalLabelTree(branching_factor=3, max_leaf_size=2, balanced=False),
)
def test_estimators_pass_the_common_checks(estimator, check):
    check(estimator)


@pytest.mark.slow(reason="common checks for more parameters")
@parametrize_with_checks(
    XRLinearClassifier(**PRECISE),
    XRLinearClassifier(branching_factor=2, max_leaf_size=1, beam_width=1),
    XRLinearClassifier(branching_factor=2, max_leaf_size=2, beam_width=2, n_jobs=2),
    XRLinearClassifier(2, 1, score_transform=("sigmoid", "identity"), propensity_weight=0.5),
    XRLinearClassifier(2, 1, beam_width=None),
    XRLinearClassifier(2, 1, label_features="pii"),
    XRLinearClassifier(2, 1, label_features="spectral"),
    XRLinearClassifier(2, 1, label_features=LabelFeatureUnion(["pifa", "pii"])),
    XRLinearClassifier(2, 2, loss="log_loss", relevance_norm="l1"),
    XRLinearClassifier(2, 2, n_trees=3),
    XRLinearClassifier(max_leaf_size=1, matcher=MultiOutputClassifier(BernoulliNB())),
    XRLinearClassifier(2, 1, matcher=MultiOutputClassifier(BernoulliNB()), matcher_level=1),
    XRLinearClassifier(2, 2, ranker=BernoulliNB()),
    HierarchicalLabelTree(branching_factor=2, max_leaf_size=1),
    HierarchicalLabelTree(branching_factor=3, max_leaf_size=2, clustering="kmeans"),
    HierarchicalLabelTree(branching_factor=2, max_leaf_size=1, clustering="random"),
    HierarchicalLabelTree(branching_factor=3, max_leaf_size=5, clustering=KMeans(n_init=1)),
    HierarchicalLabelTree(
        branching_factor=3, max_leaf_size=5, clustering=KMeans(n_init=1), balanced=False
    ),
)
def test_estimators_with_other_parameters_pass_the_common_checks(estimator, check):
    check(estimator)
