"""Several kinds of label features combined into one."""

from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import StrOptions

from skxmr.indexing._normalization import as_float32_rows, normalize_rows


class LabelFeatureUnion(BaseEstimator):
    """Concatenate or average several kinds of label features.

    The rows of each part are scaled to unit l2 norm and multiplied by the weight of the part. The
    parts are then concatenated or summed, and the rows are scaled to unit l2 norm again. If a label
    has no features in one part, the other parts determine its vector. Texts of labels, for example,
    help labels with few positive rows, and positive rows help labels with short texts.

    Parameters
    ----------
    parts : list
        Label features to combine. Entries are names, matrices, callables or unions: all values that
        `label_features` of `XRLinearClassifier` accepts.
    how : {"join", "mean"}, default="join"
        Method of combination:

        - "join" concatenates the columns of the parts. The product of two label vectors is the
          weighted mean of their products in the parts.
        - "mean" sums the parts column by column. All parts must have the same columns, for example
          "pifa" and the texts of labels if the same vectorizer computed both.
    weights : array-like of shape (n_parts,) or None, default=None
        Weight of each part, at least 0 and not all 0. None gives each part the weight 1. With
        "join", the influence of a part grows with the square of its weight.

    See Also
    --------
    XRLinearClassifier : Accepts a union as `label_features`.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr import LabelFeatureUnion, XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> X, Y = make_extreme_multilabel(n_samples=200, n_labels=50, random_state=0)
    >>> embeddings = np.random.default_rng(0).normal(size=(50, 8))
    >>> union = LabelFeatureUnion(["pifa", embeddings], weights=[1.0, 0.5])
    >>> model = XRLinearClassifier(max_leaf_size=10, label_features=union, random_state=0)
    >>> model.fit(X, Y).hierarchy_
    LabelHierarchy(level_sizes=(5, 50))
    """

    _parameter_constraints = {
        "parts": [list],
        "how": [StrOptions({"join", "mean"})],
        "weights": [None, "array-like"],
    }

    def __init__(self, parts, *, how="join", weights=None):
        self.parts = parts
        self.how = how
        self.weights = weights

    def _check_parameters(self, name):
        """Raise a ValueError, with the union called `name`, unless all parameters are valid.

        The parts themselves are not checked.
        """
        self._validate_params()
        if not self.parts:
            raise ValueError(f"{name}.parts must contain at least one entry; got {self.parts}.")
        if self.weights is None:
            return
        if not (
            len(self.weights) == len(self.parts)
            and all(isinstance(weight, Real) and 0 <= weight < np.inf for weight in self.weights)
            and any(self.weights)
        ):
            raise ValueError(
                f"{name}.weights must be {len(self.parts)} finite numbers, one per part, at least "
                f"0 and not all 0; got {self.weights!r}."
            )

    def _combine(self, features):
        """Combine one matrix of unit float32 rows per part; the result is sparse if a part is."""
        if self.how == "mean":
            check_equal_widths([Z.shape[1] for Z in features], "label_features")
        weights = np.ones(len(features)) if self.weights is None else self.weights
        is_sparse = any(sp.issparse(Z) for Z in features)
        scaled = [
            (sp.csr_array(Z) if is_sparse else Z) * np.float32(weight)
            for Z, weight in zip(features, weights, strict=True)
        ]
        if self.how == "mean":
            Z = sum(scaled[1:], start=scaled[0])
        else:
            Z = sp.hstack(scaled, format="csr") if is_sparse else np.hstack(scaled)
        return normalize_rows(as_float32_rows(Z))


def check_equal_widths(widths, name):
    """Raise a ValueError if two parts of a union to be averaged differ in their number of features.

    `widths` contains None for each part whose number of features is not known yet.
    """
    if len({width for width in widths if width is not None}) > 1:
        shown = ", ".join("?" if width is None else str(width) for width in widths)
        raise ValueError(
            f"{name}.parts must have equal numbers of features if how='mean'; got {shown}. Use "
            "how='join' to combine parts of different widths."
        )
