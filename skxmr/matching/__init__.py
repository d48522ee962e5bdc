"""Stage 2, matching: route a row to a few clusters of labels."""

from skxmr.matching.matcher import RecursiveLinearMatcher
from skxmr.matching.negative_sampling import teacher_forced_rows

__all__ = ["RecursiveLinearMatcher", "teacher_forced_rows"]
