"""Settings to start from, so that nobody has to know all parameters."""

from skxmr.indexing import HierarchicalLabelTree

_WIDE = {
    "label_tree": HierarchicalLabelTree(100, 400, balanced=False),
    "C": 0.7,
    "positive_weight": 2.0,
    "relevance_norm": "l2",
}

# Parameters of XRLinearClassifier by name. "fast" is its defaults. "balanced" has a wide and
# shallow tree of clusters of natural size (Khandagale, Xiao, Babbar 2020, "Bonsai", Machine
# Learning 109), "best" three of them.
PRESETS = {"fast": {}, "balanced": _WIDE, "best": {**_WIDE, "n_trees": 3}}
