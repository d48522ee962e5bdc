"""Stage 1, semantic label indexing: represent labels, and group them into a tree of clusters."""

from skxmr.indexing.label_features import positive_instance_features
from skxmr.indexing.label_hierarchy import LabelHierarchy
from skxmr.indexing.label_tree import HierarchicalLabelTree

__all__ = ["HierarchicalLabelTree", "LabelHierarchy", "positive_instance_features"]
