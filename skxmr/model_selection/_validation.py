"""scikit-learn's cross-validation functions, for a sparse y too.

scikit-learn's own do all the work: only the check of parameters in front of them refuses a sparse
y, and the code behind it takes one.
"""

import inspect

import numpy as np
import scipy.sparse as sp
from sklearn import model_selection
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import validate_params


def _admit_sparse(function):
    # The function behind the check, behind the same check with one thing more allowed. Should a
    # later scikit-learn check otherwise, `unwrap` returns the function as it is.
    inner = inspect.unwrap(function)
    constraints = dict(getattr(inner, "_skl_parameter_constraints", {}))
    if "y" in constraints:
        constraints["y"] = [*constraints["y"], "sparse matrix"]
    check = validate_params(constraints, prefer_skip_nested_validation=False)
    return check(inner) if constraints else function


_cross_validate = _admit_sparse(model_selection.cross_validate)
_learning_curve = _admit_sparse(model_selection.learning_curve)


def splits_for(cv, y):
    """Return the splits of a sparse y, or else `cv` as it is, for scikit-learn to make out.

    A sparse y is an indicator, whatever its number of columns: scikit-learn takes one or two for
    classes, and sorts many to find out.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As in scikit-learn.
    y : array-like, sparse matrix or None
        Targets.

    Returns
    -------
    int, splitter, iterable or None
        As in scikit-learn.
    """
    if not sp.issparse(y):
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
    """Fit and score on each split, as `sklearn.model_selection.cross_validate`, for sparse y too.

    Parameters
    ----------
    estimator : estimator
        Cloned for each split.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,), default=None
        Indicator, which stays sparse if it is, or classes.
    groups : array-like of shape (n_samples,), default=None
        Groups of rows, for splitters that keep them together.
    scoring : str, callable, list, tuple, dict or None, default=None
        One metric or several: `skxmr.metrics.topk_scorer` for rankings. None is the estimator's
        `score`, for a multilabel classifier the part of rows whose whole set of labels is right.
    cv : int, splitter, iterable or None, default=None
        Number of folds, None for five, a splitter such as `IterativeStratification`, or splits.
    n_jobs : int or None, default=None
        Splits at a time, as in joblib; each takes the memory of a fit.
    verbose : int, default=0
        How much is printed.
    params : dict or None, default=None
        Arguments of fit, such as `sample_weight` and `relevance`; those with an entry for each row
        are cut to the rows of the split. With metadata routing, of the splitter and scorers too.
    pre_dispatch : int or str, default="2*n_jobs"
        Splits handed to workers ahead of time.
    return_train_score : bool, default=False
        Whether to score on the training rows too.
    return_estimator : bool, default=False
        Whether to return the fitted estimators.
    return_indices : bool, default=False
        Whether to return the rows of the splits.
    error_score : "raise" or float, default=np.nan
        Score of a split whose fit fails, with a warning; "raise" raises.

    Returns
    -------
    dict
        Arrays of shape (n_splits,): `test_score`, or `test_<name>` of each of several metrics,
        `train_score` likewise, `fit_time` and `score_time` in seconds; the list `estimator`, the
        dict `indices`.

    Raises
    ------
    ValueError
        If a parameter is out of range, or all fits fail.

    See Also
    --------
    beam_width_curve : Quality and time of beam widths, from one fit for each split.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.metrics import topk_scorer
    >>> from skxmr.model_selection import cross_validate
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> scoring = {"P1": topk_scorer("precision", k=1), "N5": topk_scorer("ndcg", k=5)}
    >>> results = cross_validate(XRLinearClassifier(random_state=0), X, Y, scoring=scoring, cv=3)
    >>> sorted(results), results["test_P1"].shape
    (['fit_time', 'score_time', 'test_N5', 'test_P1'], (3,))
    """
    return _cross_validate(
        estimator,
        X,
        y,
        groups=groups,
        scoring=scoring,
        cv=splits_for(cv, y),
        n_jobs=n_jobs,
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
    """Score on each split, as `sklearn.model_selection.cross_val_score`, for sparse y too.

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
    scoring : str, callable or None, default=None
        One metric, as in `cross_validate`.
    cv : int, splitter, iterable or None, default=None
        As in `cross_validate`.
    n_jobs : int or None, default=None
        Splits at a time, as in joblib.
    verbose : int, default=0
        How much is printed.
    params : dict or None, default=None
        Arguments of fit, cut to the rows of the split.
    pre_dispatch : int or str, default="2*n_jobs"
        Splits handed to workers ahead of time.
    error_score : "raise" or float, default=np.nan
        Score of a split whose fit fails, with a warning; "raise" raises.

    Returns
    -------
    scores : ndarray of shape (n_splits,)
        On the rows held out.

    Raises
    ------
    ValueError
        If a parameter is out of range, several metrics are asked for, or all fits fail.

    See Also
    --------
    cross_validate : Several metrics, times, training scores.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.metrics import topk_scorer
    >>> from skxmr.model_selection import cross_val_score
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(random_state=0)
    >>> cross_val_score(model, X, Y, scoring=topk_scorer("precision", k=1), cv=3).shape
    (3,)
    """
    if isinstance(scoring, (list, tuple, set, dict)):
        raise ValueError(f"scoring must be one metric; cross_validate takes several: {scoring!r}.")
    results = cross_validate(
        estimator,
        X,
        y,
        groups=groups,
        scoring={"score": check_scoring(estimator, scoring=scoring)},
        cv=cv,
        n_jobs=n_jobs,
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
    """Score fits on more and more rows, as `sklearn.model_selection.learning_curve`.

    Takes a sparse y too. Labels that only later rows have are there from the start, as columns:
    they cost nothing and are never ranked first.

    Parameters
    ----------
    estimator : estimator
        Cloned for each fit.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Indicator or classes.
    groups : array-like of shape (n_samples,), default=None
        Groups of rows, for splitters that keep them together.
    train_sizes : array-like of shape (n_sizes,), default=(0.1, 0.325, 0.55, 0.775, 1.0)
        Parts of the training rows, or numbers of them if they are integers.
    cv : int, splitter, iterable or None, default=None
        As in `cross_validate`.
    scoring : str, callable or None, default=None
        One metric, as in `cross_validate`.
    exploit_incremental_learning : bool, default=False
        Whether `partial_fit` goes on with more rows; the estimator must have it.
    n_jobs : int or None, default=None
        Fits at a time, as in joblib.
    pre_dispatch : int or str, default="all"
        Fits handed to workers ahead of time.
    verbose : int, default=0
        How much is printed.
    shuffle : bool, default=False
        Whether training rows are shuffled before the first of them are taken.
    random_state : int, RandomState instance or None, default=None
        Seeds the shuffle.
    error_score : "raise" or float, default=np.nan
        Score of a split whose fit fails, with a warning; "raise" raises.
    return_times : bool, default=False
        Whether to return times.
    params : dict or None, default=None
        Arguments of fit, cut to the rows of the fit.

    Returns
    -------
    train_sizes_abs : ndarray of shape (n_sizes,)
        Numbers of training rows, without repetitions.
    train_scores, test_scores : ndarray of shape (n_sizes, n_splits)
        On the training rows, and on those held out.
    fit_times, score_times : ndarray of shape (n_sizes, n_splits)
        Seconds, if `return_times`.

    Raises
    ------
    ValueError
        If a parameter is out of range, or all fits fail.

    See Also
    --------
    cross_validate : Scores on all training rows.

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
    >>> sizes, test_scores.shape
    (array([125, 250]), (2, 2))
    """
    return _learning_curve(
        estimator,
        X,
        y,
        groups=groups,
        train_sizes=train_sizes,
        cv=splits_for(cv, y),
        scoring=scoring,
        exploit_incremental_learning=exploit_incremental_learning,
        n_jobs=n_jobs,
        pre_dispatch=pre_dispatch,
        verbose=verbose,
        shuffle=shuffle,
        random_state=random_state,
        error_score=error_score,
        return_times=return_times,
        params=params,
    )
