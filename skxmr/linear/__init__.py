"""One level of a tree as a block of linear models: train it, store it by chunk, score with it."""

from skxmr.linear.level_model import LevelModel
from skxmr.linear.pruning import prune_level
from skxmr.linear.training import LOSSES, LevelProblem, Solver, count_sweeps, fit_levels
from skxmr.linear.weight_precision import WEIGHT_TYPES
from skxmr.linear.weight_stores import FolderStore

__all__ = [
    "LOSSES",
    "WEIGHT_TYPES",
    "FolderStore",
    "LevelModel",
    "LevelProblem",
    "Solver",
    "count_sweeps",
    "fit_levels",
    "prune_level",
]
