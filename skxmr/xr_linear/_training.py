"""Train the trees of a classifier, or load them if the same fit was kept by `joblib.Memory`."""

from numbers import Integral

import joblib
import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_memory

from skxmr._core.progress import NO_PROGRESS
from skxmr._core.score_rule import Scoring
from skxmr._core.validation import MAX_SEED
from skxmr.indexing import build_hierarchies
from skxmr.matching import needs_beam
from skxmr.xr_linear._tree_training import train_tree


def train_trees(
    X,
    Y,
    indexing,
    options,
    random_state,
    *,
    memory=None,
    unfinished=None,
    progress=NO_PROGRESS,
):
    """Index the labels and train a tree, or several of different seeds.

    Parameters
    ----------
    X : tuple
        (indptr, indices, data, n_features) of the training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Canonical indicator.
    indexing : IndexingOptions
        How labels are grouped.
    options : TrainingOptions
        How the levels of each tree are trained.
    random_state : int, RandomState instance or None
        Seeds all. A fit by an instance is never kept: it would not move the instance on.
    memory : str, object with the joblib.Memory interface or None
        Where trees are kept. Number of threads is no part of the key, nor are width and scores of
        the beam, unless it finds negatives.
    unfinished : UnfinishedFit or None
        Where what is finished goes, and is found by a fit of the same that was killed. Not beside
        `memory`.
    progress : Progress
        Hears of each stage and level; of none where the trees are loaded.

    Returns
    -------
    list of TreeModel

    Raises
    ------
    ValueError
        If an object of the user's own cannot be pickled, and so not be part of a key, or
        `unfinished` is of another fit.
    """
    n_jobs, options = options.n_jobs, options._replace(n_jobs=None)
    if not needs_beam(options.negatives):
        options = options._replace(beam_width=None, scoring=Scoring())
    if unfinished is not None:
        _check_keys(indexing, options, "model_dir")
        # The shape tells of labels without a row behind the last that has one.
        targets = Y.shape, Y.indptr, Y.indices
        drawn_from = unfinished.begin(random_state, X, targets, indexing, options)
        return _train(X, Y, indexing, options, drawn_from, n_jobs, progress, unfinished)
    train = _train
    if memory is not None and (random_state is None or isinstance(random_state, Integral)):
        _check_keys(indexing, options, "memory")
        train = check_memory(memory).cache(_train, ignore=["n_jobs", "progress", "unfinished"])
    return train(X, Y, indexing, options, random_state, n_jobs, progress)


def _train(X, Y, indexing, options, random_state, n_jobs, progress, unfinished=None):
    random_state = check_random_state(random_state)
    seeds = [random_state.randint(MAX_SEED) for _ in indexing.label_trees]

    def index():
        return build_hierarchies(
            X,
            Y,
            indexing,
            seeds=seeds,
            row_weights=options.row_costs,
            n_jobs=n_jobs,
            progress=progress,
        )

    hierarchies = unfinished.hierarchies(index) if unfinished else index()
    options = options._replace(n_jobs=n_jobs)
    trees = []
    for number, hierarchy in enumerate(hierarchies, start=1):
        store = unfinished.store(number) if unfinished else None
        with progress.tree(number, len(hierarchies), hierarchy.n_levels):
            trees.append(train_tree(X, Y, hierarchy, random_state, options, store, progress))
    return trees


def _check_keys(indexing, options, why):
    parts = {
        "label_tree": indexing.label_trees,
        "label_features": indexing.label_features,
        "matcher": options.matcher,
        "ranker": options.ranker,
    }
    for name, value in parts.items():
        if isinstance(value, np.ndarray) or sp.issparse(value):
            continue  # can be, and may be large
        try:
            joblib.hash(value)
        except Exception as error:
            raise ValueError(
                f"{why} tells fits apart by their pickled parameters, and {name}={value!r} cannot "
                f"be pickled; use a function of a module for a lambda, or {why}=None."
            ) from error
