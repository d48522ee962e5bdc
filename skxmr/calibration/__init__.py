"""Scores into probabilities, probabilities into labels: tuned on rows held out, for sparse `y`.

Counterparts of scikit-learn's ``CalibratedClassifierCV`` and ``TunedThresholdClassifierCV``, which
refuse a sparse multilabel `y`. Both work on the (row, label) pairs that ``predict_proba`` stores
and with any estimator that has it.
"""

from skxmr.calibration._calibrated_classifier import CalibratedMultilabelClassifierCV
from skxmr.calibration._tuned_threshold import TunedThresholdMultilabelClassifierCV

__all__ = ["CalibratedMultilabelClassifierCV", "TunedThresholdMultilabelClassifierCV"]
