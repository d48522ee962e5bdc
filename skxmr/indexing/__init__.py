"""Stage 1, semantic label indexing: represent labels, and group them into a tree of clusters."""

from skxmr.indexing.label_feature_union import LabelFeatureUnion
from skxmr.indexing.label_features import positive_instance_features, positive_instance_indices
from skxmr.indexing.label_hierarchy import LabelHierarchy
from skxmr.indexing.label_spectrum import label_spectrum
from skxmr.indexing.label_tree import HierarchicalLabelTree

__all__ = [
    "HierarchicalLabelTree",
    "LabelFeatureUnion",
    "LabelHierarchy",
    "label_spectrum",
    "positive_instance_features",
    "positive_instance_indices",
]
