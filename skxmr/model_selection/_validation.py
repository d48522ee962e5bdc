"""Cross-validation functions of scikit-learn that also accept a sparse `y`.

The functions of scikit-learn do all the work. Only their parameter validation rejects a sparse
`y`; the code behind it supports one.
"""

import inspect

import numpy as np
import scipy.sparse as sp
from sklearn import model_selection
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import validate_params

from skxmr._core.estimators import check_frozen_width
from skxmr._core.target_containers import holds_names, read_targets
from skxmr._core.threads import limit_process_jobs
from skxmr._core.validation import N_JOBS


def _allow_sparse_y(function):
    # Wrap the undecorated function in a validation that also allows a sparse y. If a later version
    # of scikit-learn validates in another way, `unwrap` returns the function unchanged.
    inner = inspect.unwrap(function)
    constraints = dict(getattr(inner, "_skl_parameter_constraints", {}))
    if "y" in constraints:
        constraints["y"] = [*constraints["y"], "sparse matrix"]
    if "n_jobs" in constraints:
        constraints["n_jobs"] = N_JOBS
    check = validate_params(constraints, prefer_skip_nested_validation=False)
    return check(inner) if constraints else function


_cross_validate = _allow_sparse_y(model_selection.cross_validate)
_learning_curve = _allow_sparse_y(model_selection.learning_curve)


def read_split_targets(estimator, y):
    """Return `y` as an array or CSR matrix that scikit-learn can split, or None.

    Raise an error before the first fit if `y` cannot be read, or does not match a frozen estimator.
    scikit-learn would only warn and use `error_score`.
    """
    if y is None:
        return None
    y = read_targets(y)
    check_frozen_width(estimator, y)
    return y


def resolve_cv(cv, y):
    """Return a splitter if `y` is sparse or has labels per row, otherwise `cv` unchanged.

    A sparse `y` is always an indicator. scikit-learn would treat one or two columns as classes, and
    sort all entries of a wider `y` to find its type.
    """
    if not sp.issparse(y) and not holds_names(y):
        return cv
    return check_cv(5 if cv is None else cv)


def cross_validate(
    estimator,
    X,
    y=None,
    *,
    groups=None,
    scoring=None,
    cv=None,
    n_jobs=None,
    verbose=0,
    params=None,
    pre_dispatch="2*n_jobs",
    return_train_score=False,
    return_estimator=False,
    return_indices=False,
    error_score=np.nan,
):
    """Fit and score the estimator on each split.

    This is `sklearn.model_selection.cross_validate`, which also accepts a sparse `y` here.

    Parameters
    ----------
    estimator : estimator
        Estimator, cloned for each split.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,), default=None
        Indicator or classes, in any container that `XRLinearClassifier` accepts. A sparse
        indicator remains sparse.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, for splitters that keep groups together.
    scoring : str, callable, list, tuple, dict or None, default=None
        One or several metrics. For rankings, use `skxmr.metrics.topk_scorer`. None means the
        estimator's `score`. For a multilabel classifier, this is the fraction of rows whose labels
        are all correct.
    cv : int, splitter, iterable or None, default=None
        Number of folds, a splitter such as `IterativeStratification`, or an iterable of splits.
        None means 5 folds.
    n_jobs : int or None, default=None
        Number of splits to fit in parallel, as in joblib. Each needs the memory of one fit.
    verbose : int, default=0
        Verbosity level, as in joblib.
    params : dict or None, default=None
        Parameters of ``fit``, such as `sample_weight` and `relevance`. Values with one entry per
        row are indexed with the training rows. If metadata routing is enabled, also parameters of
        the splitter and the scorers.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of splits that are dispatched to workers in advance.
    return_train_score : bool, default=False
        Whether to also compute scores on the training rows.
    return_estimator : bool, default=False
        Whether to return the fitted estimators.
    return_indices : bool, default=False
        Whether to return the row indices of each split.
    error_score : "raise" or float, default=np.nan
        Score of a split whose fit fails; a warning is issued. "raise" raises the error instead.

    Returns
    -------
    dict
        Arrays of shape (n_splits,): `test_score`, and `fit_time` and `score_time` in seconds. For
        several metrics, `test_<name>` for each of them. If requested, `train_score` or
        `train_<name>`, the list `estimator`, and the dict `indices`.

    Raises
    ------
    ValueError
        If a parameter is out of range, or all fits fail.

    See Also
    --------
    beam_width_curve : Compute score and time for several beam widths with one fit per split.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.metrics import topk_scorer
    >>> from skxmr.model_selection import cross_validate
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> scoring = {"P1": topk_scorer("precision", k=1), "N5": topk_scorer("ndcg", k=5)}
    >>> results = cross_validate(XRLinearClassifier(random_state=0), X, Y, scoring=scoring, cv=3)
    >>> sorted(results)
    ['fit_time', 'score_time', 'test_N5', 'test_P1']
    >>> results["test_P1"].round(2)
    array([0.61, 0.53, 0.58])
    """
    y = read_split_targets(estimator, y)
    return _cross_validate(
        estimator,
        X,
        y,
        groups=groups,
        scoring=scoring,
        cv=resolve_cv(cv, y),
        n_jobs=limit_process_jobs(n_jobs),
        verbose=verbose,
        params=params,
        pre_dispatch=pre_dispatch,
        return_train_score=return_train_score,
        return_estimator=return_estimator,
        return_indices=return_indices,
        error_score=error_score,
    )


