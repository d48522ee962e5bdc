"""Values as JSON, their arrays apart; what would need pickle is refused.

Objects are written by the kinds that the caller knows, everything else by its plain type:
JSON's own as they are, others as a dict of one key that says what they are.
"""

import functools
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

PLAIN_DTYPES = "biufcSUmM"
# As a parameter that asks for a dtype may be.
PYTHON_TYPES = {"bool": bool, "int": int, "float": float}


class UnknownFormError(ValueError):
    """What was read is of a class or a form that this version does not know."""


class Kind(NamedTuple):
    """How objects of one class are written.

    Attributes
    ----------
    cls : type
        The class itself; subclasses are others.
    fields : callable
        From an object to a dict of values.
    make : callable
        From these values back.
    """

    cls: type
    fields: Any
    make: Any


class Encoder:
    """Encode values; arrays gather in `arrays`, by the name of their file.

    Parameters
    ----------
    kind_of : callable
        From a class to the name that it has in files and its `Kind`, or to None if it may not be
        written.
    """

    def __init__(self, kind_of):
        self.arrays = {}
        self._kind_of = functools.cache(kind_of)
        self._seen = {}

    def encode(self, value, place):
        """Return a value as JSON.

        Parameters
        ----------
        value : object
            To write.
        place : str
            Where it is, as errors and the files of its arrays name it: ``model.C``.

        Returns
        -------
        object

        Raises
        ------
        TypeError
            If it, or something in it, cannot be written.
        """
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, np.str_):
            return str(value)
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if found := self._kind_of(type(value)):
            name, kind = found
            return {"object": name, "fields": self._items(kind.fields(value), place)}
        if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
            items = [self.encode(item, f"{place}.{i}") for i, item in enumerate(value)]
            return items if type(value) is list else {"tuple": items}
        if type(value) is dict and all(type(key) is str for key in value):
            return {"dict": self._items(value, place)}
        if type(value) is type(Path()):
            return {"path": str(value)}
        return self._encode_numeric(value, place)

    def _items(self, values, place):
        return {key: self.encode(value, f"{place}.{key}") for key, value in values.items()}

    def _encode_numeric(self, value, place):
        if isinstance(value, np.dtype) and value.kind in PLAIN_DTYPES + "O":
            return {"dtype": value.str}
        if isinstance(value, type) and PYTHON_TYPES.get(value.__name__) is value:
            return {"type": value.__name__}
        if isinstance(value, type) and value in np.sctypeDict.values():
            return {"type": np.dtype(value).str}
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            return {"scalar": value.dtype.str, "value": self.encode(value.item(), place)}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self._items(value.get_state(legacy=False), place)}
        if type(value) in (np.ndarray, np.memmap):
            if value.dtype.kind in PLAIN_DTYPES and value.dtype.names is None:
                return {"array": self._file(value, place)}
            if value.dtype == object and all(isinstance(v, str) for v in value.flat):
                return {"strings": self._strings(value, place), "shape": list(value.shape)}
        if sp.issparse(value):
            by_rows = value if value.format == "csc" else value.tocsr()
            return {
                "sparse": type(value).__name__,
                "compressed": by_rows.format,
                "shape": list(value.shape),
                "parts": [
                    {"array": self._file(getattr(by_rows, part), f"{place}.{part}")}
                    for part in ("data", "indices", "indptr")
                ],
            }
        raise TypeError(
            f"{place} is of type {type(value).__module__}.{type(value).__qualname__}, which "
            "save_model does not write: it keeps plain values and arrays only. "
            "joblib.dump(model, file) keeps everything."
        )

    def _strings(self, values, place):
        # Strings of their own lengths, in one array of bytes and one of their ends.
        parts = [value.encode("utf-8", "surrogatepass") for value in values.flat]
        ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        text = np.frombuffer(b"".join(parts), dtype=np.uint8)
        return [self._file(text, f"{place}.utf8"), self._file(ends, f"{place}.ends")]

    def _file(self, array, place):
        if id(array) in self._seen:
            return self._seen[id(array)][0]
        # "model.fitted._model.ranker" is no way to name a file.
        short = re.sub(r"\.(params|fitted|_model)(?=\.)", "", place).removeprefix("model.")
        stem = re.sub(r"[^\w.-]", "_", short, flags=re.ASCII).lstrip("._")
        taken = {name.lower() for name in self.arrays}
        name, n = f"{stem}.npy", 1
        while name.lower() in taken:
            n += 1
            name = f"{stem}-{n}.npy"
        self.arrays[name] = array
        # Kept alive, or another array could get its id.
        self._seen[id(array)] = name, array
        return name


class Decoder:
    """Undo `Encoder.encode`.

    Parameters
    ----------
    kind_named : callable
        From the name of a class to its `Kind`; it raises UnknownFormError.
    arrays : mapping
        From names of files to arrays.
    """

    def __init__(self, kind_named, arrays):
        self._kind_named = kind_named
        self._arrays = arrays
        self._readers = {
            "object": self._object,
            "dict": self._dict,
            "tuple": self._tuple,
            "float": lambda text, _: float(text),
            "path": lambda text, _: Path(text),
            "type": lambda name, _: PYTHON_TYPES.get(name) or np.dtype(name).type,
            "dtype": lambda name, _: np.dtype(name),
            "scalar": self._scalar,
            "random_state": self._random_state,
            "array": lambda name, _: arrays[name],
            "strings": self._strings,
            "sparse": self._sparse,
        }

    def decode(self, spec):
        """Return the value that a spec was made of.

        Parameters
        ----------
        spec : object
            As `Encoder.encode` returned it.

        Returns
        -------
        object

        Raises
        ------
        UnknownFormError
            If it is of a class or a form that this version does not know.
        """
        if isinstance(spec, list):
            return [self.decode(item) for item in spec]
        if not isinstance(spec, dict):
            return spec
        form = next(iter(spec), None)
        if form not in self._readers:
            raise UnknownFormError(f"it holds a value of unknown form, {form!r}")
        return self._readers[form](spec[form], spec)

    def _object(self, name, spec):
        return self._kind_named(name).make(self._dict(spec["fields"], None))

    def _dict(self, items, _):
        return {key: self.decode(item) for key, item in items.items()}

    def _tuple(self, items, _):
        return tuple(self.decode(item) for item in items)

    def _scalar(self, dtype, spec):
        return np.dtype(dtype).type(self.decode(spec["value"]))

    def _random_state(self, state, _):
        random_state = np.random.RandomState()
        random_state.set_state(self._dict(state, None))
        return random_state

    def _strings(self, names, spec):
        text, ends = (self._arrays[name] for name in names)
        whole, starts = text.tobytes(), [0, *ends[:-1]]
        values = np.empty(len(ends), dtype=object)
        values[:] = [
            whole[start:end].decode("utf-8", "surrogatepass")
            for start, end in zip(starts, ends, strict=False)
        ]
        return values.reshape(spec["shape"])

    def _sparse(self, container, spec):
        if container not in CONTAINERS:
            raise UnknownFormError(f"it holds a sparse matrix of unknown kind, {container!r}")
        cls = CONTAINERS[container]
        kind = container.rpartition("_")[2]
        compressed = getattr(sp, f"{spec['compressed']}_{kind}")
        parts = tuple(self.decode(part) for part in spec["parts"])
        value = compressed(parts, shape=spec["shape"])
        return value if type(value) is cls else cls(value)


CONTAINERS = {
    f"{form}_{kind}": getattr(sp, f"{form}_{kind}")
    for form in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
    for kind in ("array", "matrix")
}
