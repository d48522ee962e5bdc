"""Classifiers of raw texts that use a transformer encoder, frozen or fine-tuned.

`XTransformerClassifier` feeds an encoder into the three stages of `XRLinearClassifier`::

    texts -- vectorizer --> TF-IDF row --+
                                         +--> X --> 1 indexing, 2 matching, 3 ranking
    texts -- encoder -----> embedding ---+

If the encoder is fine-tuned, it first learns to predict clusters of labels:

- Stage 1, indexing: ``_label_clusters.py`` groups the labels, by TF-IDF rows, into the clusters.
- Stage 2, matching: `TransformerMatcher` (``_matcher.py``) trains the encoder on the clusters, one
  level of the tree after the other (``_fine_tuning.py``, ``_level_training.py``).
  ``_cluster_scorer.py`` can then use it as the matcher of the linear classifier.
- Stage 3, ranking: the linear models of `XRLinearClassifier`, on TF-IDF rows and embeddings.

The other modules: ``_encoder.py`` (texts to vectors), ``_texts.py`` (validation), ``_tokens.py``
(token ids and batches), ``_device.py`` (device, precision, random state), ``_text_features.py``
(the rows of X), ``_cluster_heads.py`` (linear models of the clusters over embeddings),
``_candidates.py`` (negatives of the training), ``_checkpoint.py``, and ``_stored_encoder.py`` and
``_fitted_checks.py`` (checks of loaded models).

The package needs the extra ``skxmr[transformer]``. Importing skxmr without it does not import
torch.
"""

try:
    import torch
    import transformers
except ImportError as error:
    raise ImportError(
        "skxmr.transformer needs the packages torch and transformers. Install them with "
        "pip install 'skxmr[transformer]'."
    ) from error

from skxmr.transformer._classifier import XTransformerClassifier
from skxmr.transformer._cluster_heads import ClusterHeads
from skxmr.transformer._cluster_scorer import ClusterScorer
from skxmr.transformer._embedder import TransformerEmbedder
from skxmr.transformer._encoder import Encoder
from skxmr.transformer._fitted_checks import (
    check_embedder,
    check_heads,
    check_heads_content,
    check_matcher,
    check_scorer,
    check_text_classifier,
)
from skxmr.transformer._matcher import TransformerMatcher
from skxmr.transformer._stored_encoder import (
    check_encoder,
    clean_encoder_files,
    explain_panics,
    find_rejected_files,
)

# Other packages of skxmr use the rest.
__all__ = ["TransformerEmbedder", "TransformerMatcher", "XTransformerClassifier"]
