"""Convert values to JSON and arrays, and back, without pickle.

JSON represents None, bool, int, str, finite float and list directly. Every other value becomes a
dict whose first key is a tag that names its type, for example ``{"tuple": [1, 2]}``. Arrays are
stored separately; their dict contains the name of their file. An object of a class is stored as a
dict of fields, by the `ClassCodec` of the class.
"""

import functools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import PLAIN_DTYPES

# Maximum number of stored entries of a dia matrix per nonzero entry, row or column.
MAX_DIAGONAL_FILL = 1000
# End of the message if a value cannot be encoded.
UNSAVABLE_ADVICE = "save_model cannot write it; joblib.dump(model, file) saves any model."
PYTHON_TYPES = {"bool": bool, "int": int, "float": float}  # possible values of a `dtype` parameter


class DecodingError(ValueError):
    """A stored value cannot be decoded, because this version does not know its class or tag."""


class ClassCodec(NamedTuple):
    """Conversion of the objects of one class to fields, and back.

    Attributes
    ----------
    cls : type
        The class. Subclasses are not included.
    to_fields : callable
        Function that returns a dict of values for an object.
    from_fields : callable
        Function that returns an object for such a dict.
    check_content : callable or None
        Function that raises a ValueError if values inside the arrays of an object are invalid. It
        is not called for trusted files, because it reads all arrays.
    """

    cls: type
    to_fields: Callable
    from_fields: Callable
    check_content: Callable | None = None


class Encoder:
    """Encode values as JSON, and collect their arrays.

    Parameters
    ----------
    find_codec : callable
        Function of a class. Returns the name of the class in files and its `ClassCodec`, or None if
        objects of the class cannot be saved.

    Attributes
    ----------
    arrays : dict of ndarray
        Arrays of all encoded values, by file name.
    """

    def __init__(self, find_codec):
        self.arrays = {}
        self._find_codec = functools.cache(find_codec)
        self._encoded_arrays = {}  # from the id of an array to its file name and the array

    def encode(self, value, key_path):
        """Return a value as JSON.

        Parameters
        ----------
        value : object
            Value to encode.
        key_path : str
            Position of the value in the model, for example ``model.params.C``. It appears in error
            messages, and the names of array files are derived from it.

        Returns
        -------
        object
            Value that the module `json` can write.

        Raises
        ------
        TypeError
            If the value, or a value inside it, cannot be saved.
        ValueError
            If the value contains itself, or is nested too deeply.
        """
        try:
            return self._encode(value, key_path)
        except RecursionError:
            raise ValueError(f"{key_path} contains itself, or is nested too deeply.") from None

    def _encode(self, value, key_path):
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, np.str_):
            return str(value)
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if found := self._find_codec(type(value)):
            name, codec = found
            return {"object": name, "fields": self._encode_items(codec.to_fields(value), key_path)}
        if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
            items = [self._encode(item, f"{key_path}.{i}") for i, item in enumerate(value)]
            return items if type(value) is list else {"tuple": items}
        if type(value) is dict and all(type(key) is str for key in value):
            return {"dict": self._encode_items(value, key_path)}
        if type(value) is type(Path()):
            return {"path": str(value)}
        return self._encode_numeric(value, key_path)

    def _encode_items(self, values, key_path):
        return {key: self._encode(value, f"{key_path}.{key}") for key, value in values.items()}

    def _encode_numeric(self, value, key_path):
        if isinstance(value, np.dtype) and value.kind in PLAIN_DTYPES + "O":
            return {"dtype": value.str}
        if isinstance(value, type) and PYTHON_TYPES.get(value.__name__) is value:
            return {"type": value.__name__}
        if isinstance(value, type) and value in np.sctypeDict.values():
            return {"type": np.dtype(value).str}
        # Not longdouble, which Python has no number for.
        if isinstance(value, np.generic) and value.dtype.kind in "biuf" and value.itemsize <= 8:
            return {"scalar": value.dtype.str, "value": self._encode(value.item(), key_path)}
        if isinstance(value, np.random.RandomState):
            state = value.get_state(legacy=False)
            return {"random_state": self._encode_items(state, key_path)}
        if type(value) in (np.ndarray, np.memmap):
            if value.dtype.kind in PLAIN_DTYPES and value.dtype.names is None:
                return {"array": self._add_array(value, key_path)}
            if value.dtype == object and all(isinstance(v, str) for v in value.flat):
                return {"strings": self._add_strings(value, key_path), "shape": list(value.shape)}
        if sp.issparse(value):
            compressed = value if value.format == "csc" else value.tocsr()
            return {
                "sparse": type(value).__name__,
                "compressed": compressed.format,
                "shape": list(value.shape),
                "parts": [
                    {"array": self._add_array(getattr(compressed, name), f"{key_path}.{name}")}
                    for name in ("data", "indices", "indptr")
                ],
            }
        raise TypeError(
            f"{key_path} must be a plain value, an array or an object of a supported class; got "
            f"an object of type {type(value).__module__}.{type(value).__qualname__}. "
            f"{UNSAVABLE_ADVICE}"
        )

    def _add_strings(self, values, key_path):
        # Add all characters as one array of bytes, and the end of each string as another.
        encoded = [value.encode("utf-8", "surrogatepass") for value in values.flat]
        ends = np.cumsum([len(string) for string in encoded], dtype=np.int64)
        characters = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return [
            self._add_array(characters, f"{key_path}.utf8"),
            self._add_array(ends, f"{key_path}.ends"),
        ]

    def _add_array(self, array, key_path):
        # Return the name of its file. An array that occurs repeatedly is stored once.
        if id(array) in self._encoded_arrays:
            return self._encoded_arrays[id(array)][0]
        # Shorter file names: "ranker.level" instead of "model.fitted._model.ranker.level".
        short = re.sub(r"\.(params|fitted|_model)(?=\.)", "", key_path).removeprefix("model.")
        stem = re.sub(r"[^\w.-]", "_", short, flags=re.ASCII).lstrip("._")
        used = {name.lower() for name in self.arrays}
        name, n = f"{stem}.npy", 1
        while name.lower() in used:
            n += 1
            name = f"{stem}-{n}.npy"
        self.arrays[name] = array
        # The reference keeps the array alive. Otherwise another array could get its id.
        self._encoded_arrays[id(array)] = name, array
        return name


