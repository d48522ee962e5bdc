"""Checks of the fitted attributes of loaded estimators, against one another."""

import numpy as np

from skxmr.indexing import LabelHierarchy
from skxmr.transformer._cluster_heads import SCORE_TRANSFORMS, ClusterHeads
from skxmr.transformer._embedder import TransformerEmbedder
from skxmr.transformer._encoder import Encoder
from skxmr.transformer._matcher import TransformerMatcher
from skxmr.xr_linear import XRLinearClassifier


def check_heads(heads):
    """Raise a ValueError if the arrays of `ClusterHeads` contradict each other."""
    _require(isinstance(heads.hierarchy, LabelHierarchy), "hierarchy must be a LabelHierarchy")
    _require(heads.loss in SCORE_TRANSFORMS, f"loss must not be {heads.loss!r}")
    sizes, (weights, intercepts) = heads.hierarchy.level_sizes, (heads.weights, heads.intercepts)
    _require(type(weights) is type(intercepts) is list, "weights and intercepts must be lists")
    _require(len(weights) == len(intercepts) == len(sizes), "heads must have all levels")
    n_dimensions = weights[0].shape[1]
    for size, level_weights, level_intercepts in zip(sizes, weights, intercepts, strict=True):
        for values, shape in (
            (level_weights, (size, n_dimensions)),
            (level_intercepts, (size,)),
        ):
            is_valid = isinstance(values, np.ndarray) and values.dtype == np.float32
            _require(is_valid and values.shape == shape, f"heads must have the shape {shape}")


def check_heads_content(heads):
    """Raise a ValueError if a weight of `ClusterHeads` is not finite."""
    for values in (*heads.weights, *heads.intercepts):
        _require(np.isfinite(values).all(), "heads must be finite")


def check_scorer(scorer):
    """Raise a ValueError if a `ClusterScorer` is invalid."""
    heads, widths, columns = scorer.heads, scorer.widths, scorer.columns
    is_list = type(heads) is list and heads and all(type(head) is ClusterHeads for head in heads)
    _require(is_list, "heads must be a list of ClusterHeads")
    _require(
        widths == [head.weights[0].shape[1] for head in heads], "widths must be those of heads"
    )
    n_clusters = heads[0].hierarchy.n_labels
    same = all(head.hierarchy.n_labels == n_clusters for head in heads)
    _require(same, "heads must have the same clusters")
    is_vector = isinstance(columns, np.ndarray) and columns.ndim == 1 and columns.dtype == np.int32
    _require(is_vector, "columns must be an array of int32")
    in_range = columns.min(initial=0) >= 0 and columns.max(initial=0) < n_clusters
    _require(in_range, "columns must be clusters")
    width = scorer.beam_width
    _require(width is None or _is_positive_integer(width), f"beam_width must not be {width!r}")
    if scorer.linear is not None:
        _check_classifier(scorer.linear, "linear")
        _require(len(scorer.linear.classes_) == n_clusters, "linear must score the clusters")
        _require(scorer.linear.n_features_in_ >= sum(widths), "linear has too few features")


def check_embedder(embedder):
    """Raise a ValueError if a `TransformerEmbedder` is invalid; also if it is not fitted."""
    embedder._validate_params()
    fitted = vars(embedder)
    if "encoder_" not in fitted:
        return
    _require(type(fitted["encoder_"]) is Encoder, "encoder_ must be an Encoder")
    n_dimensions = fitted["encoder_"].n_dimensions
    _require(fitted["n_dimensions_"] == n_dimensions, f"n_dimensions_ must be {n_dimensions}")


def check_matcher(matcher):
    """Raise a ValueError if a `TransformerMatcher` is invalid."""
    check_embedder(matcher)
    fitted = vars(matcher)
    if "encoder_" not in fitted:
        return
    heads = fitted["heads_"]
    _require(type(heads) is ClusterHeads, "heads_ must be ClusterHeads")
    n_dimensions = heads.weights[0].shape[1]
    _require(fitted["n_dimensions_"] == n_dimensions, f"n_dimensions_ must be {n_dimensions}")
    _require(fitted["hierarchy_"] == heads.hierarchy, "hierarchy_ must be that of heads_")
    _require(np.shape(fitted["classes_"]) == (heads.hierarchy.n_labels,), "classes_ is invalid")


def check_text_classifier(classifier):
    """Raise a ValueError if an `XTransformerClassifier` is invalid."""
    classifier._validate_params()
    fitted = vars(classifier)
    if "classifier_" not in fitted:
        return
    _require(callable(getattr(fitted["vectorizer_"], "transform", None)), "vectorizer_ is invalid")
    encoders, linear = fitted["encoders_"], fitted["classifier_"]
    is_list = type(encoders) is list and encoders
    kinds = (TransformerMatcher, TransformerEmbedder)
    is_valid = is_list and all(type(e) in kinds and "encoder_" in vars(e) for e in encoders)
    _require(is_valid, "encoders_ must be a list of fitted encoders")
    _check_classifier(linear, "classifier_")
    n_dense = sum(encoder.n_dimensions_ for encoder in encoders)
    vocabulary = vars(fitted["vectorizer_"]).get("vocabulary_")
    n_features = None if vocabulary is None else len(vocabulary) + n_dense
    _require(
        n_features in (None, linear.n_features_in_), f"classifier_ must have {n_features} features"
    )
    _require(linear.n_features_in_ >= n_dense, "classifier_ has too few features")
    _require(np.array_equal(fitted["classes_"], linear.classes_), "classes_ must be of classifier_")
    _require(fitted["hierarchy_"] == linear.hierarchy_, "hierarchy_ must be that of classifier_")
    column = fitted.get("_text_column")
    _require(column is None or type(column) is str, f"text_column must not be {column!r}")
    weight = fitted["_embedding_weight"]
    is_number = isinstance(weight, (int, float, np.number)) and 0 < weight < np.inf
    _require(is_number, f"embedding_weight must be a positive number; got {weight!r}")


def _check_classifier(classifier, name):
    is_fitted = type(classifier) is XRLinearClassifier and "_model" in vars(classifier)
    _require(is_fitted, f"{name} must be a fitted XRLinearClassifier")


def _is_positive_integer(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value > 0


def _require(condition, problem):
    if not condition:
        raise ValueError(problem)
