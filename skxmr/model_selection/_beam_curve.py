"""What a wider beam finds, and what it costs."""

from numbers import Integral
from time import perf_counter

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, _safe_indexing, indexable
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from skxmr._core.estimators import find_topk_estimator
from skxmr.metrics import topk_scorer
from skxmr.model_selection._validation import splits_for


@validate_params(
    {"beams": ["array-like"], "k": [Interval(Integral, 1, 2**31 - 1, closed="both")]},
    prefer_skip_nested_validation=False,
)
def beam_width_curve(
    estimator, X, y, beams, *, groups=None, scoring=None, cv=None, params=None, k=10
):
    """Quality and seconds a row for each of several beam widths, from one fit for each split.

    Splits are fitted and widths tried one after the other, so that times are those of a process
    that has the machine to itself; `n_jobs` of the estimator counts.

    Parameters
    ----------
    estimator : XRLinearClassifier, or Pipeline that ends with one
        Cloned for each split. Trained with its own `beam_width`, which matters only to negatives
        that a beam finds.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Indicator or classes.
    beams : sequence of int or None
        Beam widths to try, in any order; None is an exact search.
    groups : array-like of shape (n_samples,), default=None
        Groups of rows, for splitters that keep them together.
    scoring : str, callable, list, tuple, dict or None, default=None
        One metric or several, as in `cross_validate`; None is precision at 1.
    cv : int, splitter, iterable, "prefit" or None, default=None
        As in `cross_validate`. "prefit": the estimator is fitted, `X` and `y` are rows that it has
        not seen, and its `beam_width` stands afterwards as before; `groups` and `params`, which
        are for splits and fits, must be None.
    params : dict or None, default=None
        Arguments of fit, cut to the rows of the split.
    k : int, default=10
        Labels of a row that the timed `predict_topk` is asked for.

    Returns
    -------
    Bunch
        With `beam_width`, ndarray of shape (n_beams,), as given; `test_score`, or `test_<name>` of
        each of several metrics, ndarray of shape (n_beams, n_splits), n_splits being 1 for
        "prefit"; and `seconds_per_row` of the same shape, of one call of `predict_topk` on all rows
        held out: a row by itself takes longer. What a pipeline does before is not counted.

    Raises
    ------
    ValueError
        If a width or another parameter is out of range or would not be used, or the estimator has
        no `beam_width`.

    See Also
    --------
    learning_curve : Quality for more and more rows.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.metrics import topk_scorer
    >>> from skxmr.model_selection import beam_width_curve
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(max_leaf_size=5, random_state=0)
    >>> curve = beam_width_curve(
    ...     model, X, Y, [1, 10, None], cv=3, scoring=topk_scorer("recall", k=5))
    >>> curve.test_score.shape, curve.seconds_per_row.shape
    ((3, 3), (3, 3))
    >>> recall = curve.test_score.mean(axis=1)
    >>> bool(recall[0] < recall[1])
    True
    """
    beams = list(beams)
    for beam in beams:
        whole = isinstance(beam, Integral) and not isinstance(beam, bool)
        if beam is not None and not (whole and 1 <= beam < 2**31):
            raise ValueError(f"beams must be integers from 1 up, or None; got {beam!r}.")
    if not beams:
        raise ValueError("beams must hold at least one width; got none.")
    _beam_owner(estimator)
    scorer = topk_scorer("precision", k=1) if scoring is None else scoring
    scorer = check_scoring(estimator, scoring=scorer)
    if isinstance(cv, str) and cv == "prefit":
        for name, value in (("groups", groups), ("params", params)):
            if value is not None:
                raise ValueError(f'{name} would not be used: cv="prefit" makes no splits or fits.')
        check_is_fitted(_beam_owner(estimator)[0])
        tried = [_try_beams(estimator, X, y, beams, scorer, k)]
    else:
        X, y, groups = indexable(X, y, groups)
        tried = []
        splitter = check_cv(splits_for(cv, y), y, classifier=is_classifier(estimator))
        for train, test in splitter.split(X, y, groups):
            model = clone(estimator)
            arguments = _check_method_params(X, params=params or {}, indices=train)
            model.fit(_safe_indexing(X, train), _safe_indexing(y, train), **arguments)
            held_out = _safe_indexing(X, test), _safe_indexing(y, test)
            tried.append(_try_beams(model, *held_out, beams, scorer, k))
    of_splits, seconds = zip(*tried, strict=True)
    curve = Bunch(beam_width=np.array(beams, dtype=object if None in beams else np.int64))
    for name in of_splits[0][0]:
        scores = [[score[name] for score in of_beams] for of_beams in of_splits]
        curve[f"test_{name}"] = np.array(scores).T
    curve["seconds_per_row"] = np.array(seconds).T
    return curve


def _try_beams(estimator, X, y, beams, scorer, k):
    """Return the dict of scores, and the seconds a row, of each beam."""
    model, transformers = _beam_owner(estimator)
    rows = X
    for transformer in transformers:
        rows = transformer.transform(rows)
    scores, seconds = [], []
    before = model.beam_width
    try:
        for beam in beams:
            model.set_params(beam_width=beam)
            score = scorer(estimator, X, y)  # first, so that the timed call finds all in cache
            scores.append(score if isinstance(score, dict) else {"score": score})
            start = perf_counter()
            model.predict_topk(rows, k)
            seconds.append((perf_counter() - start) / _num_samples(rows))
    finally:
        model.set_params(beam_width=before)
    return scores, seconds


def _beam_owner(estimator):
    ranker, transformers = find_topk_estimator(estimator)
    if ranker is None or "beam_width" not in ranker.get_params(deep=False):
        raise ValueError(
            "estimator must be a classifier with predict_topk and beam_width, or a pipeline that "
            f"ends with one; got {estimator!r}."
        )
    return ranker, transformers
