"""Predictions for each row by a model that was trained without this row."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn import model_selection
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skxmr._core.label_names import binarize_names, find_label_names
from skxmr._core.score_forms import pad_ranking
from skxmr._core.target_containers import holds_names
from skxmr._core.threads import limit_process_jobs
from skxmr._core.validation import N_JOBS
from skxmr.model_selection._validation import read_split_targets, resolve_cv

# Labels and scores of a ranking in one array, because scikit-learn concatenates single arrays.
_RANKED_LABEL = np.dtype([("label", np.int64), ("score", np.float32)])
_METHODS = {"predict", "predict_proba", "predict_log_proba", "decision_function", "predict_topk"}


@validate_params(
    {
        "method": [StrOptions(_METHODS)],
        "k": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": N_JOBS,
    },
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
    """Predict each row with a model fitted on other folds.

    This is `sklearn.model_selection.cross_val_predict`, with two additions: `y` can be sparse for
    all methods, and "predict_topk" is supported.

    Parameters
    ----------
    estimator : estimator
        Estimator, cloned for each split.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,), default=None
        Indicator or classes.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, for splitters that keep groups together.
    cv : int, splitter, iterable or None, default=None
        Splits, as in `cross_validate`. Each row must be held out exactly once.
    n_jobs : int or None, default=None
        Number of splits to fit in parallel, as in joblib.
    verbose : int, default=0
        Verbosity level, as in joblib.
    params : dict or None, default=None
        Parameters of ``fit``. Values with one entry per row are indexed with the training rows.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of splits that are dispatched to workers in advance.
    method : str, default="predict"
        Method of the estimator: "predict", "predict_proba", "decision_function",
        "predict_log_proba" or "predict_topk".
    k : int, default=10
        Number of labels per row, limited to the number of labels. Only used by "predict_topk".

    Returns
    -------
    predictions : ndarray, sparse matrix or tuple of ndarray
        Result of the method for all rows, in the order of `X`; sparse if the method returns a
        sparse matrix. For "predict_topk", a tuple (indices, scores) of arrays of shape
        (n_samples, min(k, n_labels)), int32 and float32. If `y` holds classes, the indices refer to
        the sorted classes of `y`.

    Raises
    ------
    ValueError
        If a parameter is out of range, or a row is not held out exactly once.

    See Also
    --------
    cross_validate : Compute one score per split instead of predictions per row.

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
    >>> round(precision_at_k(Y, ranking, k=1), 2)
    0.57
    """
    y = read_split_targets(estimator, y)
    if y is not None and holds_names(y) and method != "predict":
        # The columns of all splits must be those of all labels.
        y = binarize_names(y, find_label_names(y))
    cv = resolve_cv(cv, y)
    kwargs = {
        "groups": groups,
        "cv": cv,
        "n_jobs": limit_process_jobs(n_jobs),
        "verbose": verbose,
        "params": params,
        "pre_dispatch": pre_dispatch,
    }
    if not sp.issparse(y) and method != "predict_topk":
        return model_selection.cross_val_predict(estimator, X, y, method=method, **kwargs)
    classes = None
    if y is not None and not sp.issparse(y) and np.size(y) == len(y):  # 1-D, or one column
        classes = np.unique(y)
    adapter = _PredictAdapter(estimator, method, k, classes)
    predictions = model_selection.cross_val_predict(adapter, X, y, **kwargs)
    if method == "predict_topk":
        return predictions["label"].astype(np.int32), predictions["score"]
    return predictions


class _PredictAdapter(MetaEstimatorMixin, BaseEstimator):
    """Estimator whose `predict` calls another method of an estimator.

    For methods that return scores, scikit-learn looks up the classes in `y`, which fails if `y` is
    sparse. The result of `predict` is used unchanged.
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
            # The training rows of a split may lack a class: map to the classes of all rows.
            class_indices = np.searchsorted(self.classes, self.estimator.classes_)
            labels = np.where(labels < 0, labels, class_indices[labels])
            labels, scores = pad_ranking(labels, scores, min(self.k, len(self.classes)))
        ranking = np.empty(np.shape(labels), dtype=_RANKED_LABEL)
        ranking["label"], ranking["score"] = labels, scores
        return ranking
