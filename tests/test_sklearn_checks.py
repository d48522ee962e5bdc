"""scikit-learn's common estimator checks, none of them expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmr import HierarchicalLabelTree, XRLinearClassifier


# The checks' data is not scaled, and some of it small enough to need many sweeps.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        XRLinearClassifier(),
        XRLinearClassifier(branching_factor=2, max_leaf_size=1, beam_width=1),
        XRLinearClassifier(branching_factor=2, max_leaf_size=2, beam_width=2, n_jobs=2),
        XRLinearClassifier(2, 1, score_transform=("sigmoid", "identity"), propensity_weight=0.5),
        XRLinearClassifier(2, 1, score_combination="sum", beam_width=None),
        HierarchicalLabelTree(),
        HierarchicalLabelTree(branching_factor=2, max_leaf_size=1),
        HierarchicalLabelTree(branching_factor=3, max_leaf_size=2, clustering="kmeans"),
    ]
)
def test_common_checks(estimator, check):
    check(estimator)
