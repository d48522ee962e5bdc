"""Warnings that name the line of the user's code."""

import os
import sys
import warnings
from pathlib import Path

import joblib
import sklearn

# Files of these packages are not the user's code: estimators are called through scikit-learn's
# decorators and meta-estimators.
LIBRARIES = tuple(
    f"{folder}{os.sep}"
    for folder in (
        Path(__file__).parents[1],
        Path(sklearn.__file__).parent,
        Path(joblib.__file__).parent,
    )
)


def warn_user(message, category=UserWarning):
    """Show a warning for the line outside of the libraries that led to it."""
    # From Python 3.12 on, `warnings.warn` has the argument skip_file_prefixes for this.
    stacklevel, frame = 2, sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARIES):
        stacklevel, frame = stacklevel + 1, frame.f_back
    warnings.warn(message, category, stacklevel=stacklevel)
