"""Models as folders: the format, for any set of classes."""

from collections.abc import Callable
from typing import NamedTuple

from sklearn import config_context
from sklearn.base import clone

from skxmr._core.array_folder import (
    HEADER,
    ArrayFiles,
    check_destination,
    header_checksum,
    read_header,
    write_folder,
)
from skxmr._core.encoding import UNSAVABLE_ADVICE, ClassCodec, Decoder, DecodingError, Encoder
from skxmr._core.version import __version__

FORMAT = "skxmr-model"
# Version 1 had other tables of levels. They are computed again when such a folder is loaded.
# Version 2 had no fingerprints of clusters. Such a model cannot be updated.
FORMAT_VERSION = 3

# Attributes that belong to scikit-learn or to one fit, and not to the model.
EXCLUDED_ATTRIBUTES = {
    "_skl_callbacks",
    "_parent_callback_ctx",
    "_callback_fit_ctx",
    "_metadata_request",
}
# Types of class attributes that are the default of a fitted attribute. Attributes of other types,
# such as methods, must not be replaced.
DEFAULT_TYPES = (type(None), bool, int, float, str)


class CodecRegistry(NamedTuple):
    """Classes that can be saved, and how.

    Attributes
    ----------
    find : callable
        Function of a class. Returns its name in files and its `ClassCodec`, or None.
    get : callable
        Function of a name in files. Returns the `ClassCodec`; raises a DecodingError if the name is
        unknown.
    """

    find: Callable
    get: Callable

    @classmethod
    def from_dict(cls, codecs):
        """Return the registry of a dict from names in files to `ClassCodec`."""
        return cls(
            lambda wanted: find_codec(codecs.items(), wanted),
            lambda name: get_codec(codecs, name),
        )


_default_registries = []  # at most one registry


def set_default_registry(registry):
    """Set the registry of `save_model`, which lower layers use before a fit."""
    _default_registries[:] = [registry]


def check_steps(steps):
    """Check, before a fit, that `save_model` can write the steps of a pipeline.

    Parameters
    ----------
    steps : iterable of (str, object)
        Names and estimators. Their fitted attributes are not checked.

    Raises
    ------
    TypeError
        If the class or a parameter of a step cannot be saved.
    """
    (registry,) = _default_registries
    for name, step in steps:
        try:
            Encoder(registry.find).encode(clone(step, safe=False), name)
        except TypeError as error:
            reason = str(error).removesuffix(UNSAVABLE_ADVICE).rstrip(" .")
            raise TypeError(
                "steps must be estimators that save_model can write, because model_dir is set; got "
                f"{type(step).__name__} as the step {name!r}: {reason}. Set model_dir=None, and "
                "save the fitted pipeline with joblib.dump."
            ) from None


def find_codec(named_codecs, cls):
    """Return the (name, codec) of a class among such pairs, or None."""
    return next(((name, codec) for name, codec in named_codecs if codec.cls is cls), None)


def get_codec(codecs, name):
    """Return codecs[name]. Raise a DecodingError if the name is unknown."""
    if name not in codecs:
        # read_model puts "<path> cannot be loaded:" before this text.
        raise DecodingError(f"it contains an object of the unknown class {name!r}")
    return codecs[name]


def attribute_codec(cls, *attributes, field_names=None):
    """Return the codec of a class whose constructor takes its attributes as keyword arguments.

    Parameters
    ----------
    cls : type
        The class.
    *attributes : str
        Names of the attributes, in the order in which they are written.
    field_names : dict of str to str or None
        Names in files of attributes that have been renamed. By default, the name of a field is the
        name of the attribute. Do not change field names: existing folders could not be loaded.
    """
    field_names = field_names or {}
    attribute_of = {field: name for name, field in field_names.items()}
    return ClassCodec(
        cls,
        lambda value: {field_names.get(name, name): getattr(value, name) for name in attributes},
        lambda fields: cls(**{attribute_of.get(k, k): field for k, field in fields.items()}),
    )


