"""Checks of loaded estimators of scikit-learn: parameters, and sizes of the fitted attributes.

`transform` could otherwise raise any error, or read files of the machine.
"""

from itertools import pairwise

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.preprocessing import FunctionTransformer

from skxmr._core.encoding import UNSAVABLE_ADVICE
from skxmr.persistence._fitted_checks import (
    check_is_complete,
    check_n_jobs,
    check_step_weights,
    is_fitted,
    is_integer,
)

MAX_DIMENSIONS = 2**20  # of an embedding; a manipulated file can contain any number


def check_vectorizer(vectorizer):
    """Raise a ValueError if a `CountVectorizer` or `TfidfVectorizer` is invalid."""
    check_text_params(vectorizer)
    fitted = vars(vectorizer)
    if "vocabulary_" not in fitted:
        return
    vocabulary = fitted["vocabulary_"]
    is_valid = type(vocabulary) is dict and all(type(term) is str for term in vocabulary)
    columns = list(vocabulary.values()) if is_valid else []
    if not columns or not np.array_equal(np.sort(columns), np.arange(len(columns))):
        raise ValueError("vocabulary_ must contain each column once")
    if not isinstance(vectorizer, TfidfVectorizer):
        return
    tfidf = fitted.get("_tfidf")
    if type(tfidf) is not TfidfTransformer:
        raise ValueError("_tfidf must be a TfidfTransformer")
    if vars(tfidf).get("n_features_in_", len(columns)) != len(columns):
        raise ValueError(f"idf_ must have {len(columns)} entries")


def check_hashing_vectorizer(vectorizer):
    """Raise a ValueError if a `HashingVectorizer` is invalid."""
    check_text_params(vectorizer)


def check_text_params(vectorizer):
    """Raise a ValueError if a vectorizer has parameters with which it could not transform texts."""
    vectorizer._validate_params()
    if vectorizer.input != "content":
        raise ValueError(f"input must be 'content'; got {vectorizer.input!r}")
    limits = vectorizer.ngram_range
    if len(limits) != 2 or not all(isinstance(n, (int, np.integer)) for n in limits):
        raise ValueError(f"ngram_range must be two integers; got {limits!r}")
    if not 0 <= limits[0] <= limits[1]:
        raise ValueError(f"ngram_range must increase from at least 0; got {limits!r}")
    if np.dtype(vectorizer.dtype).kind not in "biuf":
        raise ValueError(f"dtype must be a dtype of numbers; got {vectorizer.dtype!r}")
    if not all(type(word) is str for word in vectorizer.get_stop_words() or ()):
        raise ValueError("stop_words must be strings")
    b"a".decode(vectorizer.encoding, "ignore")  # raises an error for an unknown encoding
    # Only words need a pattern.
    if vectorizer.analyzer == "word" or vectorizer.token_pattern is not None:
        vectorizer.build_tokenizer()  # raises an error for an invalid token_pattern


def check_tfidf_transformer(transformer):
    """Raise a ValueError if a `TfidfTransformer` is invalid."""
    transformer._validate_params()
    fitted = vars(transformer)
    if "idf_" not in fitted:
        return
    idf, n_features = fitted["idf_"], fitted.get("n_features_in_")
    if not (isinstance(idf, np.ndarray) and idf.shape == (n_features,) and idf.dtype.kind == "f"):
        raise ValueError("idf_ must have one number per feature")
    if not np.isfinite(idf).all():
        raise ValueError("idf_ must be finite")


def check_normalizer(normalizer):
    """Raise a ValueError if a `Normalizer` is invalid."""
    normalizer._validate_params()


def check_binarizer(binarizer):
    """Raise a ValueError if a `MultiLabelBinarizer` is invalid."""
    binarizer._validate_params()
    if "classes_" not in vars(binarizer):
        return
    classes = binarizer.classes_
    if not (isinstance(classes, np.ndarray) and classes.ndim == 1):
        raise ValueError("classes_ must be a 1-D array")
    index = vars(binarizer)["_cached_dict"]
    if index is not None and index != {label: i for i, label in enumerate(classes)}:
        raise ValueError("_cached_dict must be None or the positions of classes_")


def check_text_embedder(embedder):
    """Raise a ValueError if a `TextEmbedder` is invalid."""
    embedder._validate_params()
    if not is_fitted(embedder):
        return
    check_is_complete(embedder, ["encoder_", "n_dimensions_"])
    n_dimensions = embedder.n_dimensions_
    if not is_integer(n_dimensions) or not 0 < n_dimensions <= MAX_DIMENSIONS:
        raise ValueError(f"n_dimensions_ must be from 1 to {MAX_DIMENSIONS}; got {n_dimensions!r}")
    if not hasattr(embedder.encoder_, "transform"):
        raise TypeError(
            "encoder of TextEmbedder must be a transformer to be saved; got a "
            f"{type(embedder.encoder_).__name__}. {UNSAVABLE_ADVICE}"
        )


def check_pipeline(pipeline):
    """Raise a ValueError or TypeError if a `Pipeline` is invalid."""
    pipeline._validate_params()
    _check_names(pipeline.steps, "steps")
    pipeline._validate_steps()
    # No other check uses the number of features of an identity, which would be that of its names.
    for (_, step), (_, following) in pairwise(pipeline.steps):
        if type(step) is FunctionTransformer and hasattr(following, "__dict__"):
            widths = [vars(s)["n_features_in_"] for s in (step, following) if _has_width(s)]
            if len(set(widths)) > 1:
                raise ValueError(f"steps must have the same number of features; got {widths}")


def check_union(union):
    """Raise a ValueError or TypeError if a `FeatureUnion` is invalid."""
    _check_names(union.transformer_list, "transformer_list")
    union._validate_transformers()
    check_step_weights(union.transformer_weights)
    if union.transformer_weights is not None:
        union._validate_transformer_weights()
    check_n_jobs(union.n_jobs)


def _has_width(step):
    return "n_features_in_" in vars(step)


def _check_names(steps, name):
    if not (isinstance(steps, (list, tuple)) and steps and all(map(_is_named, steps))):
        raise ValueError(f"{name} must be a list of names and estimators; got {steps!r}")


def _is_named(step):
    return isinstance(step, (list, tuple)) and len(step) == 2 and isinstance(step[0], str)
