"""The linear models of one tree level: trained, stored by chunk, and used for scores."""

from skxmr._linear.fingerprints import hash_clusters, hash_rows
from skxmr._linear.kept_chunks import KeptChunks
from skxmr._linear.level_checks import check_level_content, check_level_structure
from skxmr._linear.level_model import LevelModel
from skxmr._linear.level_weights import UNTRAINED_INTERCEPT
from skxmr._linear.node_filter import NodeFilter
from skxmr._linear.pruning import prune_level
from skxmr._linear.scoring import search_row
from skxmr._linear.training import (
    LOSSES,
    LevelProblem,
    Solver,
    check_convergence,
    check_weights,
    fit_levels,
)
from skxmr._linear.weight_matrices import make_level, read_weights
from skxmr._linear.weight_precision import WEIGHT_TYPES
from skxmr._linear.weight_stores import FolderStore

__all__ = [
    "LOSSES",
    "UNTRAINED_INTERCEPT",
    "WEIGHT_TYPES",
    "FolderStore",
    "KeptChunks",
    "LevelModel",
    "LevelProblem",
    "NodeFilter",
    "Solver",
    "check_convergence",
    "check_level_content",
    "check_level_structure",
    "check_weights",
    "fit_levels",
    "hash_clusters",
    "hash_rows",
    "make_level",
    "prune_level",
    "read_weights",
    "search_row",
]
