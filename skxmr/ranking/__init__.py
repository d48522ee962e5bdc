"""Stage 3, ranking: score the labels of the matched clusters one-vs-all."""

from skxmr.ranking.ranker import OneVsAllRanker, rarity_offsets

__all__ = ["OneVsAllRanker", "rarity_offsets"]
