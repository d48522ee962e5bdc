"""A fine-tuned encoder as the matcher: texts to clusters of labels."""

from numbers import Integral, Real
from os import PathLike

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skxmr._core.validation import MAX_CHILDREN, MAX_SEED, check_indicator
from skxmr.indexing import LabelHierarchy
from skxmr.transformer._checkpoint import Checkpoint, fingerprint_of
from skxmr.transformer._device import PRECISIONS, choose_device, choose_dtype, own_random_numbers
from skxmr.transformer._encoding import load_encoder
from skxmr.transformer._fine_tuning import fine_tune, make_schedule
from skxmr.transformer._heads import SCORES
from skxmr.transformer._level_training import TrainingOptions
from skxmr.transformer._linear_heads import flat_hierarchy
from skxmr.transformer._texts import check_texts


class TransformerMatcher(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Classifier of texts into clusters of labels: an encoder fine-tuned down the tree.

    On each level of the tree, from coarse to fine, an encoder and a linear head over the level's
    nodes train together; the encoder goes on from the level above [1]_. A row is compared with the
    children of the nodes that a beam search with the present model keeps of the level above, and of
    those that are right: matcher aware and teacher forced negatives. Heads begin as the linear
    models of the present embeddings, so that the encoder need not wait for them, and are fitted
    anew to the embeddings of the trained encoder at the end, on all levels.

    A fitted matcher is pickled, or saved by `skxmr.save_model`, with the weights and the tokenizer,
    and loads where the folder or the network is not. The embeddings of all training rows are held
    in memory, as are the tokens.

    Parameters
    ----------
    model : str or path
        A folder with an encoder and its tokenizer, from which alone files are read then, or a name
        for `transformers`, which may download it.
    hierarchy : LabelHierarchy or None, default=None
        A tree over the columns of `M`. None trains them in one level, which compares every row with
        all of them: for hundreds of clusters, not for thousands.
    loss : {"squared_hinge", "log_loss"}, default="squared_hinge"
        Of the heads. "squared_hinge" ranks best; "log_loss" gives scores that are probabilities.
    n_epochs : int or sequence of int, default=1
        Most passes over the rows on each level. A sequence has an entry for each of the last
        levels, the last for the clusters; its first also serves the levels above. On a level of 0
        the encoder does not train: ``(0, 2)`` trains on the last alone, and 0 nowhere, which leaves
        linear models of frozen embeddings.
    max_steps : int, None or sequence of these, default=None
        Most steps of the optimizer on each level, read as `n_epochs`.
    learning_rate : float, default=1e-4
        Highest step size of the encoder. Larger learns faster and may forget what it knew.
    head_learning_rate : float, default=1e-3
        The same of the heads, which are not pre-trained.
    weight_decay : float, default=0.01
        Shrinks the encoder's matrices; biases, normalisation layers and heads are spared.
    warmup_ratio : float, default=0.1
        Part of the steps of a level over which the step size rises; then it falls to 0, both in a
        line.
    max_grad_norm : float, default=1.0
        Longer gradients are cut to this length.
    batch_size : int, default=32
        Rows at once, in training and in embedding. Larger needs more memory.
    gradient_accumulation_steps : int, default=1
        Batches of a step of the optimizer: what a larger `batch_size` would do, without its memory.
    max_length : int, default=128
        Most tokens read of a text, those that mark its ends included; the rest is ignored, as is
        what lies beyond the window of the model. Larger reads more and is slower where texts are
        longer.
    beam_width : int, default=10
        Nodes kept on each level, in training and at prediction. Larger is slower; it finds more,
        and trains against more clusters. May be changed after the fit.
    validation_fraction : float, default=0.0
        Part of the rows held out to stop by: after each epoch their precision@1 among the
        candidates is taken, and a level ends with its best state, the untrained one included. 0
        trains on all rows, to the last epoch.
    patience : int, default=2
        Epochs without a gain on held-out rows after which a level ends.
    checkpoint_dir : str, path or None, default=None
        Folder for the state of the fit, written after each epoch. A fit that is begun anew with
        the same data and parameters goes on from there, and ends the same as one that was never
        stopped: on the CPU to the bit, with as many threads. A finished fit leaves its last state.
        Needs a `random_state`.
    device : str or torch.device, default="auto"
        Where to compute: "auto" takes CUDA, else MPS, else the CPU.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Of the matrix products. "auto" takes a half precision on CUDA, "bfloat16" if it has that,
        and "float32" elsewhere. "float16" scales the loss.
    random_state : int, RandomState instance or None, default=None
        Seeds the order of rows, those held out, dropout and the solver of the heads; the random
        numbers of torch outside are left as they are. Fits in threads of a process take turns.
    verbose : int, default=0
        1 prints a line a level; 2 also shows bars.

    Attributes
    ----------
    encoder_ : Encoder
        The trained model and its tokenizer.
    heads_ : ClusterHeads
        Linear models of all levels over embeddings; ``heads_.predict_proba(E, beam_width)`` needs
        no texts and no torch.
    hierarchy_ : LabelHierarchy
        The tree over the clusters.
    classes_ : ndarray of shape (n_clusters,)
        Column numbers of `M`.
    n_iter_ : int
        Steps of the optimizer on all levels.
    n_dimensions_ : int
        Length of an embedding.

    See Also
    --------
    TransformerEmbedder : An encoder as it is.

    References
    ----------
    .. [1] J. Zhang, W.-C. Chang, H.-F. Yu, I. S. Dhillon (2021). "Fast Multi-Resolution Transformer
       Fine-tuning for Extreme Multi-label Text Classification". NeurIPS.

    Examples
    --------
    >>> from skxmr.transformer import TransformerMatcher
    >>> matcher = TransformerMatcher("/models/all-MiniLM-L6-v2", random_state=0)
    >>> matcher.fit(texts, M).predict_proba(texts)  # doctest: +SKIP
    """

    _parameter_constraints = {
        "model": [str, PathLike],
        "hierarchy": [None, LabelHierarchy],
        "loss": [StrOptions(set(SCORES))],
        "n_epochs": [Interval(Integral, 0, None, closed="left"), list, tuple],
        "max_steps": [None, Interval(Integral, 1, None, closed="left"), list, tuple],
        "learning_rate": [Interval(Real, 0, None, closed="left")],
        "head_learning_rate": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "warmup_ratio": [Interval(Real, 0, 1, closed="both")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "gradient_accumulation_steps": [Interval(Integral, 1, None, closed="left")],
        "max_length": [Interval(Integral, 3, None, closed="left")],
        "beam_width": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "checkpoint_dir": [None, str, PathLike],
        "device": "no_validation",
        "precision": [StrOptions(set(PRECISIONS))],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model,
        *,
        hierarchy=None,
        loss="squared_hinge",
        n_epochs=1,
        max_steps=None,
        learning_rate=1e-4,
        head_learning_rate=1e-3,
        weight_decay=0.01,
        warmup_ratio=0.1,
        max_grad_norm=1.0,
        batch_size=32,
        gradient_accumulation_steps=1,
        max_length=128,
        beam_width=10,
        validation_fraction=0.0,
        patience=2,
        checkpoint_dir=None,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=0,
    ):
        self.model = model
        self.hierarchy = hierarchy
        self.loss = loss
        self.n_epochs = n_epochs
        self.max_steps = max_steps
        self.learning_rate = learning_rate
        self.head_learning_rate = head_learning_rate
        self.weight_decay = weight_decay
        self.warmup_ratio = warmup_ratio
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.max_length = max_length
        self.beam_width = beam_width
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.target_tags.required = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, texts, M):
        """Fine-tune the encoder and fit the heads.

        Parameters
        ----------
        texts : sequence of str
            One a row; the empty string is a text.
        M : {sparse matrix, array-like} of shape (n_texts, n_clusters)
            Indicator of 0 and 1: the clusters that are right for a row. Rows without one, and
            clusters without a row, are legal.

        Returns
        -------
        self : TransformerMatcher
            The fitted matcher.

        Raises
        ------
        ValueError
            If a parameter is out of range or does not fit the data, `texts` holds anything else
            than strings, there is no such model or device, or `checkpoint_dir` holds the
            checkpoint of another fit. Nothing fitted before is lost.
        MemoryError
            If the device has too little memory: says what to lower.
        FloatingPointError
            If the loss is no number any more: says what to lower.
        """
        self._fit(texts, M)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, texts, M):
        """Fit, and return the embeddings of the training rows, which the fit ends with.

        Parameters
        ----------
        texts : sequence of str
            As for `fit`.
        M : {sparse matrix, array-like} of shape (n_texts, n_clusters)
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_texts, `n_dimensions_`), float32
            As `transform` gives them, without another pass through the encoder.
        """
        return self._fit(texts, M)

    def transform(self, texts):
        """Embed texts with the trained encoder.

        Parameters
        ----------
        texts : sequence of str
            One a row; the empty string is a text.

        Returns
        -------
        ndarray of shape (n_texts, `n_dimensions_`), float32
            Rows of unit length.

        Raises
        ------
        ValueError
            If `texts` holds anything else than strings, or a parameter is out of range.
        MemoryError
            If the device has too little memory: says what to lower.
        """
        return self._embed(texts)

    def predict_proba(self, texts):
        """Score clusters by a beam search through the heads; see `ClusterHeads`.

        Parameters
        ----------
        texts : sequence of str
            One a row; the empty string is a text.

        Returns
        -------
        sparse matrix of shape (n_texts, n_clusters), float32
            CSR, indices sorted, at most `beam_width` a row, values in (0, 1].

        Raises
        ------
        ValueError
            If `texts` holds anything else than strings, or a parameter is out of range.
        """
        E = self._embed(texts)
        return self.heads_.predict_proba(E, self.beam_width)

    @property
    def _n_features_out(self):
        return self.n_dimensions_

    def _fit(self, texts, M):
        texts = check_texts(texts)
        M = check_indicator(M if sp.issparse(M) else np.asarray(M), "M")
        check_consistent_length(texts, M)
        hierarchy = self._check_hierarchy(M.shape[1])
        schedule = make_schedule(self.n_epochs, self.max_steps, hierarchy.n_levels)
        n_held_out = int(self.validation_fraction * len(texts))
        if self.validation_fraction and not n_held_out:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(texts)} rows is none; it "
                "must be 0 or hold out a row."
            )
        if self.checkpoint_dir is not None and self.random_state is None:
            raise ValueError(
                "checkpoint_dir needs a random_state that is not None, or a fit begun anew would "
                "be another."
            )
        device = choose_device(self.device)
        dtype = choose_dtype(self.precision, device)
        encoder = load_encoder(self.model)
        seed = check_random_state(self.random_state).randint(MAX_SEED)
        tokens = encoder.tokenize(texts, self.max_length)
        shared = {name: getattr(self, name) for name in TrainingOptions.of_estimator()}
        settings = {**shared, "schedule": schedule, "beam_width": self.beam_width, "seed": seed}
        settings |= {"n_held_out": n_held_out, "dtype": str(dtype), "device": device.type}
        fingerprint = None
        if self.checkpoint_dir is not None:
            fingerprint = fingerprint_of(settings, tokens, M, hierarchy, encoder.model)
        checkpoint = Checkpoint(self.checkpoint_dir, fingerprint)
        options = TrainingOptions(
            **shared, device=device, dtype=dtype, seed=seed, verbose=self.verbose
        )
        shuffled = np.random.default_rng(seed).permutation(len(texts))
        held_out = np.sort(shuffled[:n_held_out])
        with own_random_numbers(device, seed):
            heads, n_steps, E = fine_tune(
                encoder,
                tokens,
                M,
                hierarchy,
                schedule,
                self.beam_width,
                held_out,
                options,
                checkpoint,
            )
        self.encoder_ = encoder
        self.heads_ = heads
        self.hierarchy_ = hierarchy
        self.classes_ = np.arange(M.shape[1])
        self.n_iter_ = sum(n_steps)
        self.n_dimensions_ = encoder.n_dimensions
        return E

    def _embed(self, texts):
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
        )

    def _check_hierarchy(self, n_clusters):
        hierarchy = self.hierarchy
        if hierarchy is None:
            if n_clusters > MAX_CHILDREN:
                raise ValueError(
                    f"M has {n_clusters} columns; one level has at most {MAX_CHILDREN}. Give a "
                    "hierarchy."
                )
            return flat_hierarchy(n_clusters)
        if hierarchy.n_labels != n_clusters:
            raise ValueError(
                f"hierarchy must be over the {n_clusters} columns of M; got one over "
                f"{hierarchy.n_labels}."
            )
        return hierarchy
