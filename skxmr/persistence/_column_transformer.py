"""Codec of `ColumnTransformer`.

A file contains the parameters, the fitted transformers and the positions of their columns. The
private attributes, which repeat these values, are set when a file is loaded.
"""

import inspect
import string
from collections import UserList

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer

from skxmr._core.encoding import UNSAVABLE_ADVICE
from skxmr.persistence._checked_codec import make_codec
from skxmr.persistence._fitted_checks import (
    check_input_features,
    check_is_complete,
    check_n_jobs,
    check_step_weights,
    is_fitted,
    is_integer,
)

REMAINDER = "remainder"
WORDS = ("drop", "passthrough")
# A parameter of scikit-learn 1.6. Version 1.7 ignores it, and version 1.9 removed it.
OLD_PARAM = "force_int_remainder_cols"
DERIVED_ATTRIBUTES = ("_columns", "_remainder", "_transformer_to_input_indices", "transformers_")
# Names in the last data frame; missing if no data frame was returned.
NAMES_OUT = "_transformers_feature_names_out"


def check_column_transformer(transformer):
    """Raise an error if a `ColumnTransformer` is invalid."""
    for name, step, columns in transformer.transformers:
        if not isinstance(name, str) or not _is_step(step):
            raise ValueError(
                f"transformers must contain names and estimators; got {name!r} and {step!r}"
            )
        check_columns(name, columns)
    transformer._validate_params()
    transformer._validate_transformers()
    if not _is_step(transformer.remainder):
        raise ValueError(f"remainder must be an estimator; got {transformer.remainder!r}")
    check_step_weights(transformer.transformer_weights)
    check_n_jobs(transformer.n_jobs)
    _check_name_format(transformer.verbose_feature_names_out)
    if is_fitted(transformer):
        _check_fitted(transformer)


def check_columns(name, columns):
    """Raise an error unless the columns of a transformer have a type that can be saved.

    Parameters
    ----------
    name : str
        Name of the transformer.
    columns : object
        Columns as in the parameter `transformers`.

    Raises
    ------
    TypeError
        If the columns are a callable.
    ValueError
        If the columns have another type.
    """
    if callable(columns):
        raise TypeError(
            f"columns of the transformer {name!r} must be names, positions, a slice or a mask; got "
            f"{columns!r}. {UNSAVABLE_ADVICE}"
        )
    if isinstance(columns, slice):
        values = [v for v in (columns.start, columns.stop) if v is not None]
        is_valid = columns.step is None or (is_integer(columns.step) and columns.step != 0)
    else:
        values, is_valid = _list_columns(columns), True
    kinds = {_kind_of(value) for value in values}
    if not is_valid or len(kinds) > 1 or None in kinds:
        raise ValueError(f"columns of the transformer {name!r} must be names or positions")


def _list_columns(columns):
    if isinstance(columns, (str, int, np.integer)):
        return [columns]
    if hasattr(columns, "to_numpy"):  # for example an index of pandas
        columns = columns.to_numpy()
    is_array = isinstance(columns, np.ndarray) and columns.ndim == 1
    if not is_array and not isinstance(columns, (list, tuple)):
        raise ValueError(f"columns must be a list or an array; got {type(columns).__name__}")
    return list(columns)


def _kind_of(value):
    if isinstance(value, (bool, np.bool_)):
        return "mask"
    if isinstance(value, str):
        return "name"
    return "position" if is_integer(value) else None


def find_positions(columns, n_features, names):
    """Return the positions of columns of `fit`.

    Parameters
    ----------
    columns : object
        Columns that `check_columns` accepts.
    n_features : int
        Number of columns; a manipulated file can contain any number.
    names : ndarray or None
        Names of the columns.

    Returns
    -------
    list of int or range

    Raises
    ------
    ValueError
        If a column does not exist.
    """
    position_of = {} if names is None else {name: i for i, name in enumerate(names)}
    try:
        if isinstance(columns, slice):
            return _find_slice(columns, n_features, position_of)
        values = _list_columns(columns)
        if values and _kind_of(values[0]) == "mask":
            if len(values) != n_features:
                raise ValueError(f"a mask of columns must have {n_features} entries")
            return [position for position, is_used in enumerate(values) if is_used]
        found = [position_of[v] if isinstance(v, str) else int(v) for v in values]
    except KeyError as error:
        raise ValueError(f"there is no column {error}") from None
    if not all(-n_features <= position < n_features for position in found):
        raise ValueError(f"positions of columns must be less than {n_features}")
    return [position % n_features for position in found]


def _find_slice(columns, n_features, position_of):
    start, stop = columns.start, columns.stop
    if isinstance(start, str):
        start = position_of[start]
    if isinstance(stop, str):
        stop = position_of[stop] + 1
    return range(n_features)[start : stop : columns.step]


def _is_step(step):
    return isinstance(step, BaseEstimator) or (isinstance(step, str) and step in WORDS)


def _is_fitted_step(step):
    if isinstance(step, str):
        return step == "drop"
    return isinstance(step, BaseEstimator) and hasattr(step, "transform")


def _check_name_format(template):
    # Other fields of a template could read any attribute, and a width could fill the memory.
    if isinstance(template, (bool, np.bool_)):
        return
    if callable(template):
        raise TypeError(
            "verbose_feature_names_out must be a bool or a str; got "
            f"{template!r}. {UNSAVABLE_ADVICE}"
        )
    for _, field, width, conversion in string.Formatter().parse(template):
        if field not in (None, "transformer_name", "feature_name") or width or conversion:
            raise ValueError(
                "verbose_feature_names_out must contain only {transformer_name} and "
                f"{{feature_name}}; got {template!r}"
            )


