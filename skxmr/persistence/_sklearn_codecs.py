"""Codecs of estimators around a classifier: vectorizers, scalers, labels and pipelines.

Classes whose import is slow have separate modules; see `skxmr.persistence._codecs`.

A codec converts an object to a dict of plain values, its fields, and back; see `ClassCodec`.
"""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MultiLabelBinarizer, Normalizer

from skxmr._core.encoding import ClassCodec
from skxmr.persistence._checked_codec import make_codec
from skxmr.persistence._frozen import FROZEN_CODEC
from skxmr.persistence._scalers import SCALER_CODECS
from skxmr.persistence._sklearn_checks import (
    check_binarizer,
    check_hashing_vectorizer,
    check_normalizer,
    check_pipeline,
    check_text_embedder,
    check_tfidf_transformer,
    check_union,
    check_vectorizer,
)
from skxmr.pipeline import FeatureUnion as MixedUnion
from skxmr.pipeline import Pipeline as RankingPipeline
from skxmr.text import CACHED_ATTRIBUTES, TextEmbedder
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


def _convert_vocabularies(params, fitted):
    params["vocabulary"] = Vocabulary.from_dict(params["vocabulary"])
    for name, value in fitted.items():
        fitted[name] = Vocabulary.from_dict(value)
    # The id of the stop words is an address, which is meaningless in another process.
    for name in ("_stop_words_id", *CACHED_ATTRIBUTES):
        fitted.pop(name, None)


def _remove_cached_index(params, fitted):
    fitted["_cached_dict"] = None


def _drop_cache(params, fitted):
    # A loaded model must not write to a folder that its file names, which may be manipulated.
    params["cache_dir"] = None
    fitted.pop("_encoder_key", None)


def _prepare_embedder(params, fitted):
    _drop_cache(params, fitted)
    # `encoder_` is the fitted encoder. Without the copy, the weights of an encoder that was already
    # fitted when it was passed would be stored twice.
    if hasattr(params["encoder"], "get_params"):
        params["encoder"] = clone(params["encoder"])


def _make_dict(fields):
    terms, columns = fields["terms"], fields["columns"]
    if terms.ndim != 1 or columns.ndim != 1:
        raise ValueError("a vocabulary must have one term per column")
    return dict(zip(terms.tolist(), columns.tolist(), strict=True))


SKLEARN_CODECS = SCALER_CODECS | {
    "slice": ClassCodec(
        slice,
        lambda value: {"start": value.start, "stop": value.stop, "step": value.step},
        lambda fields: slice(fields["start"], fields["stop"], fields["step"]),
    ),
    # Decoded as a dict, because that is what a vectorizer needs.
    "Vocabulary": ClassCodec(Vocabulary, Vocabulary._asdict, _make_dict),
    "CountVectorizer": make_codec(CountVectorizer, check_vectorizer, _convert_vocabularies),
    "TfidfVectorizer": make_codec(TfidfVectorizer, check_vectorizer, _convert_vocabularies),
    "skxmr.text.CountVectorizer": make_codec(
        CompiledCountVectorizer, check_vectorizer, _convert_vocabularies
    ),
    "skxmr.text.TextEmbedder": make_codec(
        TextEmbedder, check_text_embedder, _prepare_embedder, _drop_cache
    ),
    "skxmr.text.TfidfVectorizer": make_codec(
        CompiledTfidfVectorizer, check_vectorizer, _convert_vocabularies
    ),
    "TfidfTransformer": make_codec(TfidfTransformer, check_tfidf_transformer),
    "HashingVectorizer": make_codec(HashingVectorizer, check_hashing_vectorizer),
    "Normalizer": make_codec(Normalizer, check_normalizer),
    "MultiLabelBinarizer": make_codec(MultiLabelBinarizer, check_binarizer, _remove_cached_index),
    "FrozenEstimator": FROZEN_CODEC,
    "FeatureUnion": make_codec(FeatureUnion, check_union),
    "skxmr.pipeline.FeatureUnion": make_codec(MixedUnion, check_union),
    "Pipeline": make_codec(Pipeline, check_pipeline),
    "skxmr.pipeline.Pipeline": make_codec(RankingPipeline, check_pipeline),
}
