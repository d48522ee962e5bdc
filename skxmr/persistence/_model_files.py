"""Save a fitted model as a folder, and load it."""

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skxmr._core.model_folder import read_model, write_model
from skxmr.indexing import LabelHierarchy
from skxmr.persistence._kinds import ALL_KINDS


def save_model(model, path, *, extras=None):
    """Save a fitted model as a folder of ``.npy`` files and a JSON header.

    The folder is complete or not there: it is written beside `path` and then put in its place. A
    model that is at `path` already is replaced; anything else there is left alone.

    Parameters
    ----------
    model : estimator or LabelHierarchy
        What to save: an `XRLinearClassifier`, a `HierarchicalLabelTree`; an
        `XTransformerClassifier`, `TransformerMatcher` or `TransformerEmbedder`, whose encoders are
        in the folder then; a `Pipeline` or `FeatureUnion` of scikit-learn made of these and of
        `TfidfVectorizer`, `CountVectorizer`, `HashingVectorizer`, `TfidfTransformer`, `Normalizer`
        and `MultiLabelBinarizer`, or one of these. Parameters and fitted attributes are kept, a
        `RandomState` in its present state; callbacks are not. No pickle is used, so a `matcher`,
        `ranker` or clusterer of one's own, a callable such as the `tokenizer` of a vectorizer, or
        a data frame cannot be saved: `joblib.dump` takes these.
    path : str or path-like
        The folder. The one that it lies in must be there.
    extras : dict of str to object or None, default=None
        More to keep with the model: plain values, arrays, and what else `model` may be, such as the
        `MultiLabelBinarizer` that has the names of the labels. `load_extras` returns them.

    See Also
    --------
    load_model : Load such a folder.

    Raises
    ------
    TypeError
        If the model, or something in it, cannot be saved; nothing is written.
    sklearn.exceptions.NotFittedError
        If an estimator is not fitted.
    FileExistsError
        If something else than a model is at `path`.
    OSError
        If writing fails; what was at `path` is still there.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr import XRLinearClassifier, load_model, save_model
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(random_state=0).fit(X, Y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model")
    ...     again = load_model(f"{folder}/model")
    >>> (again.predict_proba(X) != model.predict_proba(X)).nnz
    0
    """
    if not ALL_KINDS.find(type(model)) or not isinstance(model, (BaseEstimator, LabelHierarchy)):
        raise TypeError(
            "model must be an XRLinearClassifier, HierarchicalLabelTree, LabelHierarchy, an "
            "estimator of skxmr.transformer, or a pipeline of these and vectorizers; got "
            f"{type(model).__name__}. Subclasses are not supported. joblib.dump(model, file) saves "
            "any model."
        )
    if not isinstance(model, LabelHierarchy):
        check_is_fitted(model)
    write_model(model, path, ALL_KINDS, extras=extras)


def load_model(path, mmap_mode=None):
    """Load a model that `save_model` wrote.

    Parameters
    ----------
    path : str or path-like
        The folder.
    mmap_mode : {"r"} or None, default=None
        None reads all arrays, and compares their checksums. "r" maps them into memory, read-only:
        this takes milliseconds whatever the size, pages are read when a prediction first needs
        them, and all processes of a machine share one copy; sizes of files are checked, checksums
        only of small ones. The files must stay as they are while a model is mapped; `save_model`
        replaces and never changes them. Encoders of `skxmr.transformer` are read in any case: torch
        takes a copy of its own.

    Returns
    -------
    estimator or LabelHierarchy
        Equal to what was saved: parameters, fitted attributes and, to the bit, predictions; on
        another machine those of transformers may differ by rounding.

    See Also
    --------
    save_model : Save a model.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder is damaged, of something else, or of a newer version of the format; the error
        says which file is wrong and how.
    ImportError
        If the model has a transformer, and torch or transformers is not installed.

    Notes
    -----
    Loading runs no code from the folder. Encoders go through `transformers`, without the network.
    The checks find damage; they cannot tell a folder made to
    mislead, and the kernels trust the arrays: load what you trust.
    """
    return read_model(path, ALL_KINDS, mmap_mode)


def load_extras(path, mmap_mode=None):
    """Load what `save_model` was given as `extras`.

    Parameters
    ----------
    path : str or path-like
        The folder.
    mmap_mode : {"r"} or None, default=None
        As for `load_model`, which raises the same errors.

    Returns
    -------
    dict
        Empty if there were none.
    """
    return read_model(path, ALL_KINDS, mmap_mode, part="extras")
