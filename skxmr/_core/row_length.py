"""Root mean square length of the training rows, the unit in which linear models measure rows.

`C`, `tol` and `weight_threshold` are absolute, so their effect depends on the length of the rows.
Training divides all rows by their root mean square length, and prediction by the same number.
Then `X` and ``c * X`` give the same model.
"""

import numpy as np

from skxmr._core.user_warnings import warn_user

# Rows of unit length differ from 1 by the rounding of float32 or float16. They are not divided.
UNIT_TOLERANCE = 1e-5
# `fit` warns if the mean or the longest row is more than this many times as long as the median row.
# On Debian dependencies, bibtex and YSO titles (November 2026), rows of unit length were multiplied
# by lognormal numbers. P@1 fell by 0.5 to 2 points if the mean was 1.4 times the median, by 3 to 7
# for 2.7 times, and by 6 to 17 for 5.4 times. For word counts of Debian, WordNet and YSO, the mean
# was 1.1 to 1.3 times the median, the longest row 5 to 79 times.
MAX_MEAN_RATIO = 2
MAX_LENGTH_RATIO = 100
# Prediction warns if each row is longer than LONG_RATIO mean training rows, or shorter than
# SHORT_RATIO. At most a quarter of the training rows are longer than 2 mean ones, by Markov's
# inequality for the squares, so 10 rows like the training rows hardly ever cause a warning.
LONG_RATIO, SHORT_RATIO = 2.0, 0.1
MIN_COMPARED_ROWS = 10


def mean_row_length(rows, sample_weight=None):
    """Return the root mean square length of rows, and warn if their lengths differ widely.

    Parameters
    ----------
    rows : Rows or MixedRows
        Rows; the values may be float64. Rows of zeros are ignored.
    sample_weight : ndarray of shape (n_rows,) or None
        Weights of the rows.

    Returns
    -------
    float
        The length, or exactly 1 if all rows are zero or the length is 1 up to rounding.
    """
    lengths = rows.measure()
    is_nonzero = lengths > 0
    lengths = lengths[is_nonzero]
    if not len(lengths):
        return 1.0
    longest, median = lengths.max(), np.median(lengths)
    if sample_weight is not None:
        sample_weight = sample_weight[is_nonzero].astype(np.float64)
    # Divided by the longest row, so that no square overflows.
    squares = np.average((lengths / longest) ** 2, weights=sample_weight)
    length = float(longest * np.sqrt(squares))
    if length > MAX_MEAN_RATIO * median or longest > MAX_LENGTH_RATIO * median:
        warn_user(
            f"The lengths of the rows of X differ widely: the median is {median:.3g}, the root "
            f"mean square {length:.3g}, the maximum {longest:.3g}. Long rows dominate the "
            "training, and short rows are learned badly. Scale the rows to equal length, for "
            "example with sklearn.preprocessing.Normalizer.",
        )
    return 1.0 if abs(length - 1.0) <= UNIT_TOLERANCE else length


def warn_about_other_lengths(rows, row_length):
    """Warn if all rows of a prediction are much longer or shorter than the training rows.

    This happens, for example, if the training rows are TF-IDF vectors and these are counts. Then
    most scores are nearly equal.

    Parameters
    ----------
    rows : Rows or MixedRows
        Rows; the values may be float64. A few rows are not checked.
    row_length : float
        `mean_row_length` of the training rows.
    """
    if rows.n_rows < MIN_COMPARED_ROWS:
        return
    # One row of usual length is enough, and nearly always among the first.
    first = rows.measure(MIN_COMPARED_ROWS) / row_length
    if np.any((first >= SHORT_RATIO) & (first <= LONG_RATIO)):
        return
    lengths = rows.measure()
    lengths = lengths[lengths > 0]
    if len(lengths) < MIN_COMPARED_ROWS:
        return
    shortest, longest = lengths.min() / row_length, lengths.max() / row_length
    if shortest > LONG_RATIO or longest < SHORT_RATIO:
        warn_user(
            f"The rows of X are {shortest:.3g} to {longest:.3g} times as long as the mean training "
            "row. Prepare them in the same way as the training rows.",
        )
