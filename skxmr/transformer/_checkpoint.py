"""A fit's state on disk: written whole or not at all, read without pickle."""

import hashlib
import json
import os
from pathlib import Path

import torch

FILE = "matcher.pt"


class Checkpoint:
    """The file that keeps a fit, or nothing if no folder is given.

    Parameters
    ----------
    folder : str, path or None
        Made if it is not there.
    fingerprint : str
        Of data and parameters: two fits have the same if one can go on from the other.

    Raises
    ------
    ValueError
        If the folder holds the checkpoint of another fit, or a file that is none, or cannot be
        made.
    """

    def __init__(self, folder, fingerprint):
        self.path = None if folder is None else Path(folder) / FILE
        self.fingerprint = fingerprint
        self.state = None
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"checkpoint_dir={str(folder)!r} must be a folder, or a place for one: {error}."
            ) from error
        if not self.path.exists():
            return
        try:
            kept = torch.load(self.path, map_location="cpu", weights_only=True)
            same = kept["fingerprint"] == fingerprint
        except Exception as error:
            raise ValueError(
                f"checkpoint_dir={str(folder)!r} holds a {FILE} that is no checkpoint of a "
                "matcher, or a damaged one; remove it or give another folder."
            ) from error
        if not same:
            raise ValueError(
                f"checkpoint_dir={str(folder)!r} holds the checkpoint of another fit (of other "
                f"texts, targets, parameters or weights); remove its {FILE} or give another folder."
            )
        self.state = kept["state"]

    def save(self, make_state):
        """Write what `make_state()` returns, tensors and plain values."""
        if self.path is None:
            return
        beside = self.path.with_name(f"{FILE}.{os.getpid()}.part")
        try:
            torch.save({"fingerprint": self.fingerprint, "state": make_state()}, beside)
            os.replace(beside, self.path)
        finally:
            beside.unlink(missing_ok=True)


def fingerprint_of(settings, tokens, M, hierarchy, model):
    """Return a hash of all that decides how a fit goes on."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=float).encode())
    arrays = [tokens.indptr, tokens.ids, M.indptr, M.indices, hierarchy.label_order]
    for array in (*arrays, *hierarchy.child_indptrs):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
