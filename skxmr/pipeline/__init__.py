"""Pipelines whose last step ranks labels, and unions of sparse and dense features."""

from skxmr._core.mixed_matrix import MixedMatrix
from skxmr.pipeline._feature_union import FeatureUnion
from skxmr.pipeline._pipeline import Pipeline, make_pipeline
from skxmr.pipeline._text_classifier import make_text_classifier as make_text_classifier

# `make_text_classifier` is a name of `skxmr`.
__all__ = ["FeatureUnion", "MixedMatrix", "Pipeline", "make_pipeline"]
