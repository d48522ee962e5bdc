"""Load a model for users who need label names, also from a folder that stores the names apart."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer

from skxmr.persistence._model_files import load_extras, load_model
from skxmr.pipeline import Pipeline as RankingPipeline
from skxmr.xr_linear import XRLinearClassifier


def load_named_model(path, mmap_mode=None):
    """Load a model whose `suggest` returns label names.

    `save_model` stores the names of the labels in the classifier. Before that was possible, two
    kinds of folders stored them as extras:

    - the command line: a classifier, with the extras "command_line", "preparation", which has the
      vectorizer and the names, or whether rows have unit length;
    - an earlier server: a pipeline of scikit-learn, with the extra "names".

    They are converted to a pipeline with names.

    Parameters
    ----------
    path : str or path-like
        Folder of the model.
    mmap_mode : {"r"} or None, default=None
        Memory-mapping mode; see `load_model`.

    Returns
    -------
    estimator
        Fitted model; pipelines of scikit-learn become pipelines of skxmr.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        As `load_model`, and a ValueError if the number of stored names is not that of the labels.
    """
    model = load_model(path, mmap_mode)
    extras = load_extras(path, mmap_mode)
    older = extras.get("command_line", {}).get("preparation")
    if older is not None and isinstance(model, XRLinearClassifier):
        if older["vectorizer"] is not None:
            _set_names(model, older["names"], path)
            return RankingPipeline([("vectorizer", older["vectorizer"]), ("classifier", model)])
        if older["normalize"]:
            return RankingPipeline([("normalizer", Normalizer()), ("classifier", model)])
        return model
    names = extras.get("names")
    if names is not None and isinstance(model, Pipeline):
        _set_names(model.steps[-1][1], getattr(names, "classes_", names), path)
    if type(model) is Pipeline:
        return RankingPipeline(**model.get_params(deep=False))
    return model


def _set_names(classifier, names, path):
    # A model with its own names keeps them.
    if classifier._target_kind not in ("sparse", "dense"):
        return
    names = np.asarray(names)
    if names.shape != classifier.classes_.shape:
        raise ValueError(
            f"{path} must have one name for each of the {len(classifier.classes_)} labels; got "
            f"{names.size} names."
        )
    classifier.classes_ = names.astype(object)
    classifier._target_kind, classifier._target_dtype = "names", np.dtype(object)
