"""Stage 2, matching: route a row to a few clusters of labels."""

from skxmr.matching.estimator_matcher import EstimatorMatcher, count_matched_levels, fit_matcher
from skxmr.matching.matcher import RecursiveLinearMatcher
from skxmr.matching.nearest_neighbors import NearestCentroidMatcher, NearestNeighborsMatcher

__all__ = [
    "EstimatorMatcher",
    "NearestCentroidMatcher",
    "NearestNeighborsMatcher",
    "RecursiveLinearMatcher",
    "count_matched_levels",
    "fit_matcher",
]
