"""The model that is served, and its replacement when the folder changes."""

import json
import logging
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from skxmr._core.estimators import takes_texts
from skxmr.persistence import load_named_model
from skxmr.serving._requests import RequestError
from skxmr.xr_linear import SelectionError

logger = logging.getLogger("skxmr.serving")

# Time between two checks of the folder.
CHECK_SECONDS = 1


@dataclass(frozen=True)
class LoadedModel:
    """A memory-mapped model that has made a trial prediction.

    Attributes
    ----------
    estimator : BaseEstimator
        Model that suggests labels for texts, in a single thread.
    n_labels : int
        Number of labels.
    version : tuple of int
        Result of `read_version` for the folder of the model.
    loaded_at : datetime
        Time at which the model was loaded.
    """

    estimator: BaseEstimator
    n_labels: int
    version: tuple[int, int]
    loaded_at: datetime

    def suggest_as_json(self, texts, k, threshold=None, labels=None, exclude=None):
        """Return the suggestions for texts as the JSON body of a response.

        Parameters
        ----------
        texts : list of str
            Texts.
        k : int
            Maximum number of labels per text.
        threshold : float or None, default=None
            Minimum score of a label.
        labels, exclude : list or None, default=None
            Labels that may be suggested, or not.

        Returns
        -------
        bytes
            JSON object with the field "suggestions".

        Raises
        ------
        RequestError
            If `labels` or `exclude` is wrong for this model.
        ValueError, TypeError
            If a name or a score cannot be written as JSON.
        """
        # Other estimators lack the last two arguments.
        selection = {"labels": labels, "exclude": exclude}
        selection = {name: value for name, value in selection.items() if value is not None}
        try:
            found = self.estimator.suggest(texts, k=k, threshold=threshold, **selection)
        except SelectionError as error:
            raise RequestError(400, str(error)) from error
        suggestions = [
            [{"label": label, "score": score} for label, score in pairs] for pairs in found
        ]
        return json.dumps({"suggestions": suggestions}, allow_nan=False).encode()


def read_version(path):
    """Return inode and modification time of the header, which each `save_model` replaces.

    Parameters
    ----------
    path : Path
        Folder of the model.

    Returns
    -------
    tuple of int
        Inode and modification time in nanoseconds.
    """
    status = os.stat(path / "header.json")
    return status.st_ino, status.st_mtime_ns


def load(path):
    """Memory-map a model and make a trial prediction.

    Parameters
    ----------
    path : Path
        Folder of the model.

    Returns
    -------
    LoadedModel
        The model.

    Raises
    ------
    OSError, ImportError
        As `load_model`.
    ValueError
        If the folder is not a valid model, or the model does not suggest labels for texts.
    """
    if not (path / "header.json").exists():
        load_named_model(path)  # raises the error
    version = read_version(path)
    estimator = load_named_model(path, mmap_mode="r")
    if not hasattr(estimator, "suggest") or not takes_texts(estimator):
        raise ValueError(
            f"{path} must be a model that takes texts; got {type(estimator).__name__}. Train it "
            "with make_text_classifier and save it with save_model."
        )
    # Requests run in parallel, so each prediction uses a single thread.
    for name in estimator.get_params():
        if name == "n_jobs" or name.endswith("__n_jobs"):
            estimator.set_params(**{name: None})
    loaded = LoadedModel(estimator, len(estimator.classes_), version, datetime.now(UTC))
    try:
        loaded.suggest_as_json(["text"], k=5)
    except Exception as error:  # a model can fail with any exception
        raise ValueError(
            f"{path} must be a model that takes texts; got {type(estimator).__name__} whose "
            f"prediction for a text failed: {error}"
        ) from error
    check_names(estimator.classes_, path)
    if version != read_version(path):
        raise ValueError(f"{path} was replaced while it was loaded. Try again.")
    return loaded


def check_names(names, path):
    """Check that all label names can be written as JSON.

    Parameters
    ----------
    names : array-like
        Names of the labels.
    path : Path
        Folder of the model, for the error message.

    Raises
    ------
    ValueError
        If a name is neither a string nor an integer.
    """
    names = np.asarray(names)
    if names.dtype.kind in "iuU":
        return
    for name in names:
        if not isinstance(name, (str, int)):
            raise ValueError(
                f"label names of {path} must be strings or integers; got {name!r}. "
                "Fit the model with such names."
            )


class ServedModel:
    """The model in a folder; a background thread loads it again if the folder is replaced.

    Parameters
    ----------
    path : str or path-like
        Folder of the model.
    on_reload : callable
        Called after each reload with True, or with False if the reload failed and the previous
        model is still served.

    Attributes
    ----------
    path : Path
        Folder of the model.
    reload_error : str or None
        Message of the last reload if it failed.

    Raises
    ------
    OSError, ImportError, ValueError
        As `load`.
    """

    def __init__(self, path, on_reload):
        self.path = Path(path)
        self.on_reload = on_reload
        self.reload_error = None
        self._loaded = load(self.path)
        self._seen_version = self._loaded.version
        self._start_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = None

    @property
    def current(self):
        """Model to use for a whole request."""
        # The first request starts the thread if the web framework did not call `start_watching`,
        # and in a process that was forked after the start.
        if self._thread is None or not self._thread.is_alive():
            self.start_watching()
        return self._loaded

    def start_watching(self):
        """Start the thread that looks for a new model, if it is not running."""
        with self._start_lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stopping.clear()
            self._thread = threading.Thread(target=self._watch, name="skxmr-reload", daemon=True)
            self._thread.start()

    def stop_watching(self):
        """Stop the thread; a model that is being loaded is still finished."""
        self._stopping.set()

    def _watch(self):
        while not self._stopping.wait(CHECK_SECONDS):
            self.check_folder()

    def check_folder(self):
        """Load the model if the folder was replaced; keep the previous model if that fails."""
        try:
            version = read_version(self.path)
        except OSError:  # `save_model` is between its two renames
            return
        if version == self._seen_version:
            return
        try:
            self._loaded = load(self.path)
        except Exception as error:  # a damaged model can raise any exception
            # A folder that was replaced again during the load gets another try.
            self._seen_version = version
            self.reload_error = str(error)
            logger.error("keeping the previous model: %s", error)
        else:
            self._seen_version = self._loaded.version
            self.reload_error = None
        self.on_reload(self.reload_error is None)
