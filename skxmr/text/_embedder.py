"""Embeddings of texts by any encoder, computed once and stored on disk."""

import copy
import hashlib
import re
import sys
import time
from numbers import Integral
from os import PathLike
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
    clone,
)
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skxmr._core.texts import check_texts
from skxmr.text._embedding_store import EmbeddingStore

SECONDS_PER_LINE = 10.0  # between two lines of progress


class TextEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Embed texts with any encoder; optionally store the embeddings on disk.

    Equal texts are embedded once. Texts are embedded in batches of similar length, because most
    encoders pad the texts of a batch to the length of the longest.

    Parameters
    ----------
    encoder : object
        An object with a method ``encode(texts)`` that returns one row of numbers per text, such as
        a `SentenceTransformer`, which is used as it is; or a transformer of texts, such as
        `skxmr.transformer.TransformerEmbedder`, which is cloned and fitted.
    cache_dir : str, path or None, default=None
        Folder for the embeddings. Each text is embedded only once by an encoder with equal
        parameters, also in later programs and by cross-validation. The encoder must be picklable.
        Embeddings are never removed: remove the folder to free the space. If None, nothing is
        stored.
    normalize : bool, default=True
        Whether to scale each embedding to unit length, so that embeddings and TF-IDF have equal
        weight. Linear models usually rank better then.
    dtype : {"float32", "float16"}, default="float32"
        Dtype of the embeddings in memory and on disk. "float16" takes half the space and keeps
        three digits.
    batch_size : int, default=1024
        Number of texts per call of the encoder, which may divide them further. Embeddings are
        stored after each call.
    verbose : int, default=0
        Level of output. With 1 or more, the progress is printed.

    Attributes
    ----------
    encoder_ : object
        Encoder; fitted if it is a transformer.
    n_dimensions_ : int
        Length of an embedding.

    See Also
    --------
    skxmr.make_text_classifier : Pipeline of TF-IDF and embeddings.
    skxmr.transformer.TransformerEmbedder : Encoder in a folder, without other packages than torch
        and transformers.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.text import TextEmbedder
    >>> class LetterCounts:
    ...     def encode(self, texts):
    ...         return np.array([[text.count(letter) for letter in "abc"] for text in texts])
    >>> TextEmbedder(LetterCounts()).fit_transform(["a cab", "abba"]).round(2)
    array([[0.82, 0.41, 0.41],
           [0.71, 0.71, 0.  ]], dtype=float32)
    """

    _parameter_constraints = {
        "encoder": [HasMethods("encode"), HasMethods(["fit", "transform"])],
        "cache_dir": [str, PathLike, None],
        "normalize": ["boolean"],
        "dtype": [StrOptions({"float32", "float16"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        encoder,
        *,
        cache_dir=None,
        normalize=True,
        dtype="float32",
        batch_size=1024,
        verbose=0,
    ):
        self.encoder = encoder
        self.cache_dir = cache_dir
        self.normalize = normalize
        self.dtype = dtype
        self.batch_size = batch_size
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def __sklearn_clone__(self):
        # Encoders that are not estimators are large, and `encode` does not change them: clones
        # share them.
        params = self.get_params(deep=False)
        if hasattr(self.encoder, "get_params"):
            params["encoder"] = clone(self.encoder)
        copied = type(self)(**params)
        for name in ("_sklearn_output_config", "_metadata_request"):  # as `clone` does
            if name in vars(self):
                setattr(copied, name, copy.deepcopy(getattr(self, name)))
        return copied

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, texts, y=None):
        """Fit the encoder if it is a transformer, and embed one text to find the dimension.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            Texts. Empty strings are allowed.
        y : None
            Ignored.

        Returns
        -------
        self : TextEmbedder
            Fitted embedder.

        Raises
        ------
        ValueError
            If `texts` contains anything other than strings, a parameter is invalid, or the encoder
            does not return one row of finite numbers per text.
        TypeError
            If `cache_dir` is set and the encoder cannot be pickled.
        """
        texts = check_texts(texts)
        encoder = self.encoder
        if isinstance(encoder, str):  # which has a method `encode`
            raise ValueError(
                f"encoder must be an object; got {encoder!r}. For a folder or a name, pass "
                "skxmr.transformer.TransformerEmbedder(...)."
            )
        if not hasattr(encoder, "encode"):
            encoder = clone(encoder).fit(texts)
        n_dimensions = _encode(encoder, texts[:1]).shape[1]
        self.encoder_ = encoder
        self.n_dimensions_ = n_dimensions
        vars(self).pop("_encoder_key", None)
        if self.cache_dir is not None:
            self._encoder_key = _identify(encoder)  # takes seconds for a large encoder
        return self

    def transform(self, texts):
        """Embed texts.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            Texts. Empty strings are allowed.

        Returns
        -------
        E : ndarray of shape (n_samples, n_dimensions)
            Embeddings, float32 or float16.

        Raises
        ------
        ValueError
            If `texts` contains anything other than strings, a parameter is invalid, or the encoder
            does not return one row of finite numbers per text.
        TypeError
            If `cache_dir` is set and the encoder cannot be pickled.
        OSError
            If the file of the embeddings cannot be read or written.
        """
        check_is_fitted(self)
        self._validate_params()
        texts = check_texts(texts)
        unique = list(dict.fromkeys(texts))
        embeddings = self._embed(unique)
        if len(unique) == len(texts):
            return embeddings
        position = {text: i for i, text in enumerate(unique)}
        return embeddings[[position[text] for text in texts]]

    def _embed(self, texts):
        # Return the embeddings of different texts.
        store = None if self.cache_dir is None else self._open_store()
        if store is None:
            embeddings = np.empty((len(texts), self.n_dimensions_), dtype=self.dtype)
            missing = np.arange(len(texts))
        else:
            embeddings, is_found = store.load(texts)
            missing = np.flatnonzero(~is_found)
        # Longest first: if the memory is too small, the first batch fails.
        lengths = np.array([len(texts[row]) for row in missing], dtype=np.int64)
        missing = missing[np.argsort(-lengths, kind="stable")]
        started = printed = time.monotonic()
        for start in range(0, len(missing), self.batch_size):
            rows = missing[start : start + self.batch_size]
            batch = [texts[row] for row in rows]
            embeddings[rows] = self._encode_batch(batch)
            if store is not None:
                store.save(batch, embeddings[rows])
            now, stop = time.monotonic(), start + len(rows)
            if self.verbose and (now - printed >= SECONDS_PER_LINE or stop == len(missing)):
                printed = now
                print(
                    f"[{type(self).__name__}] {stop:,} of {len(missing):,} texts embedded, "
                    f"{now - started:.1f} s"
                )
        return embeddings

    def _encode_batch(self, texts):
        embeddings = _encode(self.encoder_, texts)
        if embeddings.shape[1] != self.n_dimensions_:
            raise ValueError(
                f"encoder must return {self.n_dimensions_} numbers per text, as in fit; got "
                f"{embeddings.shape[1]}."
            )
        if self.normalize:
            # Divided by the largest value, so that no square overflows or vanishes.
            largest = np.abs(embeddings).max(axis=1, keepdims=True).astype(np.float64)
            embeddings = embeddings / np.where(largest > 0, largest, 1.0)
            lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
            embeddings = embeddings / np.where(lengths > 0, lengths, 1.0)
        embeddings = embeddings.astype(self.dtype)
        if not np.isfinite(embeddings).all():
            raise ValueError(
                f"encoder must return numbers that {self.dtype} can hold; got larger ones. Set "
                "normalize=True or dtype='float32'."
            )
        return embeddings

    def _open_store(self):
        encoder_key = vars(self).get("_encoder_key") or _identify(self.encoder_)
        key = joblib.hash([encoder_key, self.normalize, self.dtype])
        path = Path(self.cache_dir) / f"embeddings-{key}.sqlite"
        return EmbeddingStore(path, self.n_dimensions_, self.dtype)

    @property
    def _n_features_out(self):
        return self.n_dimensions_


def _identify(encoder):
    # A hash that is equal in other processes.
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(encoder, torch.nn.Module):
        try:
            return joblib.hash(encoder)
        except Exception as error:
            raise TypeError(
                "cache_dir must be None if the encoder cannot be pickled, because embeddings are "
                f"stored by its content; got a {type(encoder).__name__}."
            ) from error
    # Pickles of modules differ between processes. `repr` contains the layers and, for a
    # SentenceTransformer, the maximum length and the kind of pooling; its prompts are attributes.
    layers = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(encoder))
    plain = (str, int, float, bool, type(None), list, tuple, dict)
    attributes = {
        name: value
        for name, value in vars(encoder).items()
        if isinstance(value, plain) and not name.startswith("_")
    }
    digest = hashlib.blake2b(f"{type(encoder)} {layers} {attributes}".encode())
    for name, tensor in encoder.state_dict().items():
        values = tensor.detach().cpu().contiguous().flatten()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(values.view(torch.uint8).numpy())
    return digest.hexdigest()


def _encode(encoder, texts):
    method = encoder.encode if hasattr(encoder, "encode") else encoder.transform
    embeddings = np.asarray(method(texts))
    is_valid = embeddings.ndim == 2 and len(embeddings) == len(texts) and embeddings.size > 0
    if not is_valid or embeddings.dtype.kind not in "iuf":
        raise ValueError(
            f"encoder must return one row of numbers per text; got shape {embeddings.shape} and "
            f"dtype {embeddings.dtype} for {len(texts)} texts."
        )
    is_finite = np.isfinite(embeddings).all(axis=1)
    if not is_finite.all():
        raise ValueError(
            "encoder must return only finite values; got NaN or infinity for the text "
            f"{texts[np.argmin(is_finite)]!r:.60}."
        )
    return embeddings
