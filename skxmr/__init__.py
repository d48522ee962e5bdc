"""Extreme multilabel ranking as scikit-learn estimators.

Three stages, one estimator::

    y, X -- label features --> 1 indexing   HierarchicalLabelTree: labels -> a tree of clusters
                                    | LabelHierarchy
    X -----------------------> 2 matching   scores of clusters, level by level, kept to a beam
                                    | (row, cluster) -> score
    X -----------------------> 3 ranking    one-vs-all scores of the labels in these clusters
                                    | (row, label) -> score, best k

Each stage is a room: `skxmr.indexing`, `skxmr.matching`, `skxmr.ranking`. Stages two and three are
made of `skxmr._linear`, the linear models of one level. `XRLinearClassifier` joins them.
"""

from skxmr._core.version import __version__ as __version__
from skxmr.indexing import HierarchicalLabelTree, LabelFeatureUnion, LabelHierarchy
from skxmr.persistence import load_model, save_model
from skxmr.xr_linear import XRLinearClassifier, preset

__all__ = [
    "HierarchicalLabelTree",
    "LabelFeatureUnion",
    "LabelHierarchy",
    "XRLinearClassifier",
    "load_model",
    "preset",
    "save_model",
]
