"""Codecs of the classes of `skxmr.transformer`.

The weights of an encoder are stored as arrays. The files of its configuration and its tokenizer are
stored as arrays of bytes. This module imports torch, so it is imported only when an object of these
classes is saved or loaded.
"""

import numpy as np
import torch

from skxmr._core.encoding import ClassCodec
from skxmr._core.model_folder import estimator_codec
from skxmr.transformer import (
    ClusterHeads,
    ClusterScorer,
    Encoder,
    TransformerEmbedder,
    TransformerMatcher,
    XTransformerClassifier,
    check_embedder,
    check_encoder,
    check_heads,
    check_heads_content,
    check_matcher,
    check_scorer,
    check_text_classifier,
    clean_encoder_files,
    explain_panics,
    find_rejected_files,
)


def _encoder_to_fields(encoder):
    state = encoder.__getstate__()
    if rejected := find_rejected_files(state["files"]):
        raise TypeError(
            f"The encoder of type {type(encoder.model).__name__} must consist of data files; got "
            f"{rejected[0]!r}, which is Python code or has an unusual name. save_model cannot "
            "write it; joblib.dump(model, file) saves any model."
        )
    files = {name: np.frombuffer(content, np.uint8) for name, content in state["files"].items()}
    return {"weights": state["weights"], "files": files}


def _encoder_from_fields(fields):
    encoder = Encoder.__new__(Encoder)
    files = {name: content.tobytes() for name, content in fields["files"].items()}
    state = {"weights": fields["weights"], "files": clean_encoder_files(files)}
    try:
        with explain_panics():
            encoder.__setstate__(state)
            check_encoder(encoder)
    except ImportError as error:
        raise ValueError(f"its encoder needs another package: {error}") from None
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        # Not the advice of transformers to trust the code, because this is not possible here.
        raise ValueError("its encoder needs code that is not part of transformers") from None
    return encoder


def _make_heads(fields):
    heads = ClusterHeads(*(fields[name] for name in HEADS_FIELDS))
    check_heads(heads)
    return heads


HEADS_FIELDS = ("weights", "intercepts", "hierarchy", "loss")
TRANSFORMER_CODECS = {
    "device": ClassCodec(
        torch.device,
        lambda device: {"name": str(device)},
        lambda fields: torch.device(fields["name"]),
    ),
    "Encoder": ClassCodec(Encoder, _encoder_to_fields, _encoder_from_fields),
    "ClusterHeads": ClassCodec(
        ClusterHeads,
        lambda heads: {name: getattr(heads, name) for name in HEADS_FIELDS},
        _make_heads,
        check_heads_content,
    ),
    "ClusterScorer": estimator_codec(ClusterScorer, check_fitted=check_scorer),
    "TransformerEmbedder": estimator_codec(TransformerEmbedder, check_fitted=check_embedder),
    "TransformerMatcher": estimator_codec(TransformerMatcher, check_fitted=check_matcher),
    "XTransformerClassifier": estimator_codec(
        XTransformerClassifier, check_fitted=check_text_classifier
    ),
}
