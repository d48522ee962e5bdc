"""Codecs of cross-validation splitters, which are parameters of meta-estimators."""

from sklearn.model_selection import KFold, ShuffleSplit

from skxmr._core.model_folder import attribute_codec

# A `split` checks most attributes of a splitter. Predictions do not use splitters.
SPLITTER_CODECS = {
    "KFold": attribute_codec(KFold, "n_splits", "shuffle", "random_state"),
    "ShuffleSplit": attribute_codec(
        ShuffleSplit, "n_splits", "test_size", "train_size", "random_state"
    ),
}
