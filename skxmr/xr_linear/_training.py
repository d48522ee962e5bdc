"""Training of all trees of a classifier; loads them instead if `joblib.Memory` has the same fit."""

from numbers import Integral

import joblib
import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_memory

from skxmr._core.progress import NO_PROGRESS
from skxmr._core.score_rule import ScoreParams
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
    checkpoint=None,
    progress=NO_PROGRESS,
):
    """Group the labels into one or several trees, and train their models.

    Parameters
    ----------
    X : TrainingRows
        Training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Canonical indicator.
    indexing : IndexingOptions
        Parameters of the grouping of the labels.
    options : TrainingOptions
        Options of the training of each tree.
    random_state : int, RandomState instance or None
        Source of all seeds. A fit with None is cached. A fit with an instance is not, because
        loading it would not advance the instance.
    memory : str, object with the joblib.Memory interface or None
        Cache of trained trees. The key does not contain the number of threads, nor the beam width
        and the parameters of the score unless the beam search selects negatives.
    checkpoint : FitCheckpoint or None
        Stores finished parts, so that an interrupted fit can be resumed. Not with `memory`.
    progress : Progress
        Receiver of stages and levels, unless the trees are loaded.

    Returns
    -------
    list of TreeModel

    Raises
    ------
    ValueError
        If a custom object cannot be pickled and so cannot be part of a key, or `checkpoint`
        belongs to another fit.
    """
    # The key must not depend on n_jobs.
    n_jobs, options = options.n_jobs, options._replace(n_jobs=None)
    if not needs_beam(options.negatives):
        options = options._replace(beam_width=None, score_params=ScoreParams())
    if checkpoint is not None:
        _check_picklable(indexing, options, "model_dir")
        # The shape is part of the key: labels without rows at the end change no other array.
        targets = Y.shape, Y.indptr, Y.indices
        random_state = checkpoint.begin(random_state, X, targets, indexing, options)
        return _train(X, Y, indexing, options, random_state, n_jobs, progress, checkpoint)
    train = _train
    if memory is not None and (random_state is None or isinstance(random_state, Integral)):
        _check_picklable(indexing, options, "memory")
        train = check_memory(memory).cache(_train, ignore=["n_jobs", "progress", "checkpoint"])
    return train(X, Y, indexing, options, random_state, n_jobs, progress)


def _train(X, Y, indexing, options, random_state, n_jobs, progress, checkpoint=None):
    random_state = check_random_state(random_state)
    seeds = [random_state.randint(MAX_SEED) for _ in indexing.label_trees]

    def make_hierarchies():
        return build_hierarchies(
            X,
            Y,
            indexing,
            seeds=seeds,
            row_weights=options.row_weights,
            n_jobs=n_jobs,
            progress=progress,
        )

    if checkpoint:
        hierarchies = checkpoint.hierarchies(make_hierarchies, len(seeds), Y.shape[1])
    else:
        hierarchies = make_hierarchies()
    options = options._replace(n_jobs=n_jobs)
    trees = []
    for number, hierarchy in enumerate(hierarchies, start=1):
        store = checkpoint.weight_store(number) if checkpoint else None
        seed = int(random_state.randint(MAX_SEED))
        with progress.tree(number, len(hierarchies), hierarchy.n_levels):
            trees.append(train_tree(X, Y, hierarchy, seed, options, store, progress))
    return trees


def _check_picklable(indexing, options, parameter):
    objects = {
        "label_tree": indexing.label_trees,
        "label_features": indexing.label_features,
        "matcher": options.matcher,
        "ranker": options.ranker,
    }
    for name, value in objects.items():
        if isinstance(value, np.ndarray) or sp.issparse(value):
            continue  # always picklable, and may be large
        try:
            joblib.hash(value)
        except Exception as error:
            raise ValueError(
                f"{name} must be picklable if {parameter} is set, because the fit is identified by "
                f"its pickled parameters; got {value!r}. Use a function of a module instead of a "
                f"lambda, or set {parameter}=None."
            ) from error
