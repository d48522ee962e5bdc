"""Models of raw texts: fine-tuned and frozen encoders from `transformers`.

Needs the extra ``skxmr[transformer]``; nothing else of skxmr imports torch.
"""

try:
    import torch  # noqa: F401
    import transformers  # noqa: F401
except ImportError as error:
    raise ImportError(
        "skxmr.transformer needs the packages torch and transformers: "
        "pip install 'skxmr[transformer]'."
    ) from error

from skxmr.transformer.embedder import TransformerEmbedder
from skxmr.transformer.matcher import TransformerMatcher
from skxmr.transformer.x_transformer import XTransformerClassifier

__all__ = ["TransformerEmbedder", "TransformerMatcher", "XTransformerClassifier"]
