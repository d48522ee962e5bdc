"""The classes of `skxmr.transformer`: weights as arrays, config and tokenizer as files' bytes.

Imported only where one of them is written or read: it needs torch.
"""

import re

import numpy as np
import torch

from skxmr._core.encoding import Kind, UnknownFormError
from skxmr._core.model_folder import attributes_kind, estimator_kind
from skxmr.persistence._kinds import TRANSFORMER_PREFIX
from skxmr.transformer import (
    ClusterHeads,
    ClusterScorer,
    Encoder,
    TransformerEmbedder,
    TransformerMatcher,
    XTransformerClassifier,
)

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
    f"{TRANSFORMER_PREFIX}device": Kind(
        torch.device,
        lambda device: {"name": str(device)},
        lambda fields: torch.device(fields["name"]),
    ),
    f"{TRANSFORMER_PREFIX}Encoder": Kind(Encoder, _encoder_fields, _make_encoder),
    f"{TRANSFORMER_PREFIX}ClusterHeads": attributes_kind(
        ClusterHeads, "weights", "intercepts", "hierarchy", "loss"
    ),
    f"{TRANSFORMER_PREFIX}ClusterScorer": estimator_kind(ClusterScorer),
    f"{TRANSFORMER_PREFIX}TransformerEmbedder": estimator_kind(TransformerEmbedder),
    f"{TRANSFORMER_PREFIX}TransformerMatcher": estimator_kind(TransformerMatcher),
    f"{TRANSFORMER_PREFIX}XTransformerClassifier": estimator_kind(XTransformerClassifier),
}
