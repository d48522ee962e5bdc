"""Classifiers for thousands to millions of labels, as scikit-learn estimators.

`XRLinearClassifier` has three stages::

    y, X -- label features --> 1 indexing   group the labels into a tree of clusters
                                    | LabelHierarchy
    X -----------------------> 2 matching   score the clusters level by level, keep the best
                                    | (row, cluster) -> score
    X -----------------------> 3 ranking    score the labels in these clusters, return the best
                                    | (row, label) -> score

The stages are the packages `skxmr.indexing`, `skxmr.matching` and `skxmr.ranking`. Stages 2 and 3
consist of the linear models of `skxmr._linear`. `skxmr.xr_linear` joins the stages.
"""

from skxmr._core.version import __version__ as __version__
from skxmr.indexing import HierarchicalLabelTree, LabelFeatureUnion, LabelHierarchy
from skxmr.persistence import load_model, save_model
from skxmr.pipeline import make_text_classifier
from skxmr.xr_linear import XRLinearClassifier, preset

__all__ = [
    "HierarchicalLabelTree",
    "LabelFeatureUnion",
    "LabelHierarchy",
    "XRLinearClassifier",
    "load_model",
    "make_text_classifier",
    "preset",
    "save_model",
]