def cross_val_score(
    estimator,
    X,
    y=None,
    *,
    groups=None,
    scoring=None,
    cv=None,
    n_jobs=None,
    verbose=0,
    params=None,
    pre_dispatch="2*n_jobs",
    error_score=np.nan,
):
    """Compute the score of the estimator on each split.

    This is `sklearn.model_selection.cross_val_score`, which also accepts a sparse `y` here.

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
    scoring : str, callable or None, default=None
        One metric, as in `cross_validate`.
    cv : int, splitter, iterable or None, default=None
        Splits, as in `cross_validate`.
    n_jobs : int or None, default=None
        Number of splits to fit in parallel, as in joblib.
    verbose : int, default=0
        Verbosity level, as in joblib.
    params : dict or None, default=None
        Parameters of ``fit``. Values with one entry per row are indexed with the training rows.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of splits that are dispatched to workers in advance.
    error_score : "raise" or float, default=np.nan
        Score of a split whose fit fails; a warning is issued. "raise" raises the error instead.

    Returns
    -------
    scores : ndarray of shape (n_splits,)
        Scores of the held-out rows.

    Raises
    ------
    ValueError
        If a parameter is out of range, `scoring` has several metrics, or all fits fail.

    See Also
    --------
    cross_validate : Compute several metrics, times and training scores.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.metrics import topk_scorer
    >>> from skxmr.model_selection import cross_val_score
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(random_state=0)
    >>> cross_val_score(model, X, Y, scoring=topk_scorer("precision", k=1), cv=3).round(2)
    array([0.61, 0.53, 0.58])
    """
    if isinstance(scoring, (list, tuple, set, dict)):
        raise ValueError(
            f"scoring must be one metric; got {scoring!r}. For several metrics, use cross_validate."
        )
    results = cross_validate(
        estimator,
        X,
        y,
        groups=groups,
        scoring={"score": check_scoring(estimator, scoring=scoring)},
        cv=cv,
        n_jobs=limit_process_jobs(n_jobs),
        verbose=verbose,
        params=params,
        pre_dispatch=pre_dispatch,
        error_score=error_score,
    )
    return results["test_score"]


def learning_curve(
    estimator,
    X,
    y,
    *,
    groups=None,
    train_sizes=(0.1, 0.325, 0.55, 0.775, 1.0),
    cv=None,
    scoring=None,
    exploit_incremental_learning=False,
    n_jobs=None,
    pre_dispatch="all",
    verbose=0,
    shuffle=False,
    random_state=None,
    error_score=np.nan,
    return_times=False,
    params=None,
):
    """Compute scores for increasing numbers of training rows.

    This is `sklearn.model_selection.learning_curve`, which also accepts a sparse `y` here. Labels
    without a row in a small training set remain columns of `y`. They add no cost and are never
    ranked first.

    Parameters
    ----------
    estimator : estimator
        Estimator, cloned for each fit.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Indicator or classes.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, for splitters that keep groups together.
    train_sizes : array-like of shape (n_sizes,), default=(0.1, 0.325, 0.55, 0.775, 1.0)
        Sizes of the training sets: fractions of the training rows, or integers for numbers of
        rows.
    cv : int, splitter, iterable or None, default=None
        Splits, as in `cross_validate`.
    scoring : str, callable or None, default=None
        One metric, as in `cross_validate`.
    exploit_incremental_learning : bool, default=False
        Whether to add rows with `partial_fit`, which the estimator must have.
    n_jobs : int or None, default=None
        Number of fits to run in parallel, as in joblib.
    pre_dispatch : int or str, default="all"
        Number of fits that are dispatched to workers in advance.
    verbose : int, default=0
        Verbosity level, as in joblib.
    shuffle : bool, default=False
        Whether to shuffle the training rows before a subset is taken.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffle.
    error_score : "raise" or float, default=np.nan
        Score of a split whose fit fails; a warning is issued. "raise" raises the error instead.
    return_times : bool, default=False
        Whether to return the times of fits and scores.
    params : dict or None, default=None
        Parameters of ``fit``. Values with one entry per row are indexed with the training rows.

    Returns
    -------
    train_sizes_abs : ndarray of shape (n_sizes,)
        Numbers of training rows, without duplicates.
    train_scores, test_scores : ndarray of shape (n_sizes, n_splits)
        Scores of the training rows and of the held-out rows.
    fit_times, score_times : ndarray of shape (n_sizes, n_splits)
        Seconds; only returned if `return_times` is True.

    Raises
    ------
    ValueError
        If a parameter is out of range, or all fits fail.

    See Also
    --------
    cross_validate : Compute scores with all training rows.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.metrics import topk_scorer
    >>> from skxmr.model_selection import learning_curve
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> sizes, train_scores, test_scores = learning_curve(
    ...     XRLinearClassifier(random_state=0), X, Y, cv=2, train_sizes=[0.5, 1.0],
    ...     scoring=topk_scorer("precision", k=1))
    >>> sizes
    array([125, 250])
    >>> test_scores.mean(axis=1).round(2)
    array([0.44, 0.52])
    """
    y = read_split_targets(estimator, y)
    return _learning_curve(
        estimator,
        X,
        y,
        groups=groups,
        train_sizes=train_sizes,
        cv=resolve_cv(cv, y),
        scoring=scoring,
        exploit_incremental_learning=exploit_incremental_learning,
        n_jobs=limit_process_jobs(n_jobs),
        pre_dispatch=pre_dispatch,
        verbose=verbose,
        shuffle=shuffle,
        random_state=random_state,
        error_score=error_score,
        return_times=return_times,
        params=params,
    )
