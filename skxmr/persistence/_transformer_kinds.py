"""The classes of `skxmr.transformer`: weights as arrays, config and tokenizer as files' bytes.

Imported only where one of them is written or read: it needs torch.
"""

import re

import numpy as np
import torch

from skxmr.persistence._encoding import Kind, UnknownFormError
from skxmr.persistence._estimator_kinds import attributes, estimator
from skxmr.transformer import (
    ClusterHeads,
    ClusterScorer,
    Encoder,
    TransformerEmbedder,
    TransformerMatcher,
    XTransformerClassifier,
)

# Before the names of these classes in files.
PREFIX = "transformer."
# Of an encoder's files: none that lies elsewhere, and none that is code.
DATA_FILE = re.compile(r"[\w-][\w.-]*(?<!\.py)", re.ASCII)


def _encoder_fields(encoder):
    state = encoder.__getstate__()
    if wrong := [name for name in state["files"] if not DATA_FILE.fullmatch(name)]:
        raise TypeError(
            f"The encoder of type {type(encoder.model).__name__} comes with {wrong[0]!r}, code or "
            "a file of a strange name, which save_model does not write. joblib.dump(model, file) "
            "keeps it."
        )
    files = {name: np.frombuffer(content, np.uint8) for name, content in state["files"].items()}
    return {"weights": state["weights"], "files": files}


def _make_encoder(fields):
    if wrong := [name for name in fields["files"] if not DATA_FILE.fullmatch(name)]:
        raise UnknownFormError(f"an encoder has a file {wrong[0]!r}, which is no data file")
    encoder = Encoder.__new__(Encoder)
    files = {name: content.tobytes() for name, content in fields["files"].items()}
    encoder.__setstate__({"weights": fields["weights"], "files": files})
    return encoder


TRANSFORMER_KINDS = {
    f"{PREFIX}device": Kind(
        torch.device,
        lambda device: {"name": str(device)},
        lambda fields: torch.device(fields["name"]),
    ),
    f"{PREFIX}Encoder": Kind(Encoder, _encoder_fields, _make_encoder),
    f"{PREFIX}ClusterHeads": attributes(ClusterHeads, "weights", "intercepts", "hierarchy", "loss"),
    f"{PREFIX}ClusterScorer": estimator(ClusterScorer),
    f"{PREFIX}TransformerEmbedder": estimator(TransformerEmbedder),
    f"{PREFIX}TransformerMatcher": estimator(TransformerMatcher),
    f"{PREFIX}XTransformerClassifier": estimator(XTransformerClassifier),
}
