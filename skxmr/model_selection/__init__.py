"""Model selection for sparse targets: scikit-learn's functions, a splitter, a curve of the beam."""

from skxmr.model_selection._beam_curve import beam_width_curve
from skxmr.model_selection._predictions import cross_val_predict
from skxmr.model_selection._stratification import IterativeStratification
from skxmr.model_selection._validation import cross_val_score, cross_validate, learning_curve

__all__ = [
    "IterativeStratification",
    "beam_width_curve",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "learning_curve",
]
