"""Transformers of data frames with columns of several kinds."""

from skxmr.compose._column_transformer import ColumnTransformer

__all__ = ["ColumnTransformer"]
