"""Models as folders: the format, for any set of classes."""

from typing import NamedTuple

from sklearn import config_context

from skxmr._core.array_folder import (
    ArrayFiles,
    check_place,
    checksum_of,
    read_header,
    write_folder,
)
from skxmr._core.encoding import Decoder, Encoder, Kind, UnknownFormError
from skxmr._core.version import __version__

FORMAT = "skxmr-model"
# Version 1 had other tables of levels. They are computed again when such a folder is loaded.
FORMAT_VERSION = 2

# Attributes that belong to scikit-learn or to one fit, and not to the model.
NOT_SAVED = {"_skl_callbacks", "_parent_callback_ctx", "_callback_fit_ctx", "_metadata_request"}


class Kinds(NamedTuple):
    """Classes that can be saved.

    Attributes
    ----------
    find : callable
        From a class to its name in files and its `Kind`, or None.
    named : callable
        From a name in files to the `Kind`; raises UnknownFormError for an unknown name.
    """

    find: object
    named: object

    @classmethod
    def of(cls, kinds):
        """Return the `Kinds` of a dict from names to `Kind`."""

        def find(wanted):
            return next(((name, k) for name, k in kinds.items() if k.cls is wanted), None)

        def named(name):
            if name not in kinds:
                raise UnknownFormError(f"it contains an object of the unknown class {name!r}")
            return kinds[name]

        return cls(find, named)


def attributes_kind(cls, *names):
    """Return the `Kind` of a class whose constructor takes these attributes by name."""
    return Kind(
        cls,
        lambda value: {name: getattr(value, name) for name in names},
        lambda fields: cls(**fields),
    )


def estimator_kind(cls, removed_params=None):
    """Return the `Kind` of an estimator: its parameters and its fitted attributes.

    Parameters
    ----------
    cls : type
        Class of the estimator.
    removed_params : dict or None
        Parameters of earlier versions, with their default values. A file with another value cannot
        be loaded.
    """
    removed_params = removed_params or {}

    def fields(value):
        params = value.get_params(deep=False)
        fitted = {k: v for k, v in vars(value).items() if k not in params and k not in NOT_SAVED}
        return {"params": params, "fitted": fitted, "requests": _metadata_requests(value)}

    def make(fields):
        params = dict(fields["params"])
        for name, default in removed_params.items():
            if params.pop(name, default) != default:
                raise UnknownFormError(
                    f"{cls.__name__} no longer has the parameter {name}; got "
                    f"{fields['params'][name]!r}"
                )
        unknown = sorted(set(params) - set(cls._get_param_names()))
        if unknown:
            raise UnknownFormError(f"{cls.__name__} has no parameter {unknown[0]!r} here")
        value = cls(**params)
        vars(value).update(fields["fitted"])
        with config_context(enable_metadata_routing=True):
            for method, request in fields["requests"].items():
                getattr(value, f"set_{method}_request")(**request)
        return value

    return Kind(cls, fields, make)


def _metadata_requests(value):
    # Arguments of `set_fit_request` and similar methods.
    if "_metadata_request" not in vars(value):
        return {}
    routing = value.get_metadata_routing()
    requests = {m: r.requests for m, r in vars(routing).items() if hasattr(r, "requests")}
    given = {m: {k: v for k, v in r.items() if v is not None} for m, r in requests.items()}
    return {method: request for method, request in given.items() if request}


def check_params(model, path, kinds):
    """Check, before a fit, that its result can be saved.

    Parameters
    ----------
    model : estimator
        Estimator, not fitted.
    path : path-like
        Folder of the model to be written.
    kinds : Kinds
        Classes that can be saved.

    Raises
    ------
    TypeError
        If a parameter cannot be saved.
    OSError
        If the folder cannot be written, or something else would be lost.
    """
    Encoder(kinds.find).encode(model.get_params(deep=False), "model")
    check_place(path, FORMAT)


def write_model(model, path, kinds, *, owned_folder=None, extras=None):
    """Write a fitted model as a folder.

    Parameters
    ----------
    model : object
        Object of a known kind.
    path : path-like
        The folder.
    kinds : Kinds
        Classes that can be saved.
    owned_folder : path-like or None
        See `write_folder`.
    extras : dict or None
        More values to save.
    """
    encoder = Encoder(kinds.find)
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "skxmr_version": __version__,
        "class": type(model).__name__,
        "model": encoder.encode(model, "model"),
        "extras": encoder.encode(extras or {}, "extras"),
    }
    write_folder(path, header, encoder.arrays, owned_folder)


def read_model(path, kinds, mmap_mode=None, part="model"):
    """Read a folder that `write_model` wrote.

    Parameters
    ----------
    path : path-like
        The folder.
    kinds : Kinds
        Classes that can be loaded.
    mmap_mode : {"r"} or None
        Whether large arrays are memory maps.
    part : {"model", "extras"}
        Part to return.

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
    try:
        return Decoder(kinds.named, arrays).decode(header[part])
    except UnknownFormError as error:
        raise ValueError(
            f"{path}, written by skxmr {header.get('skxmr_version')}, cannot be loaded by skxmr "
            f"{__version__}: {error}."
        ) from error


def model_checksum(path):
    """Return the checksum of the header of a folder, which contains the checksums of its arrays."""
    return checksum_of(read_header(path, FORMAT, FORMAT_VERSION))
