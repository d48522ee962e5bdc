"""The transformer of data frames that keeps dense results dense next to sparse ones."""

from sklearn import compose as sklearn_compose

from skxmr._core.mixed_matrix import MixedMatrix, are_mixed, join_columns


class ColumnTransformer(sklearn_compose.ColumnTransformer):
    """Transform columns of a data frame separately, for example texts and numbers.

    This is `sklearn.compose.ColumnTransformer`, except that it returns a
    `skxmr.pipeline.MixedMatrix` where scikit-learn would convert dense results to sparse ones.
    Parameters, attributes and methods are those of scikit-learn.

    Parameters
    ----------
    transformers : list of tuple
        Names, transformers and columns. Those with dense results must come last.
    remainder : {"drop", "passthrough"} or estimator, default="drop"
        Transformer of all other columns.
    sparse_threshold : float, default=0.3
        If the results are sparse and dense, and at least this part of all values is not zero, the
        result is an array.
    n_jobs : int or None, default=None
        Number of workers, as in joblib.
    transformer_weights : dict or None, default=None
        Multiplier of the result of each transformer, by name.
    verbose : bool, default=False
        Whether to print the time of each transformer.
    verbose_feature_names_out : bool, str or callable, default=True
        Whether, or how, names of columns begin with the name of their transformer.

    Raises
    ------
    ValueError
        By `transform`, if a sparse result comes after a dense one, or if sparse and dense results
        would have to become a data frame.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skxmr.compose import ColumnTransformer
    >>> from skxmr.text import TfidfVectorizer
    >>> frame = pd.DataFrame({"title": ["red apples", "a fast car"], "price": [2.0, 4.0]})
    >>> transformer = ColumnTransformer(
    ...     [("words", TfidfVectorizer(), "title"), ("numbers", StandardScaler(), ["price"])],
    ...     sparse_threshold=1,
    ... )
    >>> transformer.fit_transform(frame)
    <MixedMatrix of shape (2, 5): 4 sparse columns with 4 values, 1 dense columns>
    """

    def _hstack(self, Xs, *, n_samples):
        has_mixed = any(isinstance(X, MixedMatrix) for X in Xs)
        if not has_mixed and not (self.sparse_output_ and are_mixed(Xs)):
            return super()._hstack(Xs, n_samples=n_samples)
        return join_columns(self, Xs, list(self.output_indices_)[: len(Xs)])