class Decoder:
    """Decode what an `Encoder` has encoded.

    Parameters
    ----------
    get_codec : callable
        Function that returns the `ClassCodec` of a class by its name in files. It raises a
        DecodingError if the name is unknown.
    arrays : mapping of str to ndarray
        Arrays by file name.
    trusted : bool
        Whether to skip `ClassCodec.check_content`.
    """

    def __init__(self, get_codec, arrays, trusted=False):
        self._get_codec = get_codec
        self._trusted = trusted
        self._arrays = arrays
        self.key_path = []  # position of the value that is decoded, or whose decoding failed
        self._decoded_texts = set()  # names of array files
        # Functions of the value of the tag and of the whole dict.
        self._decoders = {
            "object": self._decode_object,
            "dict": lambda items, _: self._decode_items(items),
            "tuple": lambda items, _: tuple(self.decode(item) for item in items),
            "float": lambda text, _: float(text),
            "path": lambda text, _: Path(text),
            "type": lambda name, _: PYTHON_TYPES.get(name) or _decode_dtype(name).type,
            "dtype": lambda name, _: _decode_dtype(name),
            "scalar": self._decode_scalar,
            "random_state": self._decode_random_state,
            "array": lambda name, _: arrays[name],
            "strings": self._decode_strings,
            "sparse": self._decode_sparse,
        }

    def decode(self, encoded):
        """Return the value that was encoded.

        Parameters
        ----------
        encoded : object
            Result of `Encoder.encode`.

        Returns
        -------
        object

        Raises
        ------
        DecodingError
            If this version does not know the tag or the class of a value.
        """
        if isinstance(encoded, list):
            return [self.decode(item) for item in encoded]
        if not isinstance(encoded, dict):
            return encoded
        tag = next(iter(encoded), None)
        if tag not in self._decoders:
            raise DecodingError(f"it contains a value of the unknown type {tag!r}")
        return self._decoders[tag](encoded[tag], encoded)

    def _decode_items(self, items):
        decoded = {}
        for key, item in items.items():
            self.key_path.append(key)
            decoded[key] = self.decode(item)
            self.key_path.pop()
        return decoded

    def _decode_object(self, name, encoded):
        codec = self._get_codec(name)
        value = codec.from_fields(self._decode_items(encoded["fields"]))
        if codec.check_content is not None and not self._trusted:
            codec.check_content(value)
        return value

    def _decode_scalar(self, name, encoded):
        dtype = np.dtype(name)
        if dtype.kind not in "biuf":  # for example a void, which would allocate `value` bytes
            raise DecodingError(f"it contains a scalar of the unknown dtype {name!r}")
        return dtype.type(self.decode(encoded["value"]))

    def _decode_random_state(self, state, _):
        random_state = np.random.RandomState()
        random_state.set_state(self._decode_items(state))
        return random_state

    def _decode_strings(self, names, encoded):
        # An encoder never stores a text twice. A file that repeats one could fill the memory.
        if not self._decoded_texts.isdisjoint(names):
            raise ValueError(f"the text in {names[0]} is used twice")
        self._decoded_texts.update(names)
        characters, ends = (self._arrays[name] for name in names)
        _check_text(characters, ends)
        text, starts = characters.tobytes(), [0, *ends[:-1]]
        values = np.empty(len(ends), dtype=object)
        values[:] = [
            text[start:end].decode("utf-8", "surrogatepass")
            for start, end in zip(starts, ends, strict=False)
        ]
        return values.reshape(encoded["shape"])

    def _decode_sparse(self, name, encoded):
        if name not in SPARSE_CLASSES:
            raise DecodingError(f"it contains a sparse matrix of the unknown class {name!r}")
        cls = SPARSE_CLASSES[name]
        sparse_format, _, interface = name.rpartition("_")
        compressed = "csc" if sparse_format == "csc" else "csr"
        if encoded["compressed"] != compressed:
            raise ValueError(f"a {name} must be stored as {compressed}")
        compressed_cls = SPARSE_CLASSES[f"{compressed}_{interface}"]
        arrays = tuple(self.decode(array) for array in encoded["parts"])
        value = compressed_cls(arrays, shape=encoded["shape"])
        if not self._trusted:
            value.check_format(full_check=True)
        if value.dtype.kind not in "biufc":
            raise ValueError(f"a {name} must contain numbers; got the dtype {value.dtype}")
        if sparse_format == "dia":
            _check_diagonals(value)
        return value if type(value) is cls else cls(value)


