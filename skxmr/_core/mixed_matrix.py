"""A matrix whose first columns are sparse and whose last columns are dense."""

import numpy as np
import scipy.sparse as sp
from sklearn import get_config

from skxmr._core.arrays import check_sparse_arrays
from skxmr._core.dense_containers import read_dense_container


class MixedMatrix:
    """Rows with a sparse part, such as TF-IDF, and a dense part, such as embeddings.

    As a sparse matrix, the dense part would need more than twice its memory. `XRLinearClassifier`
    accepts mixed matrices in all methods; the results are those of `tocsr`. Other estimators of
    scikit-learn do not accept them. `skxmr.pipeline.FeatureUnion` and
    `skxmr.compose.ColumnTransformer` return them.

    Parameters
    ----------
    sparse : sparse matrix of shape (n_samples, n_sparse)
        First columns.
    dense : array-like of shape (n_samples, n_dense)
        Last columns, numbers. An array is not copied.

    Attributes
    ----------
    sparse : sparse CSR of shape (n_samples, n_sparse)
        First columns.
    dense : ndarray of shape (n_samples, n_dense)
        Last columns.
    shape : tuple of int
        Number of rows, and number of columns of both parts.
    dtype : numpy.dtype
        Dtype that holds the values of both parts.

    Raises
    ------
    ValueError
        If a part is not a matrix of numbers, or the parts have different numbers of rows.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skxmr.pipeline import MixedMatrix
    >>> words = sp.csr_array([[0.0, 0.5, 0.0], [0.8, 0.0, 0.0]])
    >>> embeddings = np.array([[0.6, 0.8], [1.0, 0.0]], dtype=np.float32)
    >>> X = MixedMatrix(words, embeddings)
    >>> X
    <MixedMatrix of shape (2, 5): 3 sparse columns with 2 values, 2 dense columns>
    >>> X[[1]].toarray()
    array([[0.8, 0. , 0. , 1. , 0. ]])
    """

    ndim = 2

    def __init__(self, sparse, dense):
        if not sp.issparse(sparse) or sparse.ndim != 2:
            raise ValueError(f"sparse must be a 2-D sparse matrix; got a {type(sparse).__name__}.")
        if isinstance(dense, np.ma.MaskedArray):
            raise ValueError("dense must not be a masked array; fill its missing values.")
        dense = np.asarray(read_dense_container(dense, "dense"))
        if dense.ndim != 2 or dense.dtype.kind not in "buif":
            raise ValueError(
                f"dense must be a 2-D array of numbers; got shape {dense.shape} and dtype "
                f"{dense.dtype}."
            )
        if sparse.shape[0] != dense.shape[0]:
            raise ValueError(
                f"sparse and dense must have the same number of rows; got {sparse.shape[0]} and "
                f"{dense.shape[0]}."
            )
        check_sparse_arrays(sparse)  # `tocsr` does not check them
        self.sparse = sparse.tocsr()
        self.dense = dense

    @property
    def shape(self):
        return self.sparse.shape[0], self.sparse.shape[1] + self.dense.shape[1]

    @property
    def dtype(self):
        return np.result_type(self.sparse.dtype, self.dense.dtype)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Return the selected rows as a MixedMatrix; a single number selects one row.

        Columns cannot be selected: index `sparse` or `dense`.
        """
        if isinstance(rows, tuple):
            rows, *rest = rows
            if not all(part is Ellipsis or part == slice(None) for part in rest):
                raise IndexError(
                    "columns of a MixedMatrix cannot be selected; index its sparse or dense part."
                )
        if isinstance(rows, (int, np.integer)):
            rows = [rows]
        return MixedMatrix(self.sparse[rows], self.dense[rows])

    def __mul__(self, factor):
        """Return the values of both parts multiplied by a number."""
        return MixedMatrix(self.sparse * factor, self.dense * factor)

    __rmul__ = __mul__

    def __array__(self, dtype=None, copy=None):
        raise TypeError("MixedMatrix is not converted to an array silently; use toarray or tocsr.")

    def __repr__(self):
        return (
            f"<MixedMatrix of shape {self.shape}: {self.sparse.shape[1]} sparse columns with "
            f"{self.sparse.nnz} values, {self.dense.shape[1]} dense columns>"
        )

    def tocsr(self):
        """Convert to a sparse matrix.

        Returns
        -------
        X : sparse CSR of shape (n_samples, n_sparse + n_dense)
            Columns of both parts. A dense part in float16 is converted to float32.
        """
        # scipy has no sparse matrices in float16.
        dense = self.dense.astype(np.float32) if self.dense.dtype == np.float16 else self.dense
        return sp.hstack([self.sparse, dense], format="csr")

    def toarray(self):
        """Convert to an array.

        Returns
        -------
        X : ndarray of shape (n_samples, n_sparse + n_dense)
            Columns of both parts.
        """
        return np.hstack([self.sparse.toarray(), self.dense])


def join_columns(union, parts, names):
    """Return matrices side by side: a MixedMatrix of sparse and dense ones.

    Parameters
    ----------
    union : estimator
        Transformer that returns the result, for the errors.
    parts : list of MixedMatrix, sparse matrix or ndarray
        Matrices with equal numbers of rows; at least one is not dense.
    names : list of str
        Name of the transformer of each matrix.

    Returns
    -------
    MixedMatrix or sparse CSR

    Raises
    ------
    ValueError
        If a sparse matrix comes after a dense one, or scikit-learn would convert the result to a
        data frame.
    """
    own_output = vars(union).get("_sklearn_output_config", {})
    output = own_output.get("transform", get_config()["transform_output"])
    if output != "default":
        raise ValueError(
            f"transform_output must be 'default' if the result of {type(union).__name__} is sparse "
            f"and dense; got {output!r}. Use sklearn.config_context(transform_output='default') or "
            "set_output(transform='default')."
        )
    sparse, dense = [], []
    for part, name in zip(parts, names, strict=True):
        is_sparse = isinstance(part, MixedMatrix) or sp.issparse(part)
        if is_sparse and dense:
            raise ValueError(
                f"Transformers with dense results must come last; {name!r} returned a sparse "
                "matrix after a dense one. Change the order of the transformers."
            )
        if is_sparse:
            sparse.append(part.sparse if isinstance(part, MixedMatrix) else part)
        if not sp.issparse(part):
            is_mixed = isinstance(part, MixedMatrix)
            dense.append(part.dense if is_mixed else read_dense_container(part, name))
    joined = sp.hstack(sparse, format="csr") if len(sparse) > 1 else sparse[0]
    if not dense:
        return joined.tocsr()
    return MixedMatrix(joined, np.hstack(dense) if len(dense) > 1 else dense[0])


def are_mixed(parts):
    """Return whether a matrix is mixed, or some are sparse and some are not."""
    kinds = {sp.issparse(part) for part in parts}
    return len(kinds) == 2 or any(isinstance(part, MixedMatrix) for part in parts)
