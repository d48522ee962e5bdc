"""Stage 3, ranking: score the labels in the matched clusters."""

from skxmr.ranking._estimator_ranker import EstimatorRanker, fit_ranker
from skxmr.ranking._one_vs_all_ranker import OneVsAllRanker, compute_rarity_offsets

__all__ = ["EstimatorRanker", "OneVsAllRanker", "compute_rarity_offsets", "fit_ranker"]
