"""scikit-learn's common estimator checks."""

import re

import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.utils.estimator_checks import estimator_checks_generator

from skxmr import HierarchicalLabelTree, LabelFeatureUnion, XRLinearClassifier

# A row of weight 2 and a row that is there twice lead to the same optimum. At the default tolerance
# fits stop near it, not at the same point, so these two checks get a small tolerance. scikit-learn
# excuses its own LinearSVC from them.
WEIGHT_EQUIVALENCE = {
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}
PRECISE = {"tol": 1e-10, "max_iter": 100_000, "weight_threshold": 0.0}


def checks_of(*estimators):
    """Parametrize a test with each estimator and each of its checks."""
    cases = []
    for estimator in estimators:
        shown = re.sub(r"\s", "", repr(estimator))
        for instance, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name in WEIGHT_EQUIVALENCE and isinstance(instance, XRLinearClassifier):
                instance = clone(instance).set_params(**PRECISE)
            cases.append(pytest.param(instance, check, id=f"{shown}-{name}"))
    return pytest.mark.parametrize(("estimator", "check"), cases)


# The checks' data are not scaled, and some need many sweeps.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@checks_of(
    XRLinearClassifier(),
    XRLinearClassifier(2, 2, loss="hinge", negatives="tfn+man", n_trees=2),
    HierarchicalLabelTree(),
    HierarchicalLabelTree(branching_factor=3, max_leaf_size=2, balanced=False),
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.slow(reason="the same checks for more parameters")
@checks_of(
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
def test_common_checks_for_more_parameters(estimator, check):
    check(estimator)
