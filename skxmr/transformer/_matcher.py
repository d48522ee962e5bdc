"""Stage 2, matching: an encoder that is fine-tuned to predict clusters of labels."""

from numbers import Integral, Real
from os import PathLike

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skxmr._core.targets import check_has_labels, check_indicator
from skxmr._core.texts import check_texts
from skxmr._core.validation import MAX_CHILDREN, MAX_SEED
from skxmr.indexing import LabelHierarchy
from skxmr.transformer._checkpoint import Checkpoint, compute_fingerprint
from skxmr.transformer._cluster_heads import SCORE_TRANSFORMS, flat_hierarchy
from skxmr.transformer._device import PRECISIONS, choose_device, choose_dtype, temporary_seed
from skxmr.transformer._distributed import (
    check_equal_data,
    connect_processes,
    count_processes,
    get_process_number,
)
from skxmr.transformer._encoder import load_encoder
from skxmr.transformer._fine_tuning import ClusterTargets, fine_tune, make_schedule
from skxmr.transformer._level_training import OPTION_PARAMETERS, TrainingOptions, TrainingRows


class TransformerMatcher(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Fine-tune an encoder to predict clusters of labels from texts.

    The encoder trains on the last level of the tree of clusters or, depending on `n_epochs`, on one
    level after the other, from the root [1]_. On each level it trains together with a head: one
    linear model per node. A row is compared with its candidates: the children of the nodes that a
    beam search keeps one level above (matcher-aware negatives), and of the positive nodes there
    (teacher-forced negatives). Heads start as linear models fitted on the present embeddings. At
    the end, the heads of all levels are fitted again on the embeddings of the trained encoder.

    You can pickle a fitted matcher or save it with `skxmr.save_model`. Both store the weights and
    the tokenizer, so loading needs neither the folder of the encoder nor a network. `fit` keeps
    the token ids and the embeddings of all training rows in memory.

    Parameters
    ----------
    model : str or path
        Folder of an encoder and its tokenizer, or a name that `transformers` may download. Nothing
        is downloaded for a folder.
    hierarchy : LabelHierarchy or None, default=None
        Tree over the columns of `M`. None uses a single level, which compares every row with every
        cluster: suitable for hundreds of clusters, too slow for thousands.
    loss : {"squared_hinge", "log_loss"}, default="squared_hinge"
        Loss of the heads. "squared_hinge" ranks best; "log_loss" gives probabilities as scores.
    n_epochs : int or sequence of int, default=(0, 1)
        Maximum number of epochs per level; an integer applies to all levels. A sequence has one
        entry for each of the last levels, and its first entry also applies to all levels above. The
        encoder does not train on a level with 0: the default trains for one epoch on the last level
        only. Each further level and epoch takes as long again. With 0 for all levels, the encoder
        is not changed, and only the heads are fitted.
    max_steps : int, None or sequence of these, default=None
        Maximum number of optimizer steps per level, with entries per level as in `n_epochs`. None
        sets no limit.
    learning_rate : float, default=2e-4
        Highest learning rate of the encoder. A larger value learns faster, but the encoder may lose
        what it learned in pre-training.
    head_learning_rate : float, default=1e-3
        Highest learning rate of the heads.
    weight_decay : float, default=0.01
        Weight decay of the encoder's matrices. Biases, normalization layers and heads have none.
    warmup_ratio : float, default=0.1
        Fraction of the steps of a level during which the learning rate rises linearly. After that
        it falls linearly to 0.
    max_grad_norm : float, default=1.0
        Maximum norm of the gradient of a step; longer gradients are scaled down.
    batch_size : int, default=32
        Number of texts per batch, in training and in embedding. A larger value needs more memory.
        If several processes train together, they divide the texts of each training batch.
    gradient_accumulation_steps : int, default=1
        Number of batches per optimizer step. Has the effect of a larger `batch_size` without its
        memory.
    max_length : int, default=128
        Maximum number of tokens per text, special tokens included. The rest of a text is ignored.
        The limit of the encoder also applies. A larger value is slower if texts are longer.
    beam_width : int, default=10
        Number of nodes kept per row on each level, in training and prediction. A larger value is
        slower, finds more clusters and trains against more negatives. You may change it after the
        fit.
    validation_fraction : float, default=0.0
        Fraction of the rows held out to decide when to stop. After each epoch, precision@1 among
        the candidates of these rows is computed, and a level ends with its best state, which may be
        the state before training. 0 trains on all rows and uses the state after the last epoch.
    patience : int, default=2
        Number of epochs without a better precision@1 after which the training on a level stops.
        Ignored if `validation_fraction` is 0.
    checkpoint_dir : str, path or None, default=None
        Folder for the state of the fit, written after each epoch. If a fit was interrupted, a fit
        with the same data and parameters resumes from there. On the CPU, with the same number of
        threads, the result is identical to that of an uninterrupted fit. The file remains after
        the fit. Needs a `random_state`.
    device : str or torch.device, default="auto"
        Device that computes. "auto" is CUDA if available, else MPS if available, else the CPU. If
        several processes train together, "auto" and "cuda" are another GPU in each process.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Precision of the matrix products. "auto" is "bfloat16" on CUDA devices that support it and
        "float16" on other CUDA devices. On a CPU with AVX-512 BF16 instructions, "auto" is
        "bfloat16" in `fit` and `fit_transform`, and "float32" in other methods, which therefore
        give the same result on all CPUs. Elsewhere it is "float32". "float16" uses loss scaling.
    random_state : int, RandomState instance or None, default=None
        Seed of the row order, the held-out rows, dropout and the solver of the heads. The global
        random state of torch is restored after the fit. Fits in several threads run one at a time.
    verbose : int, default=0
        1 prints a line per level. 2 also shows progress bars.

    Attributes
    ----------
    encoder_ : Encoder
        Trained encoder and its tokenizer.
    heads_ : ClusterHeads
        Linear models of all levels over embeddings. ``heads_.predict_proba(E, beam_width)`` scores
        embeddings without torch.
    hierarchy_ : LabelHierarchy
        Tree over the clusters.
    classes_ : ndarray of shape (n_clusters,)
        Column indices of `M`.
    n_iter_ : int
        Number of optimizer steps on all levels together.
    n_dimensions_ : int
        Length of an embedding.

    See Also
    --------
    TransformerEmbedder : Embeds texts with a frozen encoder.

    Notes
    -----
    To train on several GPUs, start the script with ``torchrun --nproc-per-node=4 script.py`` and
    call `fit` in all processes, with equal arguments. All get the same model, which equals that of
    a single process except for dropout and rounding errors. Only the first process writes
    checkpoints and prints. This has been tested with processes on the CPU, not with GPUs.

    References
    ----------
    .. [1] J. Zhang, W.-C. Chang, H.-F. Yu, I. S. Dhillon (2021). "Fast Multi-Resolution Transformer
       Fine-tuning for Extreme Multi-label Text Classification". NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.transformer import TransformerMatcher
    >>> texts = ["red apples", "ripe pears", "sour cherries", "a fast car", "an old bus", "trains"]
    >>> M = np.repeat([[1, 0], [0, 1]], 3, axis=0)
    >>> matcher = TransformerMatcher(
    ...     "sentence-transformers/all-MiniLM-L6-v2", n_epochs=5, random_state=0
    ... )
    >>> matcher = matcher.fit(texts, M)  # doctest: +SKIP
    >>> matcher.predict_proba(["bananas", "trucks"]).toarray().round(2)  # doctest: +SKIP
    array([[0.94, 0.02],
           [0.01, 0.97]], dtype=float32)
    """

    _parameter_constraints = {
        "model": [str, PathLike],
        "hierarchy": [None, LabelHierarchy],
        "loss": [StrOptions(set(SCORE_TRANSFORMS))],
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
        n_epochs=(0, 1),
        max_steps=None,
        learning_rate=2e-4,
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
        texts : array-like of str of shape (n_samples,)
            Texts. Empty strings are allowed.
        M : {array-like, sparse matrix} of shape (n_samples, n_clusters)
            Indicator of 0 and 1: the positive clusters of each row. Rows without a cluster and
            clusters without a row are allowed.

        Returns
        -------
        self : TransformerMatcher
            Fitted matcher.

        Raises
        ------
        ValueError
            If a parameter is invalid or does not match the data, if `texts` contains anything other
            than strings, if no row has a cluster, if the encoder or the device is not available, or
            if `checkpoint_dir` contains the checkpoint of another fit, or if processes that train
            together got different arguments. The attributes of a previous fit are then unchanged.
        MemoryError
            If the memory of the device is too small.
        FloatingPointError
            If the loss becomes infinite or NaN.
        """
        self._fit(texts, M)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, texts, M):
        """Fit and return the embeddings of the training texts, without computing them twice.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            Texts, as in `fit`.
        M : {array-like, sparse matrix} of shape (n_samples, n_clusters)
            Indicator, as in `fit`.

        Returns
        -------
        E : ndarray of shape (n_samples, n_dimensions), float32
            Embeddings of unit length, as `transform` returns them.
        """
        return self._fit(texts, M)

    def transform(self, texts):
        """Embed texts with the fine-tuned encoder.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            Texts. Empty strings are allowed.

        Returns
        -------
        E : ndarray of shape (n_samples, n_dimensions), float32
            Embeddings of unit length.

        Raises
        ------
        ValueError
            If `texts` contains anything other than strings, or a parameter is invalid.
        MemoryError
            If the memory of the device is too small.
        """
        return self._embed(texts)

    def predict_proba(self, texts):
        """Score the clusters of each text by a beam search over the tree.

        The score of a cluster is the product of the scores on its path, see `loss`.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            Texts. Empty strings are allowed.

        Returns
        -------
        P : sparse matrix of shape (n_samples, n_clusters), float32
            Scores in (0, 1] of at most `beam_width` clusters per row, as CSR with sorted indices.

        Raises
        ------
        ValueError
            If `texts` contains anything other than strings, or a parameter is invalid.
        MemoryError
            If the memory of the device is too small.
        """
        E = self._embed(texts)
        return self.heads_.predict_proba(E, self.beam_width)

    @property
    def _n_features_out(self):
        return self.n_dimensions_

    def _fit(self, texts, M):
        texts = check_texts(texts)
        M = check_indicator(M, "M")
        check_consistent_length(texts, M)
        check_has_labels(M, "M")
        hierarchy = self._check_hierarchy(M.shape[1])
        schedule = make_schedule(self.n_epochs, self.max_steps, hierarchy.n_levels)
        n_validation = int(self.validation_fraction * len(texts))
        if self.validation_fraction and not n_validation:
            raise ValueError(
                f"validation_fraction must be 0 or select at least one of {len(texts)} rows; got "
                f"{self.validation_fraction}."
            )
        if self.checkpoint_dir is not None and self.random_state is None:
            raise ValueError(
                "random_state must not be None if checkpoint_dir is set; got None. An interrupted "
                "fit can only be resumed with the same random numbers."
            )
        device = choose_device(self.device)
        connect_processes(device)
        if count_processes() > 1 and self.random_state is None:
            raise ValueError(
                "random_state must not be None if several processes train together; got None. All "
                "processes need the same random numbers."
            )
        dtype = choose_dtype(self.precision, device, training=True)
        encoder = load_encoder(self.model)
        seed = check_random_state(self.random_state).randint(MAX_SEED)
        tokens = encoder.tokenize(texts, self.max_length)
        parameters = {name: getattr(self, name) for name in OPTION_PARAMETERS}
        fingerprint = None
        if self.checkpoint_dir is not None or count_processes() > 1:
            # Other keys or values would make checkpoints of older versions unusable.
            settings = {
                **parameters,
                "schedule": schedule,
                "seed": seed,
                "n_held_out": n_validation,
                "dtype": str(dtype),
                "device": device.type,
            }
            fingerprint = compute_fingerprint(settings, tokens, M, hierarchy, encoder.model)
            check_equal_data(len(texts), fingerprint, device)
        checkpoint = Checkpoint(self.checkpoint_dir, fingerprint)
        options = TrainingOptions(
            **parameters,
            device=device,
            dtype=dtype,
            seed=seed,
            verbose=self.verbose if get_process_number() == 0 else 0,
        )
        shuffled = np.random.default_rng(seed).permutation(len(texts))
        validation = np.sort(shuffled[:n_validation])
        training = np.sort(shuffled[n_validation:])
        with temporary_seed(device, seed):
            heads, n_steps, E = fine_tune(
                encoder,
                TrainingRows(tokens, training, validation),
                ClusterTargets.from_indicator(M, hierarchy),
                schedule,
                options,
                checkpoint,
            )
        self.encoder_ = encoder
        self.heads_ = heads
        self.hierarchy_ = hierarchy
        self.classes_ = np.arange(M.shape[1])
        self.n_iter_ = n_steps
        self.n_dimensions_ = encoder.n_dimensions
        return E

    def _embed(self, texts):
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
        )

    def _check_hierarchy(self, n_clusters):
        hierarchy = self.hierarchy
        if hierarchy is None:
            if n_clusters > MAX_CHILDREN:
                raise ValueError(
                    f"M must have at most {MAX_CHILDREN} columns without a hierarchy; got "
                    f"{n_clusters}. Set hierarchy."
                )
            return flat_hierarchy(n_clusters)
        if hierarchy.n_labels != n_clusters:
            raise ValueError(
                f"hierarchy must be over the {n_clusters} columns of M; got a hierarchy over "
                f"{hierarchy.n_labels}."
            )
        return hierarchy
