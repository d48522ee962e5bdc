"""Predictions for every row by a model that has not seen it."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn import model_selection
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skxmr.model_selection._validation import splits_for

# An entry of a ranking, so that scikit-learn can put rankings together like any array.
_ENTRY = np.dtype([("label", np.int64), ("score", np.float32)])
_METHODS = {"predict", "predict_proba", "predict_log_proba", "decision_function", "predict_topk"}


@validate_params(
    {"method": [StrOptions(_METHODS)], "k": [Interval(Integral, 1, 2**31 - 1, closed="both")]},
    prefer_skip_nested_validation=False,
)
def cross_val_predict(
    estimator,
    X,
    y=None,
    *,
    groups=None,
    cv=None,
    n_jobs=None,
    verbose=0,
    params=None,
    pre_dispatch="2*n_jobs",
    method="predict",
    k=10,
):
    """Predict each row by a fit without it, as `sklearn.model_selection.cross_val_predict`.

    Takes a sparse y for every method, and rankings.

    Parameters
    ----------
    estimator : estimator
        Cloned for each split.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,), default=None
        Indicator or classes.
    groups : array-like of shape (n_samples,), default=None
        Groups of rows, for splitters that keep them together.
    cv : int, splitter, iterable or None, default=None
        As in `cross_validate`; each row must be held out exactly once.
    n_jobs : int or None, default=None
        Splits at a time, as in joblib.
    verbose : int, default=0
        How much is printed.
    params : dict or None, default=None
        Arguments of fit, cut to the rows of the split.
    pre_dispatch : int or str, default="2*n_jobs"
        Splits handed to workers ahead of time.
    method : str, default="predict"
        "predict", "predict_proba", "decision_function", "predict_log_proba" or "predict_topk".
    k : int, default=10
        Number of labels of each row that "predict_topk" is asked for.

    Returns
    -------
    predictions : ndarray or sparse matrix
        What the method returns, rows in the order of `X`; sparse results stay so. Of "predict_topk"
        the pair (indices, scores), indices being places in the sorted classes of all of `y` where
        that holds classes.

    Raises
    ------
    ValueError
        If a parameter is out of range, or a row is not held out exactly once.

    See Also
    --------
    cross_validate : Scores of the splits: a mean over splits, not over rows.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.metrics import precision_at_k
    >>> from skxmr.model_selection import cross_val_predict
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(random_state=0)
    >>> ranking = cross_val_predict(model, X, Y, cv=3, method="predict_topk", k=5)
    >>> ranking[0].shape
    (500, 5)
    >>> bool(precision_at_k(Y, ranking, k=1) > 0.3)
    True
    """
    cv = splits_for(cv, y)
    settings = {
        "groups": groups,
        "cv": cv,
        "n_jobs": n_jobs,
        "verbose": verbose,
        "params": params,
        "pre_dispatch": pre_dispatch,
    }
    if not sp.issparse(y) and method != "predict_topk":
        return model_selection.cross_val_predict(estimator, X, y, method=method, **settings)
    classes = None
    if y is not None and not sp.issparse(y) and np.size(y) == len(y):  # 1-D, or one column
        classes = np.unique(y)
    answering = _Answering(estimator, method, k, classes)
    answers = model_selection.cross_val_predict(answering, X, y, **settings)
    if method == "predict_topk":
        return answers["label"].astype(np.int32), answers["score"]
    return answers


class _Answering(MetaEstimatorMixin, BaseEstimator):
    """An estimator whose `predict` is some method of another.

    scikit-learn takes scores for those of classes, which it tries to find in `y`, an array of
    objects if that is sparse; what `predict` returns it takes as it is.
    """

    def __init__(self, estimator, method, k, classes):
        self.estimator = estimator
        self.method = method
        self.k = k
        self.classes = classes

    def __sklearn_tags__(self):
        return get_tags(self.estimator)

    def get_metadata_routing(self):
        return self.estimator.get_metadata_routing()

    def fit(self, X, y=None, **params):
        self.estimator.fit(X, y, **params)
        return self

    def predict(self, X):
        if self.method != "predict_topk":
            return getattr(self.estimator, self.method)(X)
        labels, scores = self.estimator.predict_topk(X, self.k)
        if self.classes is not None:
            # A class that a split had no row of has a place in the classes of all rows.
            places = np.searchsorted(self.classes, self.estimator.classes_)
            labels = np.where(labels < 0, labels, places[labels])
        answers = np.empty(np.shape(labels), dtype=_ENTRY)
        answers["label"], answers["score"] = labels, scores
        return answers
