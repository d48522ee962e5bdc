"""Codecs of all classes that can be saved, by their names in files."""

import sys
from collections.abc import Callable
from typing import NamedTuple

from skxmr._core.model_folder import CodecRegistry, find_codec, get_codec, set_default_registry
from skxmr.persistence._sklearn_codecs import SKLEARN_CODECS
from skxmr.xr_linear import CLASSIFIER_CODECS

CODECS = CLASSIFIER_CODECS | SKLEARN_CODECS


class LazyCodecs(NamedTuple):
    """Codecs that are imported when an object of their classes is saved or loaded.

    Attributes
    ----------
    packages : set of str
        Packages that define the classes. If one of them is not imported, no object of the classes
        exists.
    load : callable
        Function that returns a dict from names to `ClassCodec`.
    """

    packages: set
    load: Callable

    def is_used(self):
        """Return whether an object of the classes can exist."""
        return self.packages <= sys.modules.keys()


def _load_transformer_codecs():
    from skxmr.persistence._transformer_codecs import TRANSFORMER_CODECS

    return TRANSFORMER_CODECS


def _load_column_transformer_codecs():
    from sklearn.compose import ColumnTransformer

    from skxmr.persistence._column_transformer import make_column_transformer_codecs

    return make_column_transformer_codecs(ColumnTransformer)


def _load_mixed_column_transformer_codecs():
    from skxmr.compose import ColumnTransformer
    from skxmr.persistence._column_transformer import make_column_transformer_codecs

    return make_column_transformer_codecs(ColumnTransformer)


def _load_feature_selection_codecs():
    from skxmr.persistence._feature_selection import FEATURE_SELECTION_CODECS

    return FEATURE_SELECTION_CODECS


def _load_decomposition_codecs():
    from skxmr.persistence._decomposition import DECOMPOSITION_CODECS

    return DECOMPOSITION_CODECS


def _load_splitter_codecs():
    from skxmr.persistence._splitters import SPLITTER_CODECS

    return SPLITTER_CODECS


def _load_calibration_codecs():
    from skxmr.calibration import CALIBRATION_CODECS

    return CALIBRATION_CODECS


def _load_zero_shot_codecs():
    from skxmr.zero_shot import ZERO_SHOT_CODECS

    return ZERO_SHOT_CODECS


# The name of a class in files consists of a key, a dot and a name in the dict of its codecs.
LAZY_CODECS = {
    # While the documentation is built, skxmr.transformer is imported without torch.
    "transformer": LazyCodecs({"skxmr.transformer", "torch"}, _load_transformer_codecs),
    "sklearn.compose": LazyCodecs({"sklearn.compose"}, _load_column_transformer_codecs),
    "sklearn.feature_selection": LazyCodecs(
        {"sklearn.feature_selection"}, _load_feature_selection_codecs
    ),
    "sklearn.decomposition": LazyCodecs({"sklearn.decomposition"}, _load_decomposition_codecs),
    "sklearn.model_selection": LazyCodecs({"sklearn.model_selection"}, _load_splitter_codecs),
    "skxmr.compose": LazyCodecs({"skxmr.compose"}, _load_mixed_column_transformer_codecs),
    "skxmr.calibration": LazyCodecs({"skxmr.calibration"}, _load_calibration_codecs),
    "skxmr.zero_shot": LazyCodecs({"skxmr.zero_shot"}, _load_zero_shot_codecs),
}


def _find(cls):
    named_codecs = list(CODECS.items())
    for prefix, lazy in LAZY_CODECS.items():
        if lazy.is_used():
            named_codecs += [(f"{prefix}.{name}", codec) for name, codec in lazy.load().items()]
    return find_codec(named_codecs, cls)


def _get(name):
    prefix, _, short_name = name.rpartition(".")
    if prefix not in LAZY_CODECS:
        return get_codec(CODECS, name)
    return get_codec(LAZY_CODECS[prefix].load(), short_name)


REGISTRY = CodecRegistry(_find, _get)
set_default_registry(REGISTRY)
