"""Classes that can be saved, by their names in files."""

import sys

from skxmr._core.encoding import UnknownFormError
from skxmr._core.model_folder import Kinds
from skxmr.persistence._sklearn_kinds import SKLEARN_KINDS
from skxmr.xr_linear import CLASSIFIER_KINDS

KINDS = CLASSIFIER_KINDS | SKLEARN_KINDS
TRANSFORMER_PREFIX = "transformer."  # of the names of the classes of skxmr.transformer


def _find(cls):
    return next(((name, kind) for name, kind in _imported_kinds() if kind.cls is cls), None)


def _named(name):
    kinds = _transformer_kinds() if name.startswith(TRANSFORMER_PREFIX) else KINDS
    if name not in kinds:
        raise UnknownFormError(f"it contains an object of the unknown class {name!r}")
    return kinds[name]


def _imported_kinds():
    # If skxmr.transformer is not imported, no object of it exists. A build of the documentation
    # imports it without torch.
    yield from KINDS.items()
    if {"skxmr.transformer", "torch"} <= sys.modules.keys():
        yield from _transformer_kinds().items()


def _transformer_kinds():
    from skxmr.persistence._transformer_kinds import TRANSFORMER_KINDS

    return TRANSFORMER_KINDS


ALL_KINDS = Kinds(_find, _named)
