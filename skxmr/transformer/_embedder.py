"""Embeddings of texts by a pre-trained encoder that is not trained further."""

from numbers import Integral
from os import PathLike

from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skxmr._core.texts import check_texts
from skxmr.transformer._device import PRECISIONS, choose_device, choose_dtype
from skxmr.transformer._encoder import load_encoder


class TransformerEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Embed texts with a frozen pre-trained encoder.

    The embedding of a text is the mean of the encoder's last layer over its tokens. Use embeddings
    as features of rows, alone or together with TF-IDF, or as label features if labels have texts.

    You can pickle a fitted embedder or save it with `skxmr.save_model`. Both store the weights and
    the tokenizer, so loading needs neither the folder of the encoder nor a network. Except for
    rounding, the embedding of a text does not depend on the other texts.

    Parameters
    ----------
    model : str or path
        Folder of an encoder and its tokenizer, or a name that `transformers` may download. Nothing
        is downloaded for a folder.
    max_length : int, default=128
        Maximum number of tokens per text, special tokens included. The rest of a text is ignored.
        The limit of the encoder also applies. A larger value is slower if texts are longer.
    batch_size : int, default=32
        Number of texts per batch. A larger value is faster on a GPU and needs more memory.
    normalize : bool, default=True
        Whether to scale each embedding to unit length. Linear models usually rank better then.
    device : str or torch.device, default="auto"
        Device that computes. "auto" is CUDA if available, else MPS if available, else the CPU.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Precision of the matrix products. "auto" is "bfloat16" on CUDA devices that support it,
        "float16" on other CUDA devices, and "float32" elsewhere. Half precision is several times
        as fast on a GPU and keeps about 3 digits.
    verbose : int, default=0
        2 or more shows a progress bar.

    Attributes
    ----------
    encoder_ : Encoder
        Encoder and its tokenizer.
    n_dimensions_ : int
        Length of an embedding.

    See Also
    --------
    TransformerMatcher : Fine-tunes the encoder.

    Examples
    --------
    Cosine similarities of three texts:

    >>> from skxmr.transformer import TransformerEmbedder
    >>> embedder = TransformerEmbedder("sentence-transformers/all-MiniLM-L6-v2")
    >>> E = embedder.fit_transform(["a cat", "a kitten", "tax law"])  # doctest: +SKIP
    >>> E.shape  # doctest: +SKIP
    (3, 384)
    >>> (E @ E.T).round(2)  # doctest: +SKIP
    array([[1.  , 0.77, 0.17],
           [0.77, 1.  , 0.12],
           [0.17, 0.12, 1.  ]], dtype=float32)
    """

    _parameter_constraints = {
        "model": [str, PathLike],
        "max_length": [Interval(Integral, 3, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "normalize": ["boolean"],
        "device": "no_validation",
        "precision": [StrOptions(set(PRECISIONS))],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model,
        *,
        max_length=128,
        batch_size=32,
        normalize=True,
        device="auto",
        precision="auto",
        verbose=0,
    ):
        self.model = model
        self.max_length = max_length
        self.batch_size = batch_size
        self.normalize = normalize
        self.device = device
        self.precision = precision
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, texts, y=None):
        """Load the encoder. Nothing is learned from the texts.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            Texts, only validated.
        y : None
            Ignored.

        Returns
        -------
        self : TransformerEmbedder
            Fitted embedder.

        Raises
        ------
        ValueError
            If `texts` contains anything other than strings, if a parameter is invalid, or if the
            encoder or the device is not available.
        """
        check_texts(texts)
        choose_dtype(self.precision, choose_device(self.device))
        encoder = load_encoder(self.model)
        self.encoder_ = encoder
        self.n_dimensions_ = encoder.n_dimensions
        return self

    def transform(self, texts):
        """Embed texts.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            Texts. Empty strings are allowed.

        Returns
        -------
        E : ndarray of shape (n_samples, n_dimensions), float32
            Embeddings.

        Raises
        ------
        ValueError
            If `texts` contains anything other than strings, or a parameter is invalid.
        MemoryError
            If the memory of the device is too small.
        """
        check_is_fitted(self)
        self._validate_params()
        texts = check_texts(texts)
        device = choose_device(self.device)
        return self.encoder_.embed(
            self.encoder_.tokenize(texts, self.max_length),
            batch_size=self.batch_size,
            max_length=self.max_length,
            device=device,
            dtype=choose_dtype(self.precision, device),
            show_progress=self.verbose > 1,
            normalize=self.normalize,
        )

    @property
    def _n_features_out(self):
        return self.n_dimensions_
