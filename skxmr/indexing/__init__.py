"""Stage 1, label indexing: compute label features, and group labels into a tree of clusters.

The modules, in the order of the computation:

- Label features: `_positive_instances` (PIFA, PII), `_label_spectrum`, `_label_feature_union`;
  `_label_features` checks and computes all of them.
- Clustering of one cluster: `_kmeans`, `_balanced_kmeans`, `_splitters`.
- Division of all labels into a tree: `_balanced_tree`, `_unbalanced_tree`, `_huffman_tree`;
  `_clusterings` selects one of them.
- Result: `_label_hierarchy`. New labels find their leaf cluster by `_routing`, and
  `_grow_hierarchy` adds them to the tree.
- Interfaces: `_label_tree` is the scikit-learn transformer. `_indexing_options` and
  `_build_hierarchies` are what the classifier calls.
"""

from skxmr.indexing._build_hierarchies import build_hierarchies
from skxmr.indexing._grow_hierarchy import grow_hierarchy
from skxmr.indexing._indexing_options import (
    IndexingOptions,
    check_indexing_options,
    check_label_trees,
    expand_label_trees,
    find_tree_limits,
)
from skxmr.indexing._label_feature_union import LabelFeatureUnion
from skxmr.indexing._label_features import (
    LABEL_FEATURES,
    MAX_PIFA_ENTRIES,
    check_label_features,
)
from skxmr.indexing._label_hierarchy import LabelHierarchy, order_nodes, parents_of_chain
from skxmr.indexing._label_spectrum import label_spectrum
from skxmr.indexing._label_tree import HierarchicalLabelTree
from skxmr.indexing._label_vectors import LabelVectors
from skxmr.indexing._positive_instances import (
    positive_instance_features,
    positive_instance_indices,
    sum_positive_rows,
)
from skxmr.indexing._splitters import KMeansBisector

# Names that are imported above but not listed here are for other packages of skxmr.
__all__ = [
    "HierarchicalLabelTree",
    "LabelFeatureUnion",
    "LabelHierarchy",
    "label_spectrum",
    "positive_instance_features",
    "positive_instance_indices",
]