def _check_fitted(transformer):
    check_is_complete(transformer, [*DERIVED_ATTRIBUTES, "sparse_output_", "output_indices_"])
    n_features, names = check_input_features(transformer)
    all_positions = transformer._transformer_to_input_indices
    expected = [name for name, _, _ in transformer.transformers]
    if list(all_positions) != [*expected, REMAINDER]:
        raise ValueError("the names of the transformers differ from those of the fit")
    for name, _, columns in transformer.transformers:
        _check_positions(name, find_positions(columns, n_features, names), all_positions[name])
    used = {position for name in expected for position in all_positions[name]}
    rest = all_positions[REMAINDER]
    if any(position in used for position in rest) or len(used) + len(rest) != n_features:
        raise ValueError("the positions of the remainder must be those of all other columns")
    rest_columns = transformer._remainder[2]
    check_columns(REMAINDER, _plain_columns(rest_columns))
    _check_positions(
        REMAINDER, find_positions(_plain_columns(rest_columns), n_features, names), rest
    )
    fitted = transformer.transformers_
    if [name for name, _, _ in fitted] != expected + [REMAINDER] * bool(len(rest_columns)):
        raise ValueError("transformers_ must have one entry per transformer")
    for name, step, columns in fitted:
        # A slice can select no column, but scikit-learn uses its transformer.
        is_unused = not isinstance(columns, slice) and not len(all_positions[name])
        if not (_is_fitted_step(step) or (is_unused and _is_step(step))):
            raise ValueError(f"the transformer {name!r} must have transform")
        if isinstance(step, FunctionTransformer) and not (is_unused or is_fitted(step)):
            # It would fail to compare the names of its columns.
            raise ValueError(f"the transformer {name!r} must be fitted")
    if not isinstance(transformer.sparse_output_, (bool, np.bool_)):
        raise ValueError("sparse_output_ must be a bool")
    names_out = vars(transformer).get(NAMES_OUT)
    if not (names_out is None or (isinstance(names_out, np.ndarray) and names_out.ndim == 1)):
        raise ValueError(f"{NAMES_OUT} must be a 1-D array")
    _check_output_slices(transformer.output_indices_, {*expected, REMAINDER})


def _check_positions(name, expected, positions):
    is_equal = len(expected) == len(positions) and all(
        is_integer(position) and position == wanted
        for position, wanted in zip(positions, expected, strict=True)
    )
    if not is_equal:
        raise ValueError(f"the columns of the transformer {name!r} differ from those of the fit")


def _check_output_slices(slices, names):
    is_valid = type(slices) is dict and slices.keys() == names
    for output in slices.values() if is_valid else ():
        limits = (output.start, output.stop) if isinstance(output, slice) else (None,)
        is_valid = is_valid and all(is_integer(limit) and limit >= 0 for limit in limits)
        is_valid = is_valid and limits[0] <= limits[1] and output.step is None
    if not is_valid:
        raise ValueError("output_indices_ must have one slice per transformer")


def _plain_columns(columns):
    # An index of pandas becomes an array. A list of scikit-learn 1.6 that warns becomes a list.
    if hasattr(columns, "to_numpy"):
        columns = columns.to_numpy()
        return columns.astype(object) if columns.dtype.kind not in "biu" else columns
    return list(columns.data) if isinstance(columns, UserList) else columns


def _change_fields(params, fitted):
    if params.get(OLD_PARAM) in (True, "deprecated"):
        del params[OLD_PARAM]
    params["transformers"] = [
        (name, step, _plain_columns(columns)) for name, step, columns in params["transformers"]
    ]
    if "transformers_" not in fitted:
        return
    _, positions = fitted.pop("_columns"), fitted.pop("_transformer_to_input_indices")
    fitted["positions"] = [np.array(rows, dtype=np.int64) for rows in positions.values()]
    fitted["remainder_columns"] = _plain_columns(fitted.pop("_remainder")[2])
    fitted["transformers_"] = [step for _, step, _ in fitted["transformers_"]]


def _restore_fields(params, fitted):
    known = inspect.signature(ColumnTransformer).parameters
    if OLD_PARAM in params and (OLD_PARAM not in known or known[OLD_PARAM].default is not True):
        del params[OLD_PARAM]
    if "transformers_" not in fitted:
        return
    transformers = params["transformers"]
    rest = fitted.pop("remainder_columns")
    steps, positions = fitted["transformers_"], fitted.pop("positions")
    all_columns = [(name, columns) for name, _, columns in transformers]
    fitted["_columns"] = [columns for _, columns in all_columns]
    fitted["_remainder"] = (REMAINDER, params["remainder"], rest)
    names = [*(name for name, _ in all_columns), REMAINDER]
    fitted["_transformer_to_input_indices"] = {
        name: _to_list(rows) for name, rows in zip(names, positions, strict=True)
    }
    all_columns += [(REMAINDER, rest)] * (len(steps) > len(transformers))
    fitted["transformers_"] = [
        (name, step, columns) for (name, columns), step in zip(all_columns, steps, strict=True)
    ]


def _to_list(positions):
    if not (isinstance(positions, np.ndarray) and positions.shape == (positions.size,)):
        raise ValueError("positions must be 1-D arrays")
    return positions.tolist()


def make_column_transformer_codecs(cls):
    """Return the codec of `ColumnTransformer` of scikit-learn or of skxmr, by name."""
    codec = make_codec(cls, check_column_transformer, _change_fields, _restore_fields)
    return {"ColumnTransformer": codec}
