"""Save a fitted model as a folder, and load it."""

from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from skxmr._core.encoding import Encoder
from skxmr._core.model_folder import read_model, write_model
from skxmr.indexing import LabelHierarchy
from skxmr.persistence._codecs import REGISTRY


def save_model(model, path, *, extras=None):
    """Save a fitted model as a folder of ``.npy`` files and a JSON header.

    The model is written to a temporary folder, which is renamed to `path` when it is complete. An
    existing model at `path` is replaced. Other files and folders are never replaced.

    If the save fails or is interrupted, `path` still has the old model, and nothing else remains.
    The same holds for a process that is killed, except that its temporary files remain until the
    next save to `path`. Saves to the same path in several processes wait for one another.

    Parameters
    ----------
    model : estimator or LabelHierarchy
        Model to save. Supported classes:

        - `XRLinearClassifier`, `HierarchicalLabelTree` and `LabelHierarchy`;
        - `XTransformerClassifier`, `TransformerMatcher` and `TransformerEmbedder`, including their
          encoders;
        - `TfidfVectorizer` and `CountVectorizer` of `skxmr.text` and of scikit-learn;
        - `TextEmbedder` of a transformer, without its `cache_dir`;
        - `HashingVectorizer`, `TfidfTransformer`, `TruncatedSVD`, `SelectKBest`, `StandardScaler`,
          `MaxAbsScaler`, `Normalizer` and `MultiLabelBinarizer` of scikit-learn;
        - `Pipeline`, `FeatureUnion` and `ColumnTransformer` of skxmr and of scikit-learn, and
          `FrozenEstimator`, of these;
        - `CalibratedMultilabelClassifierCV` and `TunedThresholdMultilabelClassifierCV` of these;
          `cv` must be a number, `KFold`, `ShuffleSplit` or a list of splits.

        Parameters and fitted attributes are saved, and a `RandomState` with its current state.
        Callbacks are not saved. Objects that need pickle cannot be saved: a custom `matcher`,
        `ranker` or clusterer, a callable such as the `tokenizer` of a vectorizer or the columns of
        a `ColumnTransformer`, or a data frame. The `score_func` of `SelectKBest` must be `chi2`,
        `f_classif`, `f_regression`, `mutual_info_classif` or `mutual_info_regression`. A
        vectorizer that reads files cannot be saved either: its `input` must be "content". Use
        `joblib.dump` for such models.
    path : str or path-like
        Folder of the model. Its parent folder must exist.
    extras : dict of str to object or None, default=None
        Additional values to save with the model: plain values, arrays and objects of the classes
        above, for example the `MultiLabelBinarizer` with the names of the labels. `load_extras`
        returns them.

    Raises
    ------
    TypeError
        If the model, or an object in it, cannot be saved. Nothing is written.
    ValueError
        If a transformer, a pipeline or a meta-estimator has invalid attributes. Nothing is
        written.
    sklearn.exceptions.NotFittedError
        If an estimator is not fitted.
    FileNotFoundError
        If the parent folder does not exist.
    FileExistsError
        If `path` exists and is not a model, or contains additional files.
    OSError
        If writing fails. An existing model at `path` is unchanged.

    See Also
    --------
    load_model : Load a saved model.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr import XRLinearClassifier, load_model, save_model
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(random_state=0).fit(X, Y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model")
    ...     loaded = load_model(f"{folder}/model")
    >>> labels, scores = loaded.predict_topk(X[:1], k=3)
    >>> labels
    array([[87, 65, 18]], dtype=int32)
    >>> scores.round(2)
    array([[0.82, 0.81, 0.69]], dtype=float32)
    """
    if not REGISTRY.find(type(model)) or not isinstance(model, (BaseEstimator, LabelHierarchy)):
        raise TypeError(
            "model must be an object of a class that the documentation of save_model lists; got "
            f"{type(model).__name__}. Subclasses cannot be saved. joblib.dump(model, file) saves "
            "any model."
        )
    if not isinstance(model, LabelHierarchy):
        check_is_fitted(model)
    write_model(model, path, REGISTRY, extras=extras)


def check_savable(model):
    """Check, before a fit, that `save_model` will be able to write a model.

    Parameters
    ----------
    model : estimator
        Estimator, not fitted.

    Raises
    ------
    TypeError
        If its class, or a parameter, cannot be saved.
    """
    Encoder(REGISTRY.find).encode(clone(model), "model")


def load_model(path, mmap_mode=None, *, trusted=False):
    """Load a model that `save_model` wrote.

    Parameters
    ----------
    path : str or path-like
        Folder of the model.
    mmap_mode : {"r"} or None, default=None
        Memory-mapping mode:

        - None: Read all arrays into memory and verify their checksums.
        - "r": Map the arrays into memory, read-only. Loading takes milliseconds for a model of any
          size, and all processes on a machine share one copy. A page is read from the disk when a
          prediction first needs it. The size of each file is verified, but checksums only of small
          files. Do not change the files while a model is mapped. `save_model` never changes files;
          it replaces the folder. Encoders of `skxmr.transformer` are always read into memory.
    trusted : bool, default=False
        Whether to skip the check of all values of a mapped model. The check reads the whole model
        once, and makes sure that no prediction can read outside of its arrays. Skip it only for a
        folder from a source that you trust: a manipulated file could crash the process. Without
        effect if `mmap_mode` is None.

    Returns
    -------
    estimator or LabelHierarchy
        Model with the parameters and fitted attributes of the saved one. Its predictions are
        bit-identical, except that those of transformers may differ by rounding on another machine.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the folder is not a saved model, is damaged, or was written by a newer version of skxmr.
        The message names the file and the problem.
    ImportError
        If the model contains a transformer, and torch or transformers is not installed.

    See Also
    --------
    save_model : Save a model.

    Notes
    -----
    A folder from an untrusted source is safe to load: it causes an error or gives a model, but it
    cannot run code, crash the process or read other files. Checksums detect damage only, so the
    values of all files are also checked against each other. `trusted` skips the checks of the
    values of mapped arrays; all other checks remain. Encoders are built by `transformers` without
    network access, and only from classes that are part of it.

    The predictions of a manipulated model can be wrong. Its parameters can contain paths, which
    only `fit` uses, and a slow regular expression as the `token_pattern` of a vectorizer.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr import XRLinearClassifier, load_model, save_model
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(random_state=0).fit(X, Y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model")
    ...     loaded = load_model(f"{folder}/model", mmap_mode="r")
    ...     labels, scores = loaded.predict_topk(X[:1], k=3)
    >>> labels
    array([[87, 65, 18]], dtype=int32)
    """
    return read_model(path, REGISTRY, mmap_mode, trusted=trusted)


def load_extras(path, mmap_mode=None):
    """Load the `extras` that `save_model` saved with a model.

    Parameters
    ----------
    path : str or path-like
        Folder of the model.
    mmap_mode : {"r"} or None, default=None
        Memory-mapping mode; see `load_model`.

    Returns
    -------
    dict of str to object
        The extras; empty if the model was saved without extras.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the folder is not a saved model, is damaged, or was written by a newer version of skxmr.

    See Also
    --------
    save_model : Save a model and its extras.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr import LabelHierarchy, save_model
    >>> from skxmr.persistence import load_extras
    >>> tree = LabelHierarchy.from_memberships([0, 0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(tree, f"{folder}/model", extras={"names": ["cat", "dog", "car"]})
    ...     load_extras(f"{folder}/model")
    {'names': ['cat', 'dog', 'car']}
    """
    return read_model(path, REGISTRY, mmap_mode, key="extras")
