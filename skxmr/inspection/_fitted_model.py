"""Access to a fitted classifier: find it in an estimator, and look up its trees and labels."""

from typing import NamedTuple

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from skxmr._core.estimators import find_topk_estimator
from skxmr._linear.level_weights import UNTRAINED_INTERCEPT
from skxmr.xr_linear import TreeEnsemble, TreeModel


class FittedPipeline(NamedTuple):
    """A fitted tree classifier and the steps in front of it.

    Attributes
    ----------
    classifier : XRLinearClassifier
        The classifier.
    transformer : Pipeline or None
        Steps that transform rows for the classifier; None if there are none.
    classes : ndarray of shape (n_labels,)
        Labels of the estimator. A calibrated classifier knows the names of labels, while its
        classifier is fitted on an indicator.
    """

    classifier: object
    transformer: object
    classes: np.ndarray


def find_classifier(estimator):
    """Find the fitted tree classifier in an estimator.

    Parameters
    ----------
    estimator : estimator
        A classifier, or a fitted pipeline, search, `FrozenEstimator`, calibrated or threshold-tuned
        classifier that contains one; these can be nested. The last two predict with their
        `estimator_`, which is fitted on all rows.

    Returns
    -------
    FittedPipeline

    Raises
    ------
    TypeError
        If there is no such classifier.
    """
    check_is_fitted(estimator)
    outer, steps = find_topk_estimator(estimator)
    classifier = outer
    while hasattr(classifier, "estimator_"):
        classifier, more_steps = find_topk_estimator(classifier.estimator_)
        steps = steps + more_steps
    if classifier is not None:
        check_is_fitted(classifier)
    if not isinstance(getattr(classifier, "_model", None), (TreeModel, TreeEnsemble)):
        raise TypeError(
            "estimator must be an XRLinearClassifier, or a pipeline, search, calibrated or "
            f"threshold-tuned classifier that ends with one; got {type(estimator).__name__}."
        )
    return FittedPipeline(classifier, make_pipeline(*steps) if steps else None, outer.classes_)


def list_trees(classifier):
    """Return the list of `TreeModel` of a fitted classifier."""
    model = classifier._model
    return model.models if isinstance(model, TreeEnsemble) else [model]


def label_positions(hierarchy, level, node):
    """Return the first and the end position in `label_order` of the labels below a node."""
    first, end = int(node), int(node) + 1
    for indptr in hierarchy.child_indptrs[level:]:
        first, end = int(indptr[first]), int(indptr[end])
    return first, end


def most_frequent_labels(model, level, node, n_labels):
    """Return at most `n_labels` labels below a node, by decreasing number of training rows.

    Labels without training rows come last, ties are ordered by label. The ranker's offsets serve
    as frequencies: they decrease with the number of training rows.
    """
    first, end = label_positions(model.hierarchy, level, node)
    order = np.lexsort((model.ranker.offsets[first:end], _is_untrained(model, first, end)))
    return model.hierarchy.label_order[first:end][order[:n_labels]]


def _is_untrained(model, first, end):
    if model.ranker.levels:
        return model.ranker.levels[0].arrays["intercepts"][first:end] <= UNTRAINED_INTERCEPT
    return np.array([label_model is False for label_model in model.ranker.models[first:end]])
