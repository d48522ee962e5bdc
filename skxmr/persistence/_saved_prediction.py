"""Predict with a saved model, in whatever processes joblib has."""

import os
from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing

from skxmr._core.model_folder import model_checksum
from skxmr._core.threads import run_tasks, split_rows
from skxmr.persistence._model_files import load_model

METHODS = ("predict_topk", "predict_proba", "decision_function", "predict")


def predict_saved(path, X, method="predict_topk", *, n_jobs=None, **params):
    """Predict with a model in a folder: on several machines, if joblib's backend has them.

    Rows travel in blocks, and the model never does: each worker maps the folder, once, as
    `load_model` does with ``mmap_mode="r"``. So all workers must see it, under the same path. For
    large batches: a block is of thousands of rows.

    Parameters
    ----------
    path : str or path-like
        What `save_model` wrote, or a fit with `model_dir`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or list of n_samples texts
        Rows, as the model takes them.
    method : {"predict_topk", "predict_proba", "decision_function", "predict"}, \
            default="predict_topk"
        Method of the model.
    n_jobs : int or None, default=None
        Number of workers, as in joblib. The model's own `n_jobs` acts inside each.
    **params : dict
        For the method, such as ``k=10``.

    Returns
    -------
    object
        What the method returns for all rows, to the bit.

    See Also
    --------
    load_model : Load the model, and predict in this process.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, here or where a worker runs.
    ValueError
        If `method` is none of these, the folder is damaged, or a worker finds another model in it.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr import XRLinearClassifier, save_model
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.persistence import predict_saved
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(random_state=0).fit(X, Y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model")
    ...     labels, scores = predict_saved(f"{folder}/model", X, k=5)
    >>> bool((labels == model.predict_topk(X, k=5)[0]).all())
    True
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")
    path = os.path.abspath(path)
    checksum = model_checksum(path)
    X = X.tocsr() if sp.issparse(X) else X
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    # In a tuple rows go to one worker; an array that stands by itself may go to all of them.
    tasks = (
        (path, checksum, method, params, (_safe_indexing(X, slice(start, stop)),))
        for start, stop in split_rows(n_rows, 1, n_jobs) or [(0, 0)]
    )
    try:
        return _joined(run_tasks(_predict_block, tasks, n_jobs))
    finally:
        _load_once.cache_clear()  # in this process, which may want to replace the folder


def _predict_block(path, checksum, method, params, block):
    if model_checksum(path) != checksum:
        raise ValueError(
            f"{path}: a worker finds another model there than the process that sent it the rows."
        )
    return getattr(_load_once(path, checksum), method)(*block, **params)


@lru_cache(maxsize=1)
def _load_once(path, checksum):
    return load_model(path, mmap_mode="r")


def _joined(parts):
    if isinstance(parts[0], tuple):
        return tuple(_joined(part) for part in zip(*parts, strict=True))
    return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.concatenate(parts)