def _decode_dtype(name):
    dtype = np.dtype(name)
    if dtype.kind not in PLAIN_DTYPES + "O":  # for example a void, which cannot be saved again
        raise DecodingError(f"it contains the unknown dtype {name!r}")
    return dtype


def _check_text(characters, ends):
    # The strings must not overlap: they could need the square of the size of the file.
    is_valid = (
        characters.dtype == np.uint8
        and ends.dtype == np.int64
        and characters.ndim == ends.ndim == 1
        and (ends[-1] if len(ends) else 0) == len(characters)
        and np.all(np.diff(ends, prepend=0) >= 0)
    )
    if not is_valid:
        raise ValueError("the ends of the strings disagree with their characters")


def _check_diagonals(value):
    # A dia_array stores whole diagonals, so a few entries could fill the memory.
    rows = np.repeat(np.arange(value.shape[0]), np.diff(value.indptr))
    n_diagonals = len(np.unique(value.indices - rows))
    if n_diagonals * value.shape[1] > MAX_DIAGONAL_FILL * (value.nnz + sum(value.shape)):
        raise ValueError(f"a dia matrix must have few diagonals; got {n_diagonals}")


SPARSE_CLASSES = {
    f"{sparse_format}_{interface}": getattr(sp, f"{sparse_format}_{interface}")
    for sparse_format in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
    for interface in ("array", "matrix")
}
