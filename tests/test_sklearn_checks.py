"""scikit-learn's common estimator checks, none of them expected to fail."""

import pytest
from sklearn.cluster import KMeans
from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmr import HierarchicalLabelTree, XRLinearClassifier


# The checks' data is not scaled, and some of it small enough to need many sweeps.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        XRLinearClassifier(),
        XRLinearClassifier(branching_factor=2, max_leaf_size=1, beam_width=1),
        XRLinearClassifier(branching_factor=2, max_leaf_size=2, beam_width=2, n_jobs=2),
        HierarchicalLabelTree(),
        HierarchicalLabelTree(branching_factor=2, max_leaf_size=1),
        HierarchicalLabelTree(branching_factor=3, max_leaf_size=2, clustering="kmeans"),
        HierarchicalLabelTree(branching_factor=2, max_leaf_size=1, clustering="random"),
        HierarchicalLabelTree(branching_factor=3, max_leaf_size=2, balanced=False),
        HierarchicalLabelTree(branching_factor=3, max_leaf_size=5, clustering=KMeans(n_init=1)),
        HierarchicalLabelTree(
            branching_factor=3, max_leaf_size=5, clustering=KMeans(n_init=1), balanced=False
        ),
    ]
)
def test_common_checks(estimator, check):
    check(estimator)
