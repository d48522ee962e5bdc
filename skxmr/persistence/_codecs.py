"""Codecs of all classes that can be saved, by their names in files."""

import sys

from skxmr._core.model_folder import CodecRegistry, find_codec, get_codec
from skxmr.persistence._sklearn_codecs import SKLEARN_CODECS
from skxmr.xr_linear import CLASSIFIER_CODECS

CODECS = CLASSIFIER_CODECS | SKLEARN_CODECS
TRANSFORMER_PREFIX = "transformer."  # of the names of the classes of skxmr.transformer


def _find(cls):
    named_codecs = list(CODECS.items())
    # If skxmr.transformer is not imported, no object of its classes exists. While the documentation
    # is built, it is imported without torch.
    if {"skxmr.transformer", "torch"} <= sys.modules.keys():
        named_codecs += _transformer_codecs().items()
    return find_codec(named_codecs, cls)


def _get(name):
    return get_codec(_transformer_codecs() if name.startswith(TRANSFORMER_PREFIX) else CODECS, name)


def _transformer_codecs():
    # Importing this module imports torch.
    from skxmr.persistence._transformer_codecs import TRANSFORMER_CODECS

    return TRANSFORMER_CODECS


REGISTRY = CodecRegistry(_find, _get)
