"""Ranking and calibration metrics for many labels, and scikit-learn scorers that use them.

All functions work on the stored entries of sparse matrices. No dense (n_samples, n_labels) array
is created.

- ``_candidates`` checks targets and scores and cuts them into blocks of rows.
- ``_ignored_pairs`` leaves out (row, label) pairs, ``_row_weights`` checks weights of rows.
- ``_ranking`` ranks the labels of each row: precision, recall, hits and nDCG at k.
- ``_label_counts`` counts the predictions of each label: coverage and macro F1 at k.
- ``_label_report`` reports results by label frequency.
- ``_propensity`` has the metrics that give more weight to rare labels.
- ``_calibration`` has the metrics that treat scores as probabilities.
- ``_scorers`` makes scorers for model selection.
"""

from skxmr.metrics._calibration import calibration_curve, expected_calibration_error
from skxmr.metrics._candidates import Indicator, mark_true_labels
from skxmr.metrics._label_counts import coverage_at_k, macro_f1_at_k
from skxmr.metrics._label_report import LabelGroup, LabelReport, LabelResult, label_report
from skxmr.metrics._propensity import (
    MIN_PROPENSITY_ROWS,
    label_propensities,
    psndcg_at_k,
    psprecision_at_k,
    psrecall_at_k,
)
from skxmr.metrics._ranking import hits_at_k, ndcg_at_k, precision_at_k, rank_labels, recall_at_k
from skxmr.metrics._scorers import (
    TopkScorer,
    read_scored_targets,
    score_labels,
    topk_scorer,
)

# Names that are not listed here are for other packages of skxmr.
__all__ = [
    "LabelGroup",
    "LabelReport",
    "LabelResult",
    "calibration_curve",
    "coverage_at_k",
    "expected_calibration_error",
    "hits_at_k",
    "label_propensities",
    "label_report",
    "macro_f1_at_k",
    "ndcg_at_k",
    "precision_at_k",
    "psndcg_at_k",
    "psprecision_at_k",
    "psrecall_at_k",
    "recall_at_k",
    "topk_scorer",
]
