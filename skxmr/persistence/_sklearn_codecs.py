"""Codecs of scikit-learn's estimators around a text model: vectorizers, labels, pipelines.

A codec converts an object to a dict of plain values, its fields, and back; see `ClassCodec`.
"""

from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MultiLabelBinarizer, Normalizer

from skxmr._core.encoding import ClassCodec
from skxmr._core.model_folder import estimator_codec
from skxmr.persistence._sklearn_checks import (
    check_binarizer,
    check_hashing_vectorizer,
    check_normalizer,
    check_pipeline,
    check_tfidf_transformer,
    check_union,
    check_vectorizer,
)
from skxmr.pipeline import Pipeline as RankingPipeline
from skxmr.text import CACHED_ATTRIBUTES
from skxmr.text import CountVectorizer as CompiledCountVectorizer
from skxmr.text import TfidfVectorizer as CompiledTfidfVectorizer


class Vocabulary(NamedTuple):
    """A dict from terms to columns as two arrays, which load several times as fast as JSON.

    Attributes
    ----------
    terms : ndarray of str
        Keys of the dict, in their order.
    columns : ndarray of int
        Values of the dict.
    """

    terms: np.ndarray
    columns: np.ndarray

    @classmethod
    def from_dict(cls, vocabulary):
        """Return the arrays of a dict; return any other value unchanged."""
        if type(vocabulary) is not dict:
            return vocabulary
        terms = np.empty(len(vocabulary), dtype=object)
        terms[:] = list(vocabulary)
        return cls(terms, np.array(list(vocabulary.values())))


def make_codec(cls, check, change_fields=None):
    """Return the codec of an estimator that is checked when it is saved and loaded.

    Parameters
    ----------
    cls : type
        Class of the estimator.
    check : callable
        Function that raises a ValueError if an estimator is invalid. Such an estimator is not
        saved, because it could not be loaded.
    change_fields : callable or None
        Function that changes the dicts of the parameters and of the fitted attributes.
    """
    codec = estimator_codec(cls, check_fitted=check)

    def to_fields(estimator):
        if getattr(estimator, "input", "content") != "content":
            raise TypeError(
                f"input of {cls.__name__} must be 'content'; got {estimator.input!r}. save_model "
                "cannot write it, because the loaded model would read files of the machine; "
                "joblib.dump(model, file) saves any model."
            )
        check(estimator)
        fields = codec.to_fields(estimator)
        params, fitted = dict(fields["params"]), dict(fields["fitted"])
        if change_fields is not None:
            change_fields(params, fitted)
        return {**fields, "params": params, "fitted": fitted}

    return ClassCodec(cls, to_fields, codec.from_fields)


def _convert_vocabularies(params, fitted):
    params["vocabulary"] = Vocabulary.from_dict(params["vocabulary"])
    for name, value in fitted.items():
        fitted[name] = Vocabulary.from_dict(value)
    # The id of the stop words is an address, which is meaningless in another process.
    for name in ("_stop_words_id", *CACHED_ATTRIBUTES):
        fitted.pop(name, None)


def _remove_cached_index(params, fitted):
    fitted["_cached_dict"] = None


def _make_dict(fields):
    terms, columns = fields["terms"], fields["columns"]
    if terms.ndim != 1 or columns.ndim != 1:
        raise ValueError("a vocabulary must have one term per column")
    return dict(zip(terms.tolist(), columns.tolist(), strict=True))


SKLEARN_CODECS = {
    # Decoded as a dict, because that is what a vectorizer needs.
    "Vocabulary": ClassCodec(Vocabulary, Vocabulary._asdict, _make_dict),
    "CountVectorizer": make_codec(CountVectorizer, check_vectorizer, _convert_vocabularies),
    "TfidfVectorizer": make_codec(TfidfVectorizer, check_vectorizer, _convert_vocabularies),
    "skxmr.text.CountVectorizer": make_codec(
        CompiledCountVectorizer, check_vectorizer, _convert_vocabularies
    ),
    "skxmr.text.TfidfVectorizer": make_codec(
        CompiledTfidfVectorizer, check_vectorizer, _convert_vocabularies
    ),
    "TfidfTransformer": make_codec(TfidfTransformer, check_tfidf_transformer),
    "HashingVectorizer": make_codec(HashingVectorizer, check_hashing_vectorizer),
    "Normalizer": make_codec(Normalizer, check_normalizer),
    "MultiLabelBinarizer": make_codec(MultiLabelBinarizer, check_binarizer, _remove_cached_index),
    "FeatureUnion": make_codec(FeatureUnion, check_union),
    "Pipeline": make_codec(Pipeline, check_pipeline),
    "skxmr.pipeline.Pipeline": make_codec(RankingPipeline, check_pipeline),
}
