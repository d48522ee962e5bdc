"""Codecs of the classes of `skxmr.transformer`.

The weights of an encoder are stored as arrays. The files of its configuration and its tokenizer are
stored as arrays of bytes. This module imports torch, so it is imported only when an object of these
classes is saved or loaded.
"""

import re

import numpy as np
import torch

from skxmr._core.encoding import ClassCodec, DecodingError
from skxmr._core.model_folder import attribute_codec, estimator_codec
from skxmr.persistence._codecs import TRANSFORMER_PREFIX
from skxmr.transformer import (
    ClusterHeads,
    ClusterScorer,
    Encoder,
    TransformerEmbedder,
    TransformerMatcher,
    XTransformerClassifier,
)

# Names of files of an encoder that may be saved: no path to another folder, and no Python code.
DATA_FILE = re.compile(r"[\w-][\w.-]*(?<!\.py)", re.ASCII)


def _encoder_to_fields(encoder):
    state = encoder.__getstate__()
    if rejected := _find_rejected_files(state["files"]):
        raise TypeError(
            f"The encoder of type {type(encoder.model).__name__} must consist of data files; got "
            f"{rejected[0]!r}, which is Python code or has an unusual name. save_model cannot "
            "write it; joblib.dump(model, file) saves any model."
        )
    files = {name: np.frombuffer(content, np.uint8) for name, content in state["files"].items()}
    return {"weights": state["weights"], "files": files}


def _encoder_from_fields(fields):
    if rejected := _find_rejected_files(fields["files"]):
        raise DecodingError(f"the file {rejected[0]!r} of an encoder is not a data file")
    encoder = Encoder.__new__(Encoder)
    files = {name: content.tobytes() for name, content in fields["files"].items()}
    encoder.__setstate__({"weights": fields["weights"], "files": files})
    return encoder


def _find_rejected_files(names):
    return [name for name in names if not DATA_FILE.fullmatch(name)]


TRANSFORMER_CODECS = {
    f"{TRANSFORMER_PREFIX}device": ClassCodec(
        torch.device,
        lambda device: {"name": str(device)},
        lambda fields: torch.device(fields["name"]),
    ),
    f"{TRANSFORMER_PREFIX}Encoder": ClassCodec(Encoder, _encoder_to_fields, _encoder_from_fields),
    f"{TRANSFORMER_PREFIX}ClusterHeads": attribute_codec(
        ClusterHeads, "weights", "intercepts", "hierarchy", "loss"
    ),
    f"{TRANSFORMER_PREFIX}ClusterScorer": estimator_codec(ClusterScorer),
    f"{TRANSFORMER_PREFIX}TransformerEmbedder": estimator_codec(TransformerEmbedder),
    f"{TRANSFORMER_PREFIX}TransformerMatcher": estimator_codec(TransformerMatcher),
    f"{TRANSFORMER_PREFIX}XTransformerClassifier": estimator_codec(XTransformerClassifier),
}
