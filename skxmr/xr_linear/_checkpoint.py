"""A fit whose weights are written to files when they are trained, and that can be resumed."""

import copy
import json
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.utils import check_random_state

from skxmr._core.files import (
    is_regular,
    read_archive,
    remove_folder,
    replace_file,
    replace_path,
    resumable_error,
    write_synced,
)
from skxmr._core.locks import exclusive_lock
from skxmr._core.model_folder import read_model, write_model
from skxmr._core.signals import DeferredSignals
from skxmr._core.validation import MAX_CHILDREN, MAX_SEED, set_input_attributes
from skxmr._core.version import __version__
from skxmr._linear import FolderStore
from skxmr.indexing import LabelHierarchy

SUFFIX = ".checkpoint"
FIT_FILE = "fit.json"
TREES_FILE = "trees.npz"


class FitCheckpoint:
    """The finished parts of a fit with `model_dir`, in a folder next to the folder of the model.

    The folder contains the label trees and their weights, block by block and level by level; see
    `FolderStore`. A file identifies the fit by a hash of data, parameters and version.

    Parameters
    ----------
    model_dir : path-like
        Folder of the model. The folder of the checkpoint has the same name with the suffix SUFFIX.
    registry : CodecRegistry
        Classes that can be saved.
    """

    def __init__(self, model_dir, registry):
        self.model_dir = Path(os.path.realpath(model_dir))
        self.registry = registry
        self.path = self.model_dir.with_name(self.model_dir.name + SUFFIX)

    def run(self, function):
        """Return ``function(self)``, called while the folder is locked.

        Raises
        ------
        BlockingIOError
            If another fit uses the folder.
        """
        lock = exclusive_lock(
            self.path.with_name(f".{self.model_dir.name}.skxmr-fit"),
            f"model_dir={str(self.model_dir)!r} must not be in use; another fit is writing to "
            f"{self.path}. Wait until it has finished, or choose another model_dir.",
        )
        with DeferredSignals() as signals, lock:
            return signals.run(function, self)

    def begin(self, random_state, *key):
        """Create the folder, or resume the fit in an existing one.

        Parameters
        ----------
        random_state : int, RandomState instance or None
            Parameter of the classifier. If it is None, a seed is drawn and stored, so that a
            resumed fit has the same result.
        *key : object
            Everything on which the result depends; hashed.

        Returns
        -------
        RandomState
            Source of all random numbers of the fit.

        Raises
        ------
        ValueError
            If the existing folder is not a checkpoint of this fit.
        OSError
            If the folder cannot be created.
        """
        key = joblib.hash([__version__, random_state, *key])
        if self.path.exists():
            info = self._read_fit_file(has_seed=random_state is None)
            if info["key"] != key:
                raise ValueError(
                    f"model_dir={str(self.model_dir)!r}: {self.path} is the checkpoint of another "
                    "fit, with other data, other parameters or another version of skxmr. Repeat "
                    "that fit to resume it, or remove the folder to start again."
                )
        else:
            seed = None
            if random_state is None:
                seed = int(check_random_state(None).randint(MAX_SEED))
            info = {"key": key, "seed": seed}
            text = json.dumps(info).encode()

            def write(part):
                part.mkdir()
                write_synced(part / FIT_FILE, lambda file: file.write(text))

            replace_path(self.path, write)
        if info["seed"] is not None:
            return check_random_state(info["seed"])
        # An instance is advanced only when the fit has finished, so that an interrupted fit can be
        # repeated with the same instance.
        self._random_state = copy.deepcopy(check_random_state(random_state))
        return self._random_state

    def hierarchies(self, make_hierarchies, n_trees, n_labels):
        """Return the label trees: read from the folder, or made and written to it."""
        path = self.path / TREES_FILE
        if path.exists():
            return _read_trees(path, n_trees, n_labels)
        trees = make_hierarchies()
        arrays = {"n_levels": np.array([tree.n_levels for tree in trees])}
        for i, tree in enumerate(trees):
            arrays[f"{i}-order"] = tree.label_order
            arrays |= {f"{i}-{level}": indptr for level, indptr in enumerate(tree.child_indptrs)}
        try:
            replace_file(path, lambda file: np.savez(file, **arrays))
        except OSError as error:
            raise resumable_error(error, self.path) from error
        return trees

    def weight_store(self, tree):
        """Return the `FolderStore` of the weights of a tree, given its number."""
        return FolderStore(self.path / f"tree-{tree}")

    def finish(self, classifier, attributes, shared_folders=()):
        """Write the folder of the model, and remove the checkpoint.

        Parameters
        ----------
        classifier : XRLinearClassifier
            Not modified, except that its RandomState instance is advanced.
        attributes : dict
            Fitted attributes of the classifier.
        shared_folders : collection of Path
            Folders of other saved models. Whole files of them are linked, not copied.

        Returns
        -------
        dict
            The attributes, with the model as a memory map of the folder.
        """
        fitted = copy.copy(classifier)
        has_instance = isinstance(classifier.random_state, np.random.RandomState)
        if has_instance:
            fitted.random_state = self._random_state
        set_input_attributes(fitted, {})  # remove attributes of an earlier fit
        vars(fitted).update(attributes)
        try:
            folders = (self.path, *shared_folders)
            write_model(fitted, self.model_dir, self.registry, linked_folders=folders)
        except OSError as error:
            raise resumable_error(error, self.path) from error
        loaded = read_model(self.model_dir, self.registry, mmap_mode="r", trusted=True)
        with DeferredSignals():  # the checkpoint belongs to the first state of the instance
            if has_instance:
                classifier.random_state.set_state(self._random_state.get_state())
            remove_folder(self.path)
        return attributes | {"_model": loaded._model, "hierarchy_": loaded.hierarchy_}

    def _read_fit_file(self, has_seed):
        file = self.path / FIT_FILE
        try:
            info = json.loads(file.read_text(encoding="utf-8")) if is_regular(file) else None
            key, seed = info["key"], info["seed"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            raise ValueError(
                f"model_dir={str(self.model_dir)!r}: {self.path} is needed for the checkpoint of "
                f"the fit, but it exists and has no readable {FIT_FILE}. Remove it, or choose "
                "another model_dir."
            ) from None
        is_seed = type(seed) is int and 0 <= seed < MAX_SEED
        # A fit with another random_state has another key; its message is clearer.
        if not (is_seed if has_seed else seed is None):
            key = None
        return {"key": key, "seed": seed}


def _read_trees(path, n_trees, n_labels):
    consequence = "the same trees are made again, their weights are kept"
    arrays = read_archive(path, consequence)
    try:
        trees = [
            LabelHierarchy(
                [arrays[f"{tree}-{level}"] for level in range(int(n_levels))],
                arrays[f"{tree}-order"],
            )
            for tree, n_levels in enumerate(arrays["n_levels"])
        ]
        largest = max(np.diff(indptr).max() for tree in trees for indptr in tree.child_indptrs)
        if len(trees) != n_trees or any(tree.n_labels != n_labels for tree in trees):
            raise ValueError(f"it must contain {n_trees} trees of {n_labels} labels")
        if largest > MAX_CHILDREN:
            raise ValueError(f"a cluster must have at most {MAX_CHILDREN} children; got {largest}")
    except Exception as error:  # whatever arrays of any shape and dtype raise
        if isinstance(error, KeyError):
            error = f"the array {error} is missing"
        raise ValueError(
            f"{path} is damaged: {error}. Remove this file and fit again: {consequence}."
        ) from None
    return trees
