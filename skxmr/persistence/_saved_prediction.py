"""Predict with a saved model, in parallel on one or several machines."""

import os
from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import validate_params

from skxmr._core.estimators import predict_topk_of
from skxmr._core.model_folder import model_checksum
from skxmr._core.threads import run_tasks, split_rows
from skxmr._core.validation import N_JOBS
from skxmr.persistence._model_files import load_model

METHODS = ("predict_topk", "predict_proba", "decision_function", "predict")


@validate_params({"n_jobs": N_JOBS}, prefer_skip_nested_validation=False)
def predict_saved(path, X, method="predict_topk", *, n_jobs=None, **params):
    """Predict with a saved model, in parallel with any joblib backend.

    A backend such as Dask can run the workers on several machines. Rows are sent to the workers in
    blocks of thousands of rows, so use this function for large batches. The model is not sent: each
    worker memory-maps the folder once, as `load_model` does with ``mmap_mode="r"``. All workers
    must therefore find the folder under the same path.

    Parameters
    ----------
    path : str or path-like
        Folder that `save_model` wrote, or the `model_dir` of a fitted classifier.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or list of n_samples texts
        Rows to predict, in the format that the model accepts.
    method : {"predict_topk", "predict_proba", "decision_function", "predict"}, \
            default="predict_topk"
        Method of the model to call.
    n_jobs : int or None, default=None
        Number of workers, as in joblib. Each worker also uses the `n_jobs` of the model.
    **params : dict
        Arguments of the method, for example ``k=10``.

    Returns
    -------
    ndarray, sparse CSR, or tuple of ndarray
        Result of the method for all rows; bit-identical to a call in this process.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist here or on the machine of a worker.
    ValueError
        If `method` or `n_jobs` is invalid, the folder is damaged, or a worker finds another model
        in the folder.
    TypeError
        If the saved model has no `predict_topk`, for example because it is a label tree.

    See Also
    --------
    load_model : Load a model to predict in this process.

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
    ...     labels, scores = predict_saved(f"{folder}/model", X, k=3)
    >>> labels.shape
    (500, 3)
    >>> labels[0]
    array([87, 65, 18], dtype=int32)
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")
    path = os.path.abspath(path)
    checksum = model_checksum(path)
    X = X.tocsr() if sp.issparse(X) else X
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    # The rows are inside a tuple, because a backend may send an array argument to all workers.
    tasks = (
        (path, checksum, method, params, (_safe_indexing(X, slice(start, stop)),))
        for start, stop in split_rows(n_rows, 1, n_jobs) or [(0, 0)]
    )
    try:
        return _concatenate(run_tasks(_predict_block, tasks, n_jobs))
    finally:
        _load_cached.cache_clear()  # this process may replace the folder later


def _predict_block(path, checksum, method, params, block):
    if model_checksum(path) != checksum:
        raise ValueError(
            f"path={path!r} must be the same folder for all workers; a worker found another model "
            "there. Use a folder on a shared file system, and do not replace the model meanwhile."
        )
    model = _load_cached(path, checksum)
    if method == "predict_topk":
        return predict_topk_of(model, *block, **params)
    return getattr(model, method)(*block, **params)


@lru_cache(maxsize=1)
def _load_cached(path, checksum):
    # The checksum is part of the key of the cache.
    return load_model(path, mmap_mode="r")


def _concatenate(results):
    if isinstance(results[0], tuple):
        return tuple(_concatenate(arrays) for arrays in zip(*results, strict=True))
    return sp.vstack(results, format="csr") if sp.issparse(results[0]) else np.concatenate(results)
