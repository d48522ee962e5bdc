"""Embeddings of texts by a pre-trained encoder, as it is."""

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

from skxmr.transformer._device import PRECISIONS, choose_device, choose_dtype
from skxmr.transformer._encoding import load_encoder
from skxmr.transformer._texts import check_texts


class TransformerEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Texts to the embeddings of a pre-trained encoder, without training it.

    The mean of the last layer over the tokens of a text. Use it for the features of rows, alone or
    beside TF-IDF, and for label features from the labels' texts.

    A fitted embedder is pickled, or saved by `skxmr.save_model`, with the weights and the
    tokenizer, and loads where the folder or the network is not. A row's embedding does not depend
    on the rows beside it, but to rounding.

    Parameters
    ----------
    model : str or path
        A folder with an encoder and its tokenizer, from which alone files are read then, or a name
        for `transformers`, which may download it.
    max_length : int, default=128
        Most tokens read of a text, those that mark its ends included; the rest is ignored, as is
        what lies beyond the window of the model. Larger reads more and is slower where texts are
        longer.
    batch_size : int, default=32
        Texts at once. Larger is faster on a GPU and needs more memory.
    normalize : bool, default=True
        Whether rows are scaled to unit length, as the linear models expect.
    device : str or torch.device, default="auto"
        Where to compute: "auto" takes CUDA, else MPS, else the CPU.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Of the matrix products. "auto" takes a half precision on CUDA, "bfloat16" if it has that,
        and "float32" elsewhere. Half precision is several times as fast on a GPU, and rounds to
        about 3 digits.
    verbose : int, default=0
        2 or more shows a bar.

    Attributes
    ----------
    encoder_ : Encoder
        The model and its tokenizer.
    n_dimensions_ : int
        Length of an embedding.

    See Also
    --------
    TransformerMatcher : Trains the encoder.

    Examples
    --------
    >>> from skxmr.transformer import TransformerEmbedder
    >>> embedder = TransformerEmbedder("/models/all-MiniLM-L6-v2")
    >>> embedder.fit_transform(["a cat", "a kitten"]).shape  # doctest: +SKIP
    (2, 384)
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
        """Load the encoder; nothing is learned of the texts.

        Parameters
        ----------
        texts : sequence of str
            Checked only.
        y : None
            Ignored.

        Returns
        -------
        self : TransformerEmbedder
            The fitted embedder.

        Raises
        ------
        ValueError
            If `texts` holds anything else than strings, or there is no such model or device.
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
        texts : sequence of str
            One a row; the empty string is a text.

        Returns
        -------
        ndarray of shape (n_texts, `n_dimensions_`), float32
            The embeddings.

        Raises
        ------
        ValueError
            If `texts` holds anything else than strings, or a parameter is out of range.
        MemoryError
            If the device has too little memory: says what to lower.
        """
        check_is_fitted(self)
        self._validate_params()
        texts = check_texts(texts)
        device = choose_device(self.device)
        return self.encoder_.embed(
            self.encoder_.tokenize(texts, self.max_length),
            self.batch_size,
            self.max_length,
            device,
            choose_dtype(self.precision, device),
            progress=self.verbose > 1,
            unit=self.normalize,
        )

    @property
    def _n_features_out(self):
        return self.n_dimensions_
