"""Stage 2, matching: route a row to a few clusters of labels."""

from skxmr.matching.matcher import RecursiveLinearMatcher

__all__ = ["RecursiveLinearMatcher"]
