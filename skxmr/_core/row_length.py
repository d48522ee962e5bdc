"""Mean length of the training rows, the unit in which linear models measure rows.

`C`, `tol` and `weight_threshold` are absolute, so their effect depends on the length of the rows.
Training divides all rows by their root mean square length, and prediction by the same number.
Then `X` and ``c * X`` give the same model.
"""

import warnings

import numpy as np

from skxmr._core.csr import measure_rows

# Rows of unit length differ from 1 by the rounding of float32 or float16. They are not divided.
UNIT_TOLERANCE = 1e-5
# Limit of the ratio of the longest row to the median.
MAX_LENGTH_RATIO = 100


def mean_row_length(rows, sample_weight=None):
    """Return the root mean square length of rows, and warn if their lengths differ widely.

    Parameters
    ----------
    rows : Rows
        Rows; the values may be float64. Rows of zeros are ignored.
    sample_weight : ndarray of shape (n_rows,) or None
        Weights of the rows.

    Returns
    -------
    float
        The length, or exactly 1 if all rows are zero or the length is 1 up to rounding.
    """
    lengths = measure_rows(rows.indptr, rows.data)
    is_nonzero = lengths > 0
    lengths = lengths[is_nonzero]
    if not len(lengths):
        return 1.0
    longest, median = lengths.max(), np.median(lengths)
    if longest > MAX_LENGTH_RATIO * median:
        warnings.warn(
            f"The longest row of X is {longest / median:.3g} times as long as the median row. Long "
            "rows dominate the training and get clipped scores. Scale the rows to equal length, "
            "for example with sklearn.preprocessing.Normalizer.",
            UserWarning,
            stacklevel=3,
        )
    if sample_weight is not None:
        sample_weight = sample_weight[is_nonzero].astype(np.float64)
    # Divided by the longest row, so that no square overflows.
    squares = np.average((lengths / longest) ** 2, weights=sample_weight)
    length = float(longest * np.sqrt(squares))
    return 1.0 if abs(length - 1.0) <= UNIT_TOLERANCE else length
