"""Text features: scikit-learn's vectorizers with compiled code, and embeddings of any encoder."""

from skxmr.text._counting import CACHED_ATTRIBUTES
from skxmr.text._embedder import TextEmbedder
from skxmr.text._unknown_terms import find_unknown_terms
from skxmr.text._vectorizers import CountVectorizer, TfidfVectorizer

# skxmr.persistence uses the rest.
__all__ = ["CountVectorizer", "TextEmbedder", "TfidfVectorizer", "find_unknown_terms"]
