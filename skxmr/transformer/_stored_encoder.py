"""Checks of a stored encoder, before and after `transformers` builds it.

The files of an encoder may come from an untrusted source. The checks make sure that they contain no
code, do not name other files, and do not describe a larger network than the stored weights.
"""

import json
import re
from contextlib import contextmanager
from numbers import Real

import numpy as np
import torch
from torch.nn.modules import module as torch_module

# Names of files of an encoder that may be stored: no path to another folder, no Python code and no
# pickle.
DATA_FILE = re.compile(
    r"[\w-][\w.-]*(?<!\.py)(?<!\.pyc)(?<!\.bin)(?<!\.pt)(?<!\.pth)(?<!\.ckpt)(?<!\.pkl)(?<!\.pickle)",
    re.ASCII,
)
# Entries of tokenizer_config.json that name files.
FILE_ENTRY = re.compile(r".*(_file|_spm)|vocab|merges")
# Largest number of layers or labels in a configuration. `transformers` makes a list of all.
MAX_LAYERS = 10_000
# Implementations of attention that need no other package, which could be downloaded.
ATTENTION = (None, "eager", "sdpa")
# Maximum number of modules, parameters and buffers of a network: per stored array, and in addition.
MAX_PARTS_PER_ARRAY, MAX_OTHER_PARTS = 100, 10_000


def find_rejected_files(names):
    """Return the names of files that must not be stored with an encoder."""
    return [name for name in names if not DATA_FILE.fullmatch(name)]


def clean_encoder_files(files):
    """Return the files of an encoder without names of other files.

    Parameters
    ----------
    files : dict of bytes
        Contents by name of the file.

    Returns
    -------
    dict of bytes

    Raises
    ------
    ValueError
        If a name is not that of a data file, or the configuration refers to code or is too large.
    """
    if rejected := find_rejected_files(files):
        raise ValueError(f"the file {rejected[0]!r} of an encoder is not a data file")
    _check_config(json.loads(files["config.json"]))
    if "tokenizer_config.json" in files:
        config = json.loads(files["tokenizer_config.json"])
        if config.get("init_inputs"):
            raise ValueError("tokenizer_config.json must have no init_inputs")
        if "model_file" in (config.get("sp_model_kwargs") or {}):
            raise ValueError("tokenizer_config.json must name no model_file")
        # Old versions of transformers open these files, wherever they are.
        cleaned = {
            key: value
            for key, value in config.items()
            if not (isinstance(value, str) and FILE_ENTRY.fullmatch(key))
        }
        if cleaned != config:
            files = {**files, "tokenizer_config.json": json.dumps(cleaned).encode()}
    return files


def _check_config(config):
    for key, value in config.items():
        if isinstance(value, dict):
            _check_config(value)
        if "attn_implementation" in key and value not in ATTENTION:
            raise ValueError(f"config.json has the unknown {key} {value!r}")
        is_count = "layer" in key or "label" in key
        if is_count and isinstance(value, Real) and value > MAX_LAYERS:
            raise ValueError(f"{key} of config.json must be at most {MAX_LAYERS}; got {value}")


def check_network(make_network, weights):
    """Raise a ValueError if a network does not have the shapes of the stored weights.

    The network is built without memory for its weights, because it could be of any size.

    Parameters
    ----------
    make_network : callable
        Function that returns the network.
    weights : dict of ndarray
        Stored weights.
    """
    with torch.device("meta"), _limit_parts(len(weights)):
        network = make_network()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name, array in weights.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"the weights {name} must be numbers; got the dtype {array.dtype}")
    stored = {name: array.shape for name, array in weights.items()}
    if different := sorted(dict(shapes.items() ^ stored.items())):
        raise ValueError(f"config.json and the weights disagree about {different[0]!r}")
    n_bytes = sum(tensor.nbytes for tensor in network.buffers())
    n_stored = sum(array.nbytes for array in weights.values())
    if n_bytes > 2 * n_stored + 2**26:  # for example masks, which are not stored
        raise ValueError(f"config.json describes tables of {n_bytes} bytes")


@contextmanager
def _limit_parts(n_arrays):
    # Raise a ValueError as soon as a network has too many parts. Its configuration could demand any
    # number of layers.
    n_left = MAX_PARTS_PER_ARRAY * n_arrays + MAX_OTHER_PARTS

    def count(*part):
        nonlocal n_left
        n_left -= 1
        if n_left < 0:
            raise ValueError("config.json describes a larger network than the stored weights")

    kinds = ("module", "parameter", "buffer")
    hooks = [getattr(torch_module, f"register_module_{k}_registration_hook")(count) for k in kinds]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def check_encoder(encoder):
    """Raise a ValueError if a loaded encoder cannot embed texts."""
    limit = encoder.max_tokens
    if not (isinstance(limit, Real) and limit >= 1):
        raise ValueError(f"model_max_length must be a positive number; got {limit!r}")
    if not (type(encoder.pad_id) is int and 0 <= encoder.pad_id < encoder.n_token_ids):
        raise ValueError(f"the padding token must be in the vocabulary; got {encoder.pad_id!r}")
    vocabulary = encoder.tokenizer.get_vocab()
    largest = max(vocabulary.values(), default=0)
    # A tokenizer is saved with a step for each id up to the largest.
    if largest > 2 * (len(vocabulary) + encoder.n_token_ids):
        raise ValueError(f"the vocabulary must have consecutive ids; got {largest}")
    tokens = encoder.tokenize(["a", "a " * 100], 16)
    if tokens.lengths.max() > min(16, limit):
        raise ValueError("the tokenizer must limit the number of tokens")
    with torch.no_grad():
        vectors = encoder.encode(*tokens.pad(np.arange(2), encoder.pad_id))
    if vectors.shape != (2, encoder.n_dimensions) or not torch.isfinite(vectors).all():
        raise ValueError(f"an embedding must have {encoder.n_dimensions} finite numbers")


@contextmanager
def explain_panics():
    """Replace the panics of the tokenizers, which are not Exceptions, by a ValueError."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"The tokenizer failed: {error}.") from None
