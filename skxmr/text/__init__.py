"""Text features: scikit-learn's vectorizers with compiled code, equal to the last bit."""

from skxmr.text._vectorizers import CountVectorizer, TfidfVectorizer

__all__ = ["CountVectorizer", "TfidfVectorizer"]