def estimator_codec(cls, removed_params=None, check_fitted=None):
    """Return the codec of an estimator: its parameters and its fitted attributes.

    Parameters
    ----------
    cls : type
        Class of the estimator.
    removed_params : dict or None
        Parameters of earlier versions, with their default values. A file with another value cannot
        be loaded.
    check_fitted : callable or None
        Function that raises a ValueError if the attributes of a loaded estimator are invalid.
    """
    removed_params = removed_params or {}

    def to_fields(value):
        params = value.get_params(deep=False)
        excluded = params.keys() | EXCLUDED_ATTRIBUTES
        fitted = {name: v for name, v in vars(value).items() if name not in excluded}
        return {"params": params, "fitted": fitted, "requests": _metadata_requests(value)}

    def from_fields(fields):
        params = dict(fields["params"])
        for name, default in removed_params.items():
            if params.pop(name, default) != default:
                raise DecodingError(
                    f"{cls.__name__} no longer has the parameter {name}; got "
                    f"{fields['params'][name]!r}"
                )
        unknown = sorted(set(params) - set(cls._get_param_names()))
        if unknown:
            raise DecodingError(f"{cls.__name__} has no parameter {unknown[0]!r}")
        value = cls(**params)
        for name in fields["fitted"]:
            is_attribute = name.endswith("_") or name.startswith("_")
            has_default = isinstance(getattr(cls, name, None), DEFAULT_TYPES)
            if name in params or not is_attribute or not has_default:
                raise DecodingError(f"{cls.__name__} has no fitted attribute {name!r}")
        vars(value).update(fields["fitted"])
        with config_context(enable_metadata_routing=True):
            for method, request in fields["requests"].items():
                getattr(value, f"set_{method}_request")(**request)
        if check_fitted is not None:
            check_fitted(value)
        return value

    return ClassCodec(cls, to_fields, from_fields)


def _metadata_requests(value):
    # Arguments of `set_fit_request` and similar methods.
    if "_metadata_request" not in vars(value):
        return {}
    # `get_metadata_routing` of a meta-estimator also has the requests of its estimator.
    routing = value._get_metadata_request()
    requests = {m: r.requests for m, r in vars(routing).items() if hasattr(r, "requests")}
    given = {m: {k: v for k, v in r.items() if v is not None} for m, r in requests.items()}
    return {method: request for method, request in given.items() if request}


def check_params(model, path, registry):
    """Check, before a fit, that its result can be saved.

    Parameters
    ----------
    model : estimator
        Estimator, not fitted.
    path : path-like
        Folder of the model to be written.
    registry : CodecRegistry
        Classes that can be saved.

    Raises
    ------
    TypeError
        If a parameter cannot be saved.
    OSError
        If the folder cannot be written, or something else would be lost.
    """
    Encoder(registry.find).encode(model.get_params(deep=False), "model")
    target = check_destination(path, FORMAT)
    if (target / HEADER).exists():
        found = read_header(target, FORMAT).get("class")
        if found != type(model).__name__:
            raise FileExistsError(
                f"{path} contains a model of the class {found}; it would be replaced by a "
                f"{type(model).__name__}. Choose another folder. To replace a pipeline, save the "
                "whole pipeline with save_model."
            )


def write_model(model, path, registry, *, linked_folders=(), extras=None):
    """Write a fitted model as a folder.

    Parameters
    ----------
    model : object
        Object of a class in the registry.
    path : path-like
        The folder.
    registry : CodecRegistry
        Classes that can be saved.
    linked_folders : collection of path-like
        See `write_folder`.
    extras : dict or None
        More values to save.
    """
    encoder = Encoder(registry.find)
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "skxmr_version": __version__,
        "class": type(model).__name__,
        "model": encoder.encode(model, "model"),
        "extras": encoder.encode(extras or {}, "extras"),
    }
    write_folder(path, header, encoder.arrays, linked_folders)


def read_model(path, registry, mmap_mode=None, key="model", trusted=False):
    """Read a folder that `write_model` wrote.

    Parameters
    ----------
    path : path-like
        The folder.
    registry : CodecRegistry
        Classes that can be loaded.
    mmap_mode : {"r"} or None
        Whether large arrays are memory maps.
    key : {"model", "extras"}
        Entry of the header to decode.
    trusted : bool
        Whether to skip the checks of the content of memory-mapped arrays.

    Returns
    -------
    object

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder is damaged, of another format or of a newer version.
    """
    if mmap_mode not in (None, "r"):
        raise ValueError(
            f'mmap_mode must be None or "r", because a model cannot be changed through its files; '
            f"got {mmap_mode!r}."
        )
    header = read_header(path, FORMAT, FORMAT_VERSION)
    arrays = ArrayFiles(path, header["arrays"], mapped=mmap_mode is not None)
    decoder = Decoder(registry.get, arrays, trusted=trusted and mmap_mode is not None)
    try:
        value = decoder.decode(header[key])
    except (OSError, MemoryError, ImportError):
        raise
    except Exception as error:  # whatever the constructors raise for invalid fields
        place = ".".join([key, *map(str, decoder.key_path)])
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{path}, written by skxmr {header.get('skxmr_version')}, cannot be loaded by skxmr "
            f"{__version__}: {text.removesuffix('.')}. The field is {place}."
        ) from error
    wanted = "dict" if key == "extras" else header.get("class")
    if type(value).__name__ != wanted:
        raise ValueError(
            f"{path} must contain an object of the class {wanted!r} as its {key}; got one of "
            f"{type(value).__name__!r}."
        )
    return value


def model_checksum(path):
    """Return the checksum of the header of a folder, which contains the checksums of its arrays."""
    return header_checksum(read_header(path, FORMAT, FORMAT_VERSION))
