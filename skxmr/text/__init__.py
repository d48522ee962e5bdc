"""Text features: scikit-learn's vectorizers with compiled code, equal to the last bit."""

from skxmr.text._counting import CACHED_ATTRIBUTES
from skxmr.text._vectorizers import CountVectorizer, TfidfVectorizer

# skxmr.persistence uses the rest.
__all__ = ["CountVectorizer", "TfidfVectorizer"]
