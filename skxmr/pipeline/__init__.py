"""Pipelines whose last step ranks labels."""

from skxmr.pipeline._pipeline import Pipeline, make_pipeline

__all__ = ["Pipeline", "make_pipeline"]
