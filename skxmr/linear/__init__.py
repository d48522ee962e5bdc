"""One level of a tree as a block of linear models: train it, store it by chunk, score with it."""

from skxmr.linear.level_model import LevelModel

__all__ = ["LevelModel"]
