"""Probabilities, thresholds and other decisions for multilabel classifiers.

The counterparts in scikit-learn, ``CalibratedClassifierCV`` and ``TunedThresholdClassifierCV``, do
not support a sparse multilabel `y`. The classes of this package use the (row, label) pairs that
``predict_proba`` stores, and work with any estimator that has this method.
"""

from skxmr.calibration._calibrated_classifier import CalibratedMultilabelClassifierCV
from skxmr.calibration._codecs import CALIBRATION_CODECS
from skxmr.calibration._f1_thresholds import (
    PairPool,
    compute_f1,
    merge_pools,
    tune_shared_threshold,
)
from skxmr.calibration._label_budget import choose_labels
from skxmr.calibration._tuned_threshold import TunedThresholdMultilabelClassifierCV

# Other packages of skxmr use the rest.
__all__ = [
    "CalibratedMultilabelClassifierCV",
    "TunedThresholdMultilabelClassifierCV",
    "choose_labels",
]
