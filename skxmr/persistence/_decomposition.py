"""Codec of `TruncatedSVD`."""

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


DECOMPOSITION_CODECS = {"TruncatedSVD": make_codec(TruncatedSVD, check_svd)}
