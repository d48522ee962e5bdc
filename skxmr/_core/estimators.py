"""Helpers for the user's estimators: clone with a seed, fit with weights, look into pipelines."""

import copy

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_consistent_length, has_fit_parameter

from skxmr._core.target_containers import holds_names, read_targets
from skxmr._core.targets import check_indicator, check_n_labels


class SubsetAccuracyMixin(ClassifierMixin):
    """`ClassifierMixin` whose `score` reads every container of `y` and checks its width."""

    def score(self, X, y, sample_weight=None):
        """Return the accuracy of `predict`; for an indicator, the subset accuracy.

        The subset accuracy is the fraction of rows whose labels are all correct. It is low if rows
        have many labels. To evaluate rankings, use `skxmr.metrics.topk_scorer`.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Rows.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels) or (n_samples,)
            True labels, in any container that `fit` accepts.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Fraction of the rows, or of their weight, that are predicted correctly.

        Raises
        ------
        ValueError
            If `y` is not an indicator with one column per label, labels, or classes.
        """
        y = read_targets(y)
        if holds_names(y):
            predicted = self.predict(X)
            check_consistent_length(predicted, y, sample_weight)
            pairs = zip(predicted, y, strict=True)
            is_correct = np.array([set(labels) == set(true) for labels, true in pairs])
            return float(np.average(is_correct, weights=sample_weight))
        is_indicator = y.ndim == 2 and (sp.issparse(y) or y.shape[1] > 1)
        if is_indicator and hasattr(self, "classes_"):
            check_n_labels(y, len(self.classes_))
        predicted = self.predict(X)
        if predicted.ndim == 1:
            from sklearn.metrics import accuracy_score  # see tests/test_import.py

            return accuracy_score(y, predicted, sample_weight=sample_weight)
        Y = check_indicator(y)
        check_n_labels(Y, predicted.shape[1])
        check_consistent_length(predicted, Y, sample_weight)
        is_correct = np.diff((Y != check_indicator(predicted)).indptr) == 0
        return float(np.average(is_correct, weights=sample_weight))


def clone_with_seed(estimator, seed):
    """Clone an estimator and set each `random_state` that is None.

    Parameters
    ----------
    estimator : estimator
        Estimator to clone; never modified.
    seed : int
        Seed, also for nested estimators. A `random_state` that the user has set is kept.

    Returns
    -------
    estimator
        Unfitted estimator.
    """
    cloned = clone(estimator)
    unset = {
        name: seed
        for name, value in cloned.get_params(deep=True).items()
        if value is None and name.rpartition("__")[2] == "random_state"
    }
    return cloned.set_params(**unset) if unset else cloned


def freeze_params(estimator):
    """Return a copy of a fitted estimator that later changes of parameters do not affect.

    A prediction in several calls uses it, so that `set_params` in another thread does not mix two
    values. The copy shares fitted arrays with the estimator. Nested estimators are copied too.
    """
    copied = copy.copy(estimator)
    for name, value in vars(copied).items():
        if isinstance(value, BaseEstimator):
            vars(copied)[name] = freeze_params(value)
    if isinstance(copied, Pipeline):
        copied.steps = [
            (name, freeze_params(step) if isinstance(step, BaseEstimator) else step)
            for name, step in copied.steps
        ]
    return copied


def fit_weighted(estimator, X, y, sample_weight):
    """Fit an estimator, with sample weights unless they are None, and return it."""
    if sample_weight is None:
        return estimator.fit(X, y)
    return estimator.fit(X, y, sample_weight=sample_weight)


def check_sample_weight_support(name, estimator, sample_weight):
    """Raise a ValueError if sample weights are set but the estimator does not support them.

    Parameters
    ----------
    name : str
        Name of the parameter that holds the estimator, for the error.
    estimator : estimator or None
        Estimator to check; None accepts weights.
    sample_weight : ndarray or None
        Sample weights.
    """
    if estimator is None or sample_weight is None:
        return
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(
            f"sample_weight must be None if {name} does not support sample weights; got "
            f"{name}={estimator!r}, whose fit method has no parameter sample_weight. Fit without "
            "weights or use another estimator."
        )


def check_frozen_width(estimator, y):
    """Raise a ValueError if a `FrozenEstimator` was fitted on another number of labels.

    Parameters
    ----------
    estimator : estimator
        Estimator; not checked unless it is a `FrozenEstimator` with `classes_`.
    y : ndarray, sparse matrix or None
        Result of `read_targets`.
    """
    classes = getattr(estimator, "classes_", None) if is_frozen(estimator) else None
    if y is not None and isinstance(classes, np.ndarray):
        check_n_labels(y, len(classes))


def is_frozen(estimator):
    """Return whether `fit` of an estimator does nothing."""
    return isinstance(estimator, FrozenEstimator)


def find_topk_estimator(estimator):
    """Find the estimator with `predict_topk` inside searches, pipelines and frozen estimators.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator, pipeline, parameter search or `FrozenEstimator`; these can be nested.

    Returns
    -------
    estimator : estimator or None
        First estimator with `predict_topk`; None if there is none.
    transformers : list of estimator
        Fitted steps to apply to `X` first.
    """
    transformers = []
    containers = (Pipeline, FrozenEstimator)
    while isinstance(estimator, containers) or not hasattr(estimator, "predict_topk"):
        if is_frozen(estimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            # "passthrough", None and resampling steps have no transform and do not change rows.
            steps = [step for _, step in estimator.steps]
            transformers += [step for step in steps[:-1] if hasattr(step, "transform")]
            estimator = steps[-1]
        else:
            return None, []
    return estimator, transformers


def predict_topk_of(estimator, X, k=10, **options):
    """Return ``predict_topk`` of an estimator, or of the last step of a pipeline or search.

    Pipelines of scikit-learn have no `predict_topk`.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator, pipeline or parameter search; these can be nested.
    X : object
        Rows, in the format that the estimator accepts.
    k : int
        Number of labels per row.
    **options : dict
        Further arguments of the method.

    Returns
    -------
    indices, scores : ndarray of shape (n_samples, min(k, n_labels))
        Ranking.

    Raises
    ------
    TypeError
        If there is no estimator with `predict_topk`.
    """
    ranker, transformers = find_topk_estimator(estimator)
    if ranker is None:
        raise TypeError(
            "estimator must have predict_topk, or be a pipeline or search that ends with such an "
            f"estimator; got {type(estimator).__name__}."
        )
    for transformer in transformers:
        X = transformer.transform(X)
    return ranker.predict_topk(X, k, **options)


def takes_texts(estimator):
    """Return whether the rows of an estimator are texts.

    Parameters
    ----------
    estimator : estimator
        Estimator, pipeline or union, or a calibrated or threshold-tuned model of these.

    Returns
    -------
    bool
    """
    if isinstance(estimator, Pipeline):
        return takes_texts(estimator.steps[0][1])
    if isinstance(estimator, FeatureUnion):
        return all(takes_texts(part) for _, part in estimator.transformer_list)
    if isinstance(getattr(estimator, "estimator", None), BaseEstimator):
        return takes_texts(estimator.estimator)
    return hasattr(estimator, "__sklearn_tags__") and get_tags(estimator).input_tags.string
