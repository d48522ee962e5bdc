"""A fit whose weights go to files as they are made, and that goes on where it was killed."""

import copy
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import joblib
import numpy as np
from sklearn.utils import check_random_state

from skxmr._core.files import check_archive, held, to_go_on, write_whole
from skxmr._core.model_saver import model_saver
from skxmr._core.validation import MAX_SEED, set_seen
from skxmr._core.version import __version__
from skxmr._linear import FolderStore
from skxmr.indexing import LabelHierarchy

SUFFIX = ".unfinished"
FIT = "fit.json"
TREES = "trees.npz"


class UnfinishedFit:
    """What a fit with `model_dir` has finished, in a folder beside that of the model.

    The folder holds the trees of labels, then block by block and level by level their weights, see
    `FolderStore`. A file says which fit it is of, by a hash of data, parameters and version.

    Parameters
    ----------
    model_dir : path-like
        The folder of the model to be. Its own has the same name with SUFFIX behind.
    """

    def __init__(self, model_dir):
        self.model_dir = Path(os.path.realpath(model_dir))
        self.path = self.model_dir.with_name(self.model_dir.name + SUFFIX)
        # What is being made or removed has this name.
        self._part = self.path.with_name(f".{self.path.name}.part")

    def __enter__(self):
        """Keep other fits out of the folder, or refuse to be the second there."""
        self._held = held(
            self.path.with_name(f".{self.path.name}.lock"),
            f"model_dir={str(self.model_dir)!r}: another fit is at work in {self.path}. Wait for "
            "its end, or choose another model_dir.",
        )
        self._held.__enter__()
        return self

    def __exit__(self, *error):
        """Let others in."""
        return self._held.__exit__(*error)

    def begin(self, random_state, *key):
        """Make the folder, or go on with the one that is there.

        Parameters
        ----------
        random_state : int, RandomState instance or None
            The parameter. Where it is None the seed that is drawn is kept, so that the fit that
            goes on is the same.
        *key : object
            All that the result depends on. Hashed.

        Returns
        -------
        RandomState
            To draw from.

        Raises
        ------
        ValueError
            If the folder that is there is of another fit, or of something else.
        OSError
            If it cannot be made.
        """
        key = joblib.hash([__version__, random_state, *key])
        if self.path.exists():
            kept = self._read()
            if kept["key"] != key:
                raise ValueError(
                    f"model_dir={str(self.model_dir)!r}: {self.path} holds the finished part of "
                    "another fit: of other data, other parameters or another version of skxmr. "
                    "Repeat that fit to go on with it, or remove the folder to begin anew."
                )
        else:
            seed = None
            if random_state is None:
                seed = int(check_random_state(None).randint(MAX_SEED))
            kept = {"key": key, "seed": seed}
            shutil.rmtree(self._part, ignore_errors=True)
            self._part.mkdir()
            write_whole(self._part / FIT, lambda file: file.write(json.dumps(kept).encode()))
            os.rename(self._part, self.path)
        if kept["seed"] is not None:
            return check_random_state(kept["seed"])
        # An instance moves on when the fit has ended: one that stopped is to be the same again.
        self._random_state = copy.deepcopy(check_random_state(random_state))
        return self._random_state

    def hierarchies(self, make):
        """Return the trees of labels: from the folder, or made and kept there."""
        file = self.path / TREES
        if file.exists():
            check_archive(file, "the same trees are made anew, their weights are kept")
            with np.load(file) as kept:
                levels = [int(n) for n in kept["n_levels"]]
                return [
                    LabelHierarchy([kept[f"{i}-{level}"] for level in range(n)], kept[f"{i}-order"])
                    for i, n in enumerate(levels)
                ]
        trees = make()
        arrays = {"n_levels": np.array([tree.n_levels for tree in trees])}
        for i, tree in enumerate(trees):
            arrays[f"{i}-order"] = tree.label_order
            arrays |= {f"{i}-{level}": indptr for level, indptr in enumerate(tree.child_indptrs)}
        try:
            write_whole(file, lambda opened: np.savez(opened, **arrays))
        except OSError as error:
            raise to_go_on(error, self.path) from error
        return trees

    def store(self, tree):
        """Return where the weights of a tree go, by its number."""
        return FolderStore(self.path / f"tree-{tree}")

    def finish(self, classifier, attributes):
        """Put the model in its place, and return the fitted attributes with it loaded from there.

        Parameters
        ----------
        classifier : XRLinearClassifier
            Left as it is.
        attributes : dict
            What the fit is to set.

        Returns
        -------
        dict
            The same, the model a memory map.
        """
        fitted = copy.copy(classifier)
        moves_on = isinstance(classifier.random_state, np.random.RandomState)
        if moves_on:
            fitted.random_state = self._random_state
        set_seen(fitted, {})  # of an earlier fit
        vars(fitted).update(attributes)
        saver = model_saver()
        try:
            saver.save(fitted, self.model_dir, self.path)
        except OSError as error:
            raise to_go_on(error, self.path) from error
        if moves_on:
            classifier.random_state.set_state(self._random_state.get_state())
        loaded = saver.load(self.model_dir)
        with suppress(OSError):  # a file that is mapped cannot be removed on Windows
            os.rename(self.path, self._part)
            shutil.rmtree(self._part)
        return attributes | {"_model": loaded._model, "hierarchy_": loaded.hierarchy_}

    def _read(self):
        try:
            return json.loads((self.path / FIT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ValueError(
                f"model_dir={str(self.model_dir)!r}: {self.path}, where the fit would keep what it "
                f"has finished, is there and has no readable {FIT}. Remove it, or choose another "
                "model_dir."
            ) from None
