"""What of scikit-learn stands around a model of texts: vectorizers, label names, pipelines."""

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

from skxmr._core.encoding import Kind
from skxmr._core.model_folder import estimator_kind


class Vocabulary(NamedTuple):
    """A dict from terms to columns, as arrays: as JSON it takes some times as long.

    Attributes
    ----------
    terms : ndarray of str
        Keys, in their order.
    columns : ndarray of int
        Values.
    """

    terms: np.ndarray
    columns: np.ndarray

    @classmethod
    def of(cls, value):
        """Return a dict as arrays, anything else as it is."""
        if type(value) is not dict:
            return value
        terms = np.empty(len(value), dtype=object)
        terms[:] = list(value)
        return cls(terms, np.array(list(value.values())))


def vectorizer(cls):
    """Make the kind of an estimator that counts terms."""
    whole = estimator_kind(cls)

    def fields(value):
        fields = whole.fields(value)
        params, fitted = fields["params"], fields["fitted"]
        params = {**params, "vocabulary": Vocabulary.of(params["vocabulary"])}
        # The id is an address: it says nothing in another process.
        fitted = {k: Vocabulary.of(v) for k, v in fitted.items() if k != "_stop_words_id"}
        return {**fields, "params": params, "fitted": fitted}

    return Kind(cls, fields, whole.make)


def binarizer(cls):
    """Make the kind of an estimator that keeps an index of its classes to be made anew."""
    whole = estimator_kind(cls)

    def fields(value):
        fields = whole.fields(value)
        return {**fields, "fitted": {**fields["fitted"], "_cached_dict": None}}

    return Kind(cls, fields, whole.make)


SKLEARN_KINDS = {
    "Vocabulary": Kind(
        Vocabulary,
        Vocabulary._asdict,
        lambda fields: dict(zip(fields["terms"].tolist(), fields["columns"].tolist(), strict=True)),
    ),
    "CountVectorizer": vectorizer(CountVectorizer),
    "TfidfVectorizer": vectorizer(TfidfVectorizer),
    "TfidfTransformer": estimator_kind(TfidfTransformer),
    "HashingVectorizer": estimator_kind(HashingVectorizer),
    "Normalizer": estimator_kind(Normalizer),
    "MultiLabelBinarizer": binarizer(MultiLabelBinarizer),
    "FeatureUnion": estimator_kind(FeatureUnion),
    "Pipeline": estimator_kind(Pipeline),
}
