"""Score and prediction time against the beam width."""

from numbers import Integral
from time import perf_counter
from typing import NamedTuple

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import _num_samples

from skxmr._core.estimators import check_frozen_width, find_topk_estimator
from skxmr._core.target_containers import read_targets
from skxmr.metrics import topk_scorer
from skxmr.model_selection._held_out_rows import iterate_held_out


@validate_params(
    {"beams": ["array-like"], "k": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=False,
)
def beam_width_curve(
    estimator, X, y, beams, *, groups=None, scoring=None, cv=None, params=None, k=10
):
    """Compute score and prediction time for several beam widths, with one fit per split.

    Fits and predictions run one after the other, so that they do not disturb the measured times.
    The `n_jobs` of the estimator is used.

    Parameters
    ----------
    estimator : XRLinearClassifier, or Pipeline that ends with one
        Estimator, cloned for each split. It is trained with its own `beam_width`, which only has
        an effect if negatives are selected by beam search.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Indicator or classes.
    beams : sequence of int or None
        Beam widths in any order. None means exact search.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, for splitters that keep groups together.
    scoring : str, callable, list, tuple, dict or None, default=None
        One or several metrics, as in `cross_validate`. None means precision at 1.
    cv : int, splitter, iterable, "prefit" or None, default=None
        Splits, as in `cross_validate`. With "prefit", the estimator must be fitted, and `X` and
        `y` must be rows that were not used to train it. Its `beam_width` is restored afterwards.
        `groups` and `params` must be None, because they only affect splits and fits.
    params : dict or None, default=None
        Parameters of ``fit``. Values with one entry per row are indexed with the training rows.
    k : int, default=10
        Number of labels per row in the timed call of `predict_topk`.

    Returns
    -------
    curve : Bunch
        Dictionary-like object, with attributes:

        beam_width : ndarray of shape (n_beams,)
            Beam widths, in the order of `beams`.
        test_score : ndarray of shape (n_beams, n_splits)
            Score of the held-out rows. For several metrics, there is one array
            `test_<name>` per metric. With "prefit", n_splits is 1.
        seconds_per_row : ndarray of shape (n_beams, n_splits)
            Seconds of one call of `predict_topk` on all held-out rows, divided by their number.
            Predicting a single row takes longer. Earlier steps of a pipeline are not included.

    Raises
    ------
    ValueError
        If a beam width or another parameter is out of range or has no effect, the estimator has no
        `beam_width`, or `y` has another number of columns than the targets of a fitted estimator.

    See Also
    --------
    learning_curve : Compute scores for increasing numbers of training rows.

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
    >>> curve.test_score.mean(axis=1).round(2)
    array([0.24, 0.42, 0.42])
    >>> curve.seconds_per_row.shape
    (3, 3)
    """
    beams = list(beams)
    if not beams:
        raise ValueError("beams must contain at least one beam width; got an empty sequence.")
    for beam in beams:
        is_integer = isinstance(beam, Integral) and not isinstance(beam, bool)
        if beam is not None and not (is_integer and 1 <= beam < 2**31):
            raise ValueError(f"beams must contain positive integers or None; got {beam!r}.")
    ranker, _ = _find_beam_search(estimator)
    y = read_targets(y)
    check_frozen_width(estimator, y)
    scorer = topk_scorer("precision", k=1) if scoring is None else scoring
    scorer = check_scoring(estimator, scoring=scorer)
    splits = [
        _evaluate_beams(model, X_test, y_test, beams, scorer, k)
        for model, X_test, y_test in iterate_held_out(
            estimator, ranker, X, y, cv=cv, groups=groups, params=params
        )
    ]
    curve = Bunch(beam_width=np.array(beams, dtype=object if None in beams else np.int64))
    for name in splits[0].scores[0]:
        scores = [[score[name] for score in split.scores] for split in splits]
        curve[f"test_{name}"] = np.array(scores).T
    curve["seconds_per_row"] = np.array([split.seconds_per_row for split in splits]).T
    return curve


class _SplitResult(NamedTuple):
    """Results of one split; each list has one entry per beam width."""

    scores: list[dict[str, float]]
    seconds_per_row: list[float]


def _evaluate_beams(estimator, X, y, beams, scorer, k):
    ranker, transformers = _find_beam_search(estimator)
    X_transformed = X
    for transformer in transformers:
        X_transformed = transformer.transform(X_transformed)
    result = _SplitResult([], [])
    original_beam_width = ranker.beam_width
    try:
        for beam in beams:
            ranker.set_params(beam_width=beam)
            # The scorer runs first, so that the model is in the cache during the timed call.
            score = scorer(estimator, X, y)
            result.scores.append(score if isinstance(score, dict) else {"score": score})
            start = perf_counter()
            ranker.predict_topk(X_transformed, k)
            seconds = perf_counter() - start
            result.seconds_per_row.append(seconds / _num_samples(X_transformed))
    finally:
        ranker.set_params(beam_width=original_beam_width)
    return result


def _find_beam_search(estimator):
    """Return the classifier with a beam width, and the transformers in front of it."""
    ranker, transformers = find_topk_estimator(estimator)
    if ranker is None or "beam_width" not in ranker.get_params(deep=False):
        raise ValueError(
            "estimator must be a classifier with predict_topk and beam_width, or a pipeline that "
            f"ends with such a classifier; got {estimator!r}."
        )
    return ranker, transformers
