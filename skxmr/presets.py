"""Settings to start from, so that nobody has to know all parameters."""

from skxmr.indexing import HierarchicalLabelTree

_WIDE = {
    "label_tree": HierarchicalLabelTree(100, 100, balanced=False, max_iter=5),
    "C": 0.7,
    "positive_weight": 1.5,
}

# Parameters of XRLinearClassifier by name. "fast" keeps the larger weights of the default model
# and a narrow beam. "balanced" has a wide and shallow tree of clusters of natural size (Khandagale,
# Xiao, Babbar 2020, "Bonsai", Machine Learning 109), "best" three of them.
PRESETS = {
    "fast": {"weight_threshold": 0.2, "beam_width": 5},
    "balanced": _WIDE,
    "best": {**_WIDE, "n_trees": 3},
}
