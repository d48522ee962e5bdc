"""Model selection for sparse targets: scikit-learn's functions, a splitter, a curve of the beam."""

from skxmr.model_selection.beam_curve import beam_width_curve
from skxmr.model_selection.predictions import cross_val_predict
from skxmr.model_selection.stratification import IterativeStratification
from skxmr.model_selection.validation import cross_val_score, cross_validate, learning_curve

__all__ = [
    "IterativeStratification",
    "beam_width_curve",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "learning_curve",
]
