"""Stage 2, matching: find a few clusters of labels for each row."""

from skxmr.matching._estimator_matcher import (
    EstimatorMatcher,
    count_matched_levels,
    find_varying_columns,
    fit_matcher,
)
from skxmr.matching._nearest_neighbors import NearestCentroidMatcher, NearestNeighborsMatcher
from skxmr.matching._negative_sampling import (
    check_negatives,
    find_beam_rows,
    needs_beam,
    select_training_rows,
)
from skxmr.matching._recursive_linear_matcher import RecursiveLinearMatcher
from skxmr.matching._similarity_index import ExactIndex

# Other packages of skxmr use the remaining imports.
__all__ = [
    "EstimatorMatcher",
    "NearestCentroidMatcher",
    "NearestNeighborsMatcher",
    "RecursiveLinearMatcher",
    "count_matched_levels",
    "fit_matcher",
]
