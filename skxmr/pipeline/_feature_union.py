"""The union of transformers that keeps dense results dense next to sparse ones."""

from sklearn import pipeline as sklearn_pipeline

from skxmr._core.mixed_matrix import are_mixed, join_columns


class FeatureUnion(sklearn_pipeline.FeatureUnion):
    """Join the results of several transformers, for example TF-IDF and embeddings.

    This is `sklearn.pipeline.FeatureUnion`, except that sparse and dense results together become a
    `MixedMatrix` instead of a sparse matrix. Parameters, attributes and methods are those of
    scikit-learn.

    Parameters
    ----------
    transformer_list : list of tuple
        Names and transformers. Those with dense results must come last.
    n_jobs : int or None, default=None
        Number of workers, as in joblib.
    transformer_weights : dict or None, default=None
        Multiplier of the result of each transformer, by name.
    verbose : bool, default=False
        Whether to print the time of each transformer.
    verbose_feature_names_out : bool, default=True
        Whether names of columns begin with the name of their transformer.

    Raises
    ------
    ValueError
        By `transform`, if a sparse result comes after a dense one, or if sparse and dense results
        would have to become a data frame.

    See Also
    --------
    skxmr.make_text_classifier : Pipeline of such a union with the parameter `embedder`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skxmr.pipeline import FeatureUnion
    >>> from skxmr.text import TfidfVectorizer
    >>> def lengths(texts):
    ...     return np.array([[len(text)] for text in texts], dtype=np.float32)
    >>> parts = [("words", TfidfVectorizer()), ("length", FunctionTransformer(lengths))]
    >>> union = FeatureUnion(parts)
    >>> union.fit_transform(["red apples", "a fast car", "an old bus"])
    <MixedMatrix of shape (3, 8): 7 sparse columns with 7 values, 1 dense columns>
    """

    @property
    def n_features_in_(self):
        """Number of columns in `fit`, if the first transformer has such a number."""
        return super().n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns in `fit`, if the first transformer has them."""
        return super().feature_names_in_

    def _hstack(self, Xs):
        if not are_mixed(Xs):
            return super()._hstack(Xs)
        names = [name for name, step in self.transformer_list if step != "drop"]
        return join_columns(self, Xs, names)
