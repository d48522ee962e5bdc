"""Several label representations as one."""

from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import StrOptions

from skxmr.indexing._label_features import as_float32_rows, unit_rows


class LabelFeatureUnion(BaseEstimator):
    """Several label representations joined side by side, or averaged.

    Each part's rows are scaled to unit l2 norm and then by the weight of the part; they are joined
    or summed, and scaled to unit norm again. A label without features in one part lives by the
    others: text of labels helps where positive rows are few, and positive rows where the text
    says little.

    Parameters
    ----------
    parts : list
        Representations: names, matrices, callables or unions, whatever `label_features` of
        `XRLinearClassifier` takes.
    how : {"join", "mean"}, default="join"
        "join" keeps a feature of each part apart: the product of two labels is the mean of their
        products in the parts. "mean" sums equal columns; all parts must have them in common, as
        "pifa" and the labels' own texts have where one vectoriser made both.
    weights : array-like of shape (n_parts,) or None, default=None
        Weight of each part, from 0 up, not all 0; None is 1 each. With "join" a part counts by
        the square of its weight.

    See Also
    --------
    XRLinearClassifier : Takes such a union as `label_features`.

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


def check_union(union, name):
    """Refuse a union of bad parameters; its parts are not looked at.

    Parameters
    ----------
    union : LabelFeatureUnion
        As the user made it.
    name : str
        What to call it in errors.

    Raises
    ------
    ValueError
        If there are no parts, `how` is unknown, or the weights do not fit.
    """
    union._validate_params()
    if not union.parts:
        raise ValueError(f"{name}.parts must hold at least one representation; got {union.parts}.")
    if union.weights is None:
        return
    weights = union.weights
    if not (
        len(weights) == len(union.parts)
        and all(isinstance(w, Real) and 0 <= w < np.inf for w in weights)
        and any(weights)
    ):
        raise ValueError(
            f"{name}.weights must be {len(union.parts)} finite numbers, one for each part, from 0 "
            f"up and not all 0; got {weights!r}."
        )


def check_widths(widths, name):
    """Refuse to average parts that differ in width.

    Parameters
    ----------
    widths : list of int or None
        Number of features of each part, None where not known yet.
    name : str
        What to call the union in errors.

    Raises
    ------
    ValueError
        If two known widths differ.
    """
    if len({width for width in widths if width is not None}) > 1:
        shown = ", ".join("?" if width is None else str(width) for width in widths)
        raise ValueError(
            f"{name}.how='mean' needs parts of equally many features; they have {shown}. "
            "how='join' takes parts of any width."
        )


def unite(union, features):
    """Join or average features.

    Parameters
    ----------
    union : LabelFeatureUnion
        What to do; `check_union` has passed it.
    features : list of {ndarray, csr_array}
        Unit rows in float32, one matrix for each part.

    Returns
    -------
    Z : {ndarray, csr_array} of shape (n_labels, n_features)
        Unit rows, float32; sparse if a part is.

    Raises
    ------
    ValueError
        If parts to be averaged differ in width.
    """
    if union.how == "mean":
        check_widths([Z.shape[1] for Z in features], "label_features")
    weights = np.ones(len(features)) if union.weights is None else union.weights
    sparse = any(sp.issparse(Z) for Z in features)
    scaled = [
        (sp.csr_array(Z) if sparse else Z) * np.float32(weight)
        for Z, weight in zip(features, weights, strict=True)
    ]
    if union.how == "mean":
        Z = sum(scaled[1:], start=scaled[0])
    else:
        Z = sp.hstack(scaled, format="csr") if sparse else np.hstack(scaled)
    return unit_rows(as_float32_rows(Z))
