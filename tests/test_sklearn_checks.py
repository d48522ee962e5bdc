"""scikit-learn's common estimator checks."""

import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmr import HierarchicalLabelTree, LabelFeatureUnion, XRLinearClassifier
from skxmr.matching import NearestNeighborsMatcher

WEIGHT_CHECKS = [
    "check_sample_weights_pandas_series",
    "check_sample_weights_not_an_array",
    "check_sample_weights_list",
    "check_sample_weights_shape",
    "check_sample_weights_not_overwritten",
    "check_all_zero_sample_weights_error",
    "check_classifiers_one_label_sample_weights",
]


def excused(estimator):
    """At the usual tolerance weighted rows and repeated ones end in models that differ a little.

    LinearSVC is excused for the same reason. One instance of a small tolerance is not. Beside a
    matcher that takes no weights, weights are refused.
    """
    if isinstance(estimator, HierarchicalLabelTree) or estimator.tol < 1e-5:
        return {}
    reason = "models are optimal to within the tolerance only"
    kinds = ("dense", "sparse")
    checks = {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in kinds}
    if estimator.matcher is not None:
        checks |= dict.fromkeys(WEIGHT_CHECKS, "the matcher takes no sample_weight, and says so")
    return checks


# The checks' data is not scaled, and some of it small enough to need many sweeps.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        XRLinearClassifier(),
        XRLinearClassifier(branching_factor=2, max_leaf_size=1, beam_width=1),
        XRLinearClassifier(branching_factor=2, max_leaf_size=2, beam_width=2, n_jobs=2),
        XRLinearClassifier(2, 1, score_transform=("sigmoid", "identity"), propensity_weight=0.5),
        XRLinearClassifier(2, 1, score_combination="sum", beam_width=None),
        XRLinearClassifier(branching_factor=2, max_leaf_size=1, label_features="pii"),
        XRLinearClassifier(branching_factor=2, max_leaf_size=1, label_features="spectral"),
        XRLinearClassifier(
            branching_factor=2, max_leaf_size=1, label_features=LabelFeatureUnion(["pifa", "pii"])
        ),
        XRLinearClassifier(2, 2, loss="log_loss", relevance_norm="l1", positive_weight=2.0),
        XRLinearClassifier(2, 2, loss="hinge", negatives="tfn+man", n_trees=2),
        XRLinearClassifier(2, 2, n_trees=3, voting="rank"),
        XRLinearClassifier(tol=1e-10, max_iter=100_000, weight_threshold=0.0),
        XRLinearClassifier(max_leaf_size=1, matcher=NearestNeighborsMatcher()),
        XRLinearClassifier(2, 1, matcher=KNeighborsClassifier(1), matcher_level=1),
        XRLinearClassifier(2, 2, ranker=LogisticRegression()),
        HierarchicalLabelTree(),
        HierarchicalLabelTree(branching_factor=2, max_leaf_size=1),
        HierarchicalLabelTree(branching_factor=3, max_leaf_size=2, clustering="kmeans"),
        HierarchicalLabelTree(branching_factor=2, max_leaf_size=1, clustering="random"),
        HierarchicalLabelTree(branching_factor=3, max_leaf_size=2, balanced=False),
        HierarchicalLabelTree(branching_factor=3, max_leaf_size=5, clustering=KMeans(n_init=1)),
        HierarchicalLabelTree(
            branching_factor=3, max_leaf_size=5, clustering=KMeans(n_init=1), balanced=False
        ),
    ],
    expected_failed_checks=excused,
)
def test_common_checks(estimator, check):
    check(estimator)
