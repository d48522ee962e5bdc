"""Ranking metrics for many labels, and scikit-learn scorers made of them.

All of it works on the stored entries of sparse matrices; nothing of size (rows, labels) is made.
``_ranking`` holds the checks, the ranking itself and the plain metrics, ``_propensity`` those that
weigh rare labels more, ``_calibration`` those that take scores for probabilities, ``_scorers``
what model selection needs.
"""

from skxmr.metrics._calibration import calibration_curve, expected_calibration_error
from skxmr.metrics._candidates import Indicator, contains
from skxmr.metrics._propensity import label_propensities, psndcg_at_k, psprecision_at_k
from skxmr.metrics._ranking import ndcg_at_k, precision_at_k, rank, recall_at_k
from skxmr.metrics._scorers import scores_for_topk, topk_scorer

# Other packages of skxmr use the rest.
__all__ = [
    "calibration_curve",
    "expected_calibration_error",
    "label_propensities",
    "ndcg_at_k",
    "precision_at_k",
    "psndcg_at_k",
    "psprecision_at_k",
    "recall_at_k",
    "topk_scorer",
]
