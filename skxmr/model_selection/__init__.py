"""Model selection for sparse targets.

The package has the cross-validation functions of scikit-learn for a sparse `y`, a stratified
splitter for labels, a curve of score and prediction time against the beam width, and the tuning of
the parameters that act at prediction.
"""

from skxmr.model_selection._beam_curve import beam_width_curve
from skxmr.model_selection._predictions import cross_val_predict
from skxmr.model_selection._stratification import IterativeStratification
from skxmr.model_selection._tune_prediction import tune_prediction
from skxmr.model_selection._validation import cross_val_score, cross_validate, learning_curve

__all__ = [
    "IterativeStratification",
    "beam_width_curve",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "learning_curve",
    "tune_prediction",
]
