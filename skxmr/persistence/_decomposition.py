"""Codec of `TruncatedSVD`.

Products of dense rows and the components are rounded according to the order of the components in
memory. Arrays in files have C order, so the order is saved as a name.
"""

import numpy as np
from sklearn.decomposition import TruncatedSVD

from skxmr.persistence._checked_codec import make_codec
from skxmr.persistence._fitted_checks import (
    check_input_features,
    check_is_complete,
    check_numbers,
    is_fitted,
)

VARIANCES = ("explained_variance_", "explained_variance_ratio_", "singular_values_")


def check_svd(svd):
    """Raise a ValueError if a `TruncatedSVD` is invalid."""
    svd._validate_params()
    if not is_fitted(svd):
        return
    check_is_complete(svd, ["components_", *VARIANCES])
    n_features, _ = check_input_features(svd)
    n_components = len(np.atleast_1d(svd.components_))
    check_numbers(svd, "components_", (n_components, n_features))
    for name in VARIANCES:
        check_numbers(svd, name, (n_components,))


def _find_order(components):
    # "randomized" leads to Fortran order, "arpack" to rows in reversed order.
    between_rows, between_columns = components.strides
    if abs(between_rows) < abs(between_columns):
        return "F"
    return "C" if between_rows >= 0 else "reversed"


def _reorder(components, order):
    # The function is its own inverse.
    if order == "F":
        return components.T
    if order not in ("C", "reversed"):
        raise ValueError(f"the order of components_ must be C, F or reversed; got {order!r}")
    return components[::-1] if order == "reversed" else components


def _change_fields(params, fitted):
    if "components_" in fitted:
        order = fitted["order"] = _find_order(fitted["components_"])
        fitted["components_"] = _reorder(fitted["components_"], order)


def _restore_fields(params, fitted):
    if "components_" in fitted:
        fitted["components_"] = _reorder(fitted["components_"], fitted.pop("order"))


DECOMPOSITION_CODECS = {
    "TruncatedSVD": make_codec(TruncatedSVD, check_svd, _change_fields, _restore_fields)
}
