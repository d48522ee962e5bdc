"""Pipelines whose last step ranks labels."""

from skxmr.pipeline._pipeline import Pipeline, make_pipeline
from skxmr.pipeline._text_classifier import make_text_classifier as make_text_classifier

# `make_text_classifier` is a name of `skxmr`.
__all__ = ["Pipeline", "make_pipeline"]
