"""State of an unfinished fine-tuning on disk."""

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path

import torch

from skxmr._core.files import check_uncompressed, replace_file
from skxmr.transformer._distributed import get_process_number

FILE_NAME = "matcher.pt"


class Checkpoint:
    """File with the state of a fit; does nothing without a folder.

    The file is replaced atomically and is read without pickle.

    Parameters
    ----------
    folder : str, path or None
        Folder of the file; created if missing.
    fingerprint : str
        Hash of data and parameters. Only a fit with the same fingerprint may resume.

    Attributes
    ----------
    state : dict or None
        State to resume from, None if there is none.

    Raises
    ------
    ValueError
        If the folder cannot be created, or if its file is damaged or belongs to another fit.
    """

    def __init__(self, folder, fingerprint):
        self.path = None if folder is None else Path(folder) / FILE_NAME
        self.fingerprint = fingerprint
        self.state = None
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"checkpoint_dir must be a folder that exists or can be created; got "
                f"{str(folder)!r}. {error}."
            ) from error
        if not self.path.exists():
            return
        try:
            check_uncompressed(self.path)
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            is_of_this_fit, state = content["fingerprint"] == fingerprint, content["state"]
        except Exception as error:
            raise ValueError(
                f"checkpoint_dir must contain no other {FILE_NAME} than a checkpoint; got "
                f"{str(folder)!r}, whose {FILE_NAME} is damaged or is not a checkpoint. Remove the "
                "file or use another folder."
            ) from error
        if not is_of_this_fit:
            raise ValueError(
                f"checkpoint_dir must be empty or contain a checkpoint of this fit; got "
                f"{str(folder)!r} with the checkpoint of another fit: texts, targets, parameters "
                f"or encoder weights differ. Remove its {FILE_NAME} or use another folder."
            )
        self.state = state

    @contextmanager
    def reading_state(self):
        """Raise a ValueError for whatever an invalid state raises inside the context."""
        try:
            yield
        except Exception as error:
            raise ValueError(
                f"checkpoint_dir must contain a valid checkpoint; got {str(self.path)!r} with an "
                f"invalid state: {error}. Remove this file and fit again."
            ) from error

    def save(self, make_state):
        """Write the result of `make_state()`, which consists of tensors and plain values.

        If several processes train together, only the first one writes.
        """
        if self.path is None or get_process_number() > 0:
            return
        content = {"fingerprint": self.fingerprint, "state": make_state()}
        replace_file(self.path, lambda file: torch.save(content, file))


def compute_fingerprint(settings, tokens, M, hierarchy, model):
    """Return a hash of everything that determines the course of a fit."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=float).encode())
    arrays = [tokens.indptr, tokens.ids, M.indptr, M.indices, hierarchy.label_order]
    for array in (*arrays, *hierarchy.child_indptrs):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
