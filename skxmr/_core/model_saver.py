"""How estimators reach what writes them to folders, which stands above them.

`skxmr.persistence` knows the classes that it writes, so it imports the estimators; a fit that ends
in a folder needs it in turn. It leaves its functions here as it is imported, with the package.
"""

from collections.abc import Callable
from typing import NamedTuple


class ModelSaver(NamedTuple):
    """The functions that a fit needs.

    Attributes
    ----------
    check : callable
        From an estimator and a path: refuses parameters that cannot be written, and a place where
        something else would be lost.
    save : callable
        From an estimator, a path and a folder: `save_model`, which may give files of that folder,
        that are whole arrays, a second name in place of a copy.
    load : callable
        From a path: `load_model` as a memory map.
    """

    check: Callable
    save: Callable
    load: Callable


_savers = []


def set_saver(saver):
    """Leave the functions, once."""
    _savers[:] = [saver]


def model_saver():
    """Return the functions."""
    return _savers[0]
