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


def make_vectorizer_codec(cls):
    """Return the codec of a vectorizer with a vocabulary."""
    codec = estimator_codec(cls)

    def to_fields(vectorizer):
        fields = codec.to_fields(vectorizer)
        params, fitted = fields["params"], fields["fitted"]
        params = {**params, "vocabulary": Vocabulary.from_dict(params["vocabulary"])}
        fitted = {name: Vocabulary.from_dict(value) for name, value in fitted.items()}
        # The id of the stop words is an address, which is meaningless in another process.
        fitted.pop("_stop_words_id", None)
        return {**fields, "params": params, "fitted": fitted}

    return ClassCodec(cls, to_fields, codec.from_fields)


def make_binarizer_codec(cls):
    """Return the codec of a label binarizer, without its cached index of the classes."""
    codec = estimator_codec(cls)

    def to_fields(binarizer):
        fields = codec.to_fields(binarizer)
        return {**fields, "fitted": {**fields["fitted"], "_cached_dict": None}}

    return ClassCodec(cls, to_fields, codec.from_fields)


SKLEARN_CODECS = {
    # Decoded as a dict, because that is what a vectorizer needs.
    "Vocabulary": ClassCodec(
        Vocabulary,
        Vocabulary._asdict,
        lambda fields: dict(zip(fields["terms"].tolist(), fields["columns"].tolist(), strict=True)),
    ),
    "CountVectorizer": make_vectorizer_codec(CountVectorizer),
    "TfidfVectorizer": make_vectorizer_codec(TfidfVectorizer),
    "TfidfTransformer": estimator_codec(TfidfTransformer),
    "HashingVectorizer": estimator_codec(HashingVectorizer),
    "Normalizer": estimator_codec(Normalizer),
    "MultiLabelBinarizer": make_binarizer_codec(MultiLabelBinarizer),
    "FeatureUnion": estimator_codec(FeatureUnion),
    "Pipeline": estimator_codec(Pipeline),
}
