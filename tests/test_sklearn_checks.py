"""scikit-learn's common estimator checks, none of them expected to fail."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmr import HierarchicalLabelTree, XRLinearClassifier
from skxmr.matching import NearestNeighborsMatcher


# The checks' data is not scaled, and some of it small enough to need many sweeps.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        XRLinearClassifier(),
        XRLinearClassifier(branching_factor=2, max_leaf_size=1, beam_width=1),
        XRLinearClassifier(branching_factor=2, max_leaf_size=2, beam_width=2, n_jobs=2),
        XRLinearClassifier(max_leaf_size=1, matcher=NearestNeighborsMatcher()),
        XRLinearClassifier(2, 1, matcher=KNeighborsClassifier(1), matcher_level=1),
        XRLinearClassifier(2, 2, ranker=LogisticRegression()),
        HierarchicalLabelTree(),
        HierarchicalLabelTree(branching_factor=2, max_leaf_size=1),
        HierarchicalLabelTree(branching_factor=3, max_leaf_size=2, clustering="kmeans"),
    ]
)
def test_common_checks(estimator, check):
    check(estimator)
