"""Fitted estimators with rows that were not used to train them: of each split, or of the user."""

from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.validation import (
    _check_method_params,
    check_consistent_length,
    check_is_fitted,
)

from skxmr._core.targets import check_n_labels
from skxmr.model_selection._validation import resolve_cv


def iterate_held_out(estimator, ranker, X, y, *, cv, groups=None, params=None):
    """Yield (fitted estimator, rows, targets) of each split.

    Parameters
    ----------
    estimator : estimator
        Estimator, cloned and fitted for each split; with "prefit", already fitted.
    ranker : classifier
        The last step of the estimator; only used with "prefit".
    X, y : array-like or sparse matrix
        Rows and targets.
    cv : int, splitter, iterable, "prefit" or None
        Splits. With "prefit", the only result is the estimator itself with all rows.
    groups : array-like or None
        Group of each row, for the splitter.
    params : dict or None
        Parameters of ``fit``.

    Raises
    ------
    ValueError
        If `groups` or `params` are set, or `y` has the wrong number of columns, with "prefit".
    NotFittedError
        If the estimator is not fitted, with "prefit".
    """
    if isinstance(cv, str) and cv == "prefit":
        for name, value in (("groups", groups), ("params", params)):
            if value is not None:
                raise ValueError(
                    f'{name} must be None if cv="prefit", which makes no splits and fits; got '
                    f"{value!r}."
                )
        check_is_fitted(ranker)
        check_n_labels(y, len(ranker.classes_))
        check_consistent_length(X, y)
        yield estimator, X, y
        return
    X, y, groups = indexable(X, y, groups)
    splitter = check_cv(resolve_cv(cv, y), y, classifier=is_classifier(estimator))
    for train, test in splitter.split(X, y, groups):
        model = clone(estimator)
        fit_params = _check_method_params(X, params=params or {}, indices=train)
        model.fit(_safe_indexing(X, train), _safe_indexing(y, train), **fit_params)
        yield model, _safe_indexing(X, test), _safe_indexing(y, test)
