"""Models of raw texts: fine-tuned and frozen encoders from `transformers`.

Needs the extra ``skxmr[transformer]``; nothing else of skxmr imports torch.
"""

try:
    import torch
    import transformers
except ImportError as error:
    raise ImportError(
        "skxmr.transformer needs the packages torch and transformers: "
        "pip install 'skxmr[transformer]'."
    ) from error

from skxmr.transformer._cluster_scores import ClusterScorer
from skxmr.transformer._embedder import TransformerEmbedder
from skxmr.transformer._encoding import Encoder
from skxmr.transformer._heads import ClusterHeads
from skxmr.transformer._matcher import TransformerMatcher
from skxmr.transformer._x_transformer import XTransformerClassifier

# Other packages of skxmr use the rest.
__all__ = ["TransformerEmbedder", "TransformerMatcher", "XTransformerClassifier"]
