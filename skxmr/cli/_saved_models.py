"""Models that the commands load: the estimator, and how to read data for it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from skxmr._core.estimators import takes_texts
from skxmr.cli._classifier_options import check_parameters
from skxmr.cli._data_options import Columns
from skxmr.persistence import load_extras, load_named_model

# Key of the extras of `save_model`.
EXTRAS = "command_line"


class SavedModel(NamedTuple):
    """A model in a folder, and what the training has stored with it.

    Attributes
    ----------
    estimator : estimator
        Fitted model, memory-mapped.
    takes_texts : bool
        Whether the rows of the model are texts.
    columns : Columns or None
        Columns of the training file; None if it was not a table.
    propensities : ndarray of shape (n_labels + 1,) or None
        Propensities of the labels of the training file, and of a label without rows. None if the
        training had too few rows, or was not done by the command line.
    """

    estimator: BaseEstimator
    takes_texts: bool
    columns: Columns | None
    propensities: np.ndarray | None


def add_model_options(parser):
    """Add the folder of a model, and the options that change its predictions."""
    parser.add_argument("model", help="folder of a model: from 'skxmr train' or save_model")
    parser.add_argument(
        "--beam-width", type=int, metavar="VALUE", help="default: value of the model"
    )
    parser.add_argument(
        "--n-jobs", type=int, metavar="VALUE", help="number of threads (default: as the model)"
    )


def make_extras(columns, propensities):
    """Return the extras of `save_model` for `load_saved_model`."""
    return {
        EXTRAS: {
            "columns": None if columns is None else columns._asdict(),
            "propensities": propensities,
        }
    }


def describe_size(path):
    """Return the size of the files in the folder of a model, as text."""
    size = sum(file.stat().st_size for file in Path(path).iterdir())
    return f"{size / 1e6:,.1f} MB"


def load_saved_model(parser, options):
    """Load the model of a command.

    Parameters
    ----------
    parser : ArgumentParser
        Parser, which reports invalid parameters.
    options : Namespace
        Options of `add_model_options`.

    Returns
    -------
    SavedModel

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder has no model that ranks labels.
    """
    estimator = load_named_model(options.model, mmap_mode="r")
    if not hasattr(estimator, "suggest"):
        raise ValueError(
            f"{options.model} must be a model that ranks labels; got {type(estimator).__name__}."
        )
    given = {"beam_width": options.beam_width, "n_jobs": options.n_jobs}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        _set_parameter(parser, estimator, name, value)
    check_parameters(parser, estimator)
    extras = load_extras(options.model).get(EXTRAS, {})
    columns, propensities = extras.get("columns"), extras.get("propensities")
    n_labels = len(estimator.classes_)
    if propensities is not None and len(propensities) == n_labels:
        # Folders of earlier versions: a label without rows is at least as rare as any other.
        propensities = np.append(propensities, propensities.min())
    return SavedModel(
        estimator,
        takes_texts(estimator),
        None if columns is None else Columns(**columns),
        propensities,
    )


def _set_parameter(parser, estimator, name, value):
    # Any step may have the parameter, such as n_jobs.
    params = estimator.get_params()
    found = [key for key in params if key.rpartition("__")[2] == name]
    if not found:
        parser.error(f"--{name.replace('_', '-')}: the model has no parameter {name}")
    estimator.set_params(**dict.fromkeys(found, value))
