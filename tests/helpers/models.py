"""Comparison of fitted models."""

import numpy as np


def assert_equal_models(model, expected):
    """Check that two classifiers have equal trees and bit-identical weights."""
    assert model.hierarchy_ == expected.hierarchy_
    levels, expected_levels = model._model.levels, expected._model.levels
    assert len(levels) == len(expected_levels)
    for level, expected_level in zip(levels, expected_levels, strict=True):
        for kind in ("arrays", "tables"):
            arrays, expected_arrays = getattr(level, kind), getattr(expected_level, kind)
            assert arrays.keys() == expected_arrays.keys()
            for name in expected_arrays:
                assert arrays[name].dtype == expected_arrays[name].dtype, name
                np.testing.assert_array_equal(arrays[name], expected_arrays[name], err_msg=name)
        for name in ("n_iter", "n_unsolved", "n_features"):
            assert getattr(level, name) == getattr(expected_level, name), name
