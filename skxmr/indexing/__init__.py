"""Stage 1, semantic label indexing: represent labels, and group them into a tree of clusters."""

from skxmr.indexing._aggregate import aggregate
from skxmr.indexing._hierarchical_clustering import (
    KMeansBisector,
    cut_evenly,
    hierarchy_of_counts,
    part_sizes,
    random_hierarchy,
    split_counts,
)
from skxmr.indexing._label_feature_union import LabelFeatureUnion
from skxmr.indexing._label_features import positive_instance_features, positive_instance_indices
from skxmr.indexing._label_hierarchy import LabelHierarchy
from skxmr.indexing._label_index import (
    check_features_are_used,
    check_label_trees,
    index_labels,
    label_indexing,
    trees_in_turn,
)
from skxmr.indexing._label_representations import (
    CLUSTERED_ENTRIES,
    REPRESENTATIONS,
    check_label_features,
)
from skxmr.indexing._label_spectrum import label_spectrum
from skxmr.indexing._label_tree import HierarchicalLabelTree

# Other packages of skxmr use the rest.
__all__ = [
    "HierarchicalLabelTree",
    "LabelFeatureUnion",
    "LabelHierarchy",
    "label_spectrum",
    "positive_instance_features",
    "positive_instance_indices",
]
