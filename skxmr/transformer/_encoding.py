"""An encoder of `transformers` with its tokenizer: texts to one vector each."""

import json
import os
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from skxmr.transformer._device import autocast, memory_errors_named, own_random_numbers
from skxmr.transformer._tokens import batches_by_length, tokenize


class Encoder:
    """A transformer whose last layer, averaged over the tokens, stands for a text.

    Pickles by the weights in float32 and the files of config and tokenizer, so that it is loaded
    without the folder that it came from, on the CPU, and moves to a device when it is used.

    Parameters
    ----------
    model : PreTrainedModel
        Gives `last_hidden_state` for token ids and a mask.
    tokenizer : PreTrainedTokenizerBase
        Of that model.
    """

    def __init__(self, model, tokenizer):
        self.model = model
        self.tokenizer = tokenizer
        self.pad_id = tokenizer.pad_token_id or 0

    @property
    def n_dimensions(self):
        """Length of the vectors."""
        return self.model.config.hidden_size

    @property
    def window(self):
        """Most tokens of a text that the model can read."""
        bounds = [self.tokenizer.model_max_length]
        for name, part in self.model.named_modules():
            if name.endswith("position_embeddings") and isinstance(part, torch.nn.Embedding):
                # RoBERTa and its like number positions from behind the padding's.
                taken = 0 if part.padding_idx is None else part.padding_idx + 1
                bounds.append(part.num_embeddings - taken)
        return min(bounds)

    def tokenize(self, texts, max_length):
        """Return the `TokenRows` of texts, cut to the window of the model; see `tokenize`."""
        return tokenize(self.tokenizer, texts, min(max_length, self.window))

    def pooled(self, ids, mask, dtype=None, unit=True):
        """Return vectors (n_rows, n_dimensions), of length 1 if `unit`; gradients flow."""
        device = self.model.device
        ids, mask = (torch.from_numpy(a).to(device) for a in (ids, mask))
        with autocast(device, dtype):
            hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(torch.float32)
        mean = (hidden.float() * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(mean, dim=-1) if unit else mean

    def embed(self, tokens, batch_size, max_length, device, dtype=None, progress=False, unit=True):
        """Return the vectors of texts.

        Parameters
        ----------
        tokens : TokenRows
            The texts.
        batch_size : int
            Rows at once.
        max_length : int
            To be named if memory is short.
        device : torch.device
            Where to compute.
        dtype : torch.dtype or None
            Of the matrix products; None is float32.
        progress : bool
            Whether a bar is shown.
        unit : bool
            Whether vectors are scaled to length 1.

        Returns
        -------
        ndarray of shape (n_rows, n_dimensions), float32
        """
        self.model.to(device).eval()
        out = np.empty((len(tokens), self.n_dimensions), dtype=np.float32)
        batches = batches_by_length(tokens.lengths, batch_size)
        with memory_errors_named(batch_size, max_length, "embedding texts"), torch.no_grad():
            for rows in tqdm(batches, desc="embedding", disable=not progress):
                padded = tokens.padded(rows, self.pad_id)
                out[rows] = self.pooled(*padded, dtype, unit).cpu().numpy()
        return out

    def __getstate__(self):
        """Keep arrays and files, nothing of torch or transformers."""
        weights = {n: t.detach().cpu().numpy() for n, t in self.model.state_dict().items()}
        with tempfile.TemporaryDirectory() as folder:
            self.model.config.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
            files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
        return {"weights": weights, "files": files}

    def __setstate__(self, state):
        """Build the model from its config and give it the weights."""
        with tempfile.TemporaryDirectory() as folder, _quiet():
            for name, content in state["files"].items():
                (Path(folder) / name).write_bytes(content)
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        with own_random_numbers(torch.device("cpu"), 0):
            model = AutoModel.from_config(config).float()
        model.load_state_dict({n: torch.tensor(a) for n, a in state["weights"].items()})
        self.__init__(model.eval(), tokenizer)


def load_encoder(model):
    """Load a pre-trained encoder.

    Parameters
    ----------
    model : str or path
        A folder, from which alone files are read then, or a name for `transformers`.

    Returns
    -------
    Encoder
        In float32, on the CPU.

    Raises
    ------
    ValueError
        If there is no encoder of that name, or in that folder.
    """
    name = os.fspath(model)
    local = os.path.isdir(name)
    if isinstance(model, os.PathLike) and not local:
        raise ValueError(f"model must be a folder that exists, or a name; got {name!r}.")
    given = {"local_files_only": True} if local else {}
    try:
        with _quiet(), own_random_numbers(torch.device("cpu"), 0):
            config = AutoConfig.from_pretrained(name, **given)
            if getattr(config, "is_encoder_decoder", False):
                raise ValueError(f"a model of type {config.model_type} is no encoder alone")
            tokenizer = AutoTokenizer.from_pretrained(name, **given)
            net, found = AutoModel.from_pretrained(name, output_loading_info=True, **given)
    except (OSError, ValueError, KeyError, TypeError, json.JSONDecodeError) as error:
        what = "the folder" if local else "the name"
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            "model must be a folder with an encoder and its tokenizer that transformers can load, "
            f"or the name of one; {what} {name!r} is none: {reason}"
        ) from error
    missing = [key for key in found["missing_keys"] if "pooler" not in key]
    if missing:
        warnings.warn(
            f"model={name!r} lacks {len(missing)} weights of its encoder, {missing[0]!r} among "
            "them; they were set at random.",
            UserWarning,
            stacklevel=3,
        )
    return Encoder(net.float().eval(), tokenizer)


@contextmanager
def _quiet():
    # No bars and no reports while files are loaded; what matters of these is said by us.
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
