"""A pre-trained encoder with its tokenizer: texts to one vector each."""

import functools
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from skxmr._core.user_warnings import warn_user
from skxmr.transformer._device import autocast, explain_memory_errors, temporary_seed
from skxmr.transformer._distributed import add_arrays, take_share
from skxmr.transformer._stored_encoder import check_network, explain_panics
from skxmr.transformer._tokens import batches_by_length, tokenize

# Names of the dropout of attention probabilities in configs of encoders. It is not used: it takes
# 10 % of a training step on a CPU. Without it, P@1 to P@5 change by -0.1 to +0.3 (8,000 rows of
# WordNet and Debian, MiniLM, November 2026).
ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")


class Encoder:
    """An encoder whose last layer, averaged over the tokens, is the vector of a text.

    A pickle contains the weights in float32 and the files of the config and the tokenizer. So it
    loads without the original folder. It loads on the CPU and moves to a device when used.

    Parameters
    ----------
    model : PreTrainedModel
        Returns `last_hidden_state` for token ids and a mask.
    tokenizer : PreTrainedTokenizerBase
        Tokenizer of `model`.
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
    def max_tokens(self):
        """Maximum number of tokens per text that the model can read."""
        limits = [self.tokenizer.model_max_length]
        for name, module in self.model.named_modules():
            if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
                # RoBERTa and models like it reserve the positions up to that of the padding token.
                n_reserved = 0 if module.padding_idx is None else module.padding_idx + 1
                limits.append(module.num_embeddings - n_reserved)
        return min(limits)

    @property
    def n_token_ids(self):
        """Number of token ids that the model can read."""
        try:
            return len(self.model.get_input_embeddings().weight)
        except (NotImplementedError, AttributeError):  # a model that reads characters
            return 2**31

    def tokenize(self, texts, max_length):
        """Return the `TokenizedTexts` of texts, cut to `max_length` and to `max_tokens`."""
        with explain_panics():
            tokens = tokenize(self.tokenizer, texts, min(max_length, self.max_tokens))
        # A GPU would otherwise fail, for all later computations of the process.
        if not 0 <= tokens.ids.min() <= tokens.ids.max() < self.n_token_ids:
            raise ValueError(
                f"The token ids of the tokenizer must be less than {self.n_token_ids}, the size of "
                f"the vocabulary of the encoder; got {tokens.ids.max()}. Use the tokenizer of the "
                "encoder."
            )
        return tokens

    def encode(self, ids, mask, dtype=None, normalize=True):
        """Return the vectors of one padded batch as a tensor; gradients flow through it.

        `TokenizedTexts.pad` returns `ids` and `mask`. Vectors have unit length if `normalize`.
        """
        device = self.model.device
        ids, mask = (torch.from_numpy(array).to(device) for array in (ids, mask))
        with autocast(device, dtype):
            hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(torch.float32)
        mean = (hidden.float() * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(mean, dim=-1) if normalize else mean

    def embed(
        self,
        tokens,
        *,
        batch_size,
        max_length,
        device,
        dtype=None,
        show_progress=False,
        normalize=True,
        divide=False,
    ):
        """Return the vectors of all texts.

        Parameters
        ----------
        tokens : TokenizedTexts
            Texts.
        batch_size : int
            Texts per batch.
        max_length : int
            Value of the estimator's parameter, for the error message if memory is short.
        device : torch.device
            Device that computes.
        dtype : torch.dtype or None
            Dtype of the matrix products. None is float32.
        show_progress : bool
            Whether to show a progress bar.
        normalize : bool
            Whether to scale vectors to unit length.
        divide : bool
            Whether several processes divide the batches. All must then pass the same texts, and
            each gets all vectors.

        Returns
        -------
        ndarray of shape (n_rows, n_dimensions), float32
        """
        self.model.to(device).eval()
        E = np.zeros((len(tokens), self.n_dimensions), dtype=np.float32)
        batches = batches_by_length(tokens.lengths, batch_size)
        if divide:
            batches = take_share(batches)
        with explain_memory_errors(batch_size, max_length, "embedding texts"), torch.no_grad():
            for rows in tqdm(batches, desc="embedding", disable=not show_progress):
                ids, mask = tokens.pad(rows, self.pad_id)
                E[rows] = self.encode(ids, mask, dtype, normalize).cpu().numpy()
        if divide:
            add_arrays(E, device)
        return E

    def __getstate__(self):
        """Return arrays and file contents, without objects of torch or transformers."""
        weights = {n: t.detach().cpu().numpy() for n, t in self.model.state_dict().items()}
        with tempfile.TemporaryDirectory() as folder:
            self.model.config.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
            files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
        return {"weights": weights, "files": files}

    def __setstate__(self, state):
        """Build the model from its config and load the weights into it."""
        with tempfile.TemporaryDirectory() as folder, _silent_transformers():
            for name, content in state["files"].items():
                (Path(folder) / name).write_bytes(content)
            options = {"local_files_only": True, "trust_remote_code": False}
            config = AutoConfig.from_pretrained(folder, **options)
            tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        with temporary_seed(torch.device("cpu"), 0), _silent_transformers():
            make_model = functools.partial(AutoModel.from_config, config, trust_remote_code=False)
            check_network(make_model, state["weights"])
            model = make_model().float()
        model.load_state_dict({n: torch.tensor(a) for n, a in state["weights"].items()})
        self.__init__(model.eval(), tokenizer)


def load_encoder(model):
    """Load a pre-trained encoder in float32 on the CPU.

    Parameters
    ----------
    model : str or path
        Folder, or a name that `transformers` may download. Nothing is downloaded for a folder.

    Returns
    -------
    Encoder

    Raises
    ------
    ValueError
        If there is no encoder with that name, or no encoder in that folder.
    """
    name = os.fspath(model)
    is_folder = os.path.isdir(name)
    # A name to download has one slash at most.
    looks_like_path = name.startswith((os.sep, ".", "~")) or name.count("/") > 1 or "\\" in name
    if (isinstance(model, os.PathLike) or looks_like_path) and not is_folder:
        raise ValueError(f"model must be a folder that exists if it is a path; got {name!r}.")
    options = {"local_files_only": True} if is_folder else {}
    try:
        with _silent_transformers(), temporary_seed(torch.device("cpu"), 0):
            config = AutoConfig.from_pretrained(name, **options)
            if getattr(config, "is_encoder_decoder", False):
                raise ValueError(f"type {config.model_type!r} has a decoder and is not supported")
            tokenizer = AutoTokenizer.from_pretrained(name, **options)
            for dropout in ATTENTION_DROPOUT:
                if getattr(config, dropout, None):
                    setattr(config, dropout, 0.0)
            network, report = AutoModel.from_pretrained(
                name, config=config, output_loading_info=True, **options
            )
    except (OSError, ValueError, KeyError, TypeError, json.JSONDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            "model must be a folder with an encoder and its tokenizer, or a name, that "
            f"transformers can load; got the {'folder' if is_folder else 'name'} {name!r}. "
            f"The reason: {reason}"
        ) from error
    # The pooler is not used: vectors are means over the tokens.
    missing = [key for key in report["missing_keys"] if "pooler" not in key]
    if missing:
        warn_user(
            f"model={name!r} lacks {len(missing)} weights of its encoder, for example "
            f"{missing[0]!r}. They get random values. Use a model with all weights.",
        )
    return Encoder(network.float().eval(), tokenizer)


@contextmanager
def _silent_transformers():
    """Hide progress bars and reports of `transformers` while it loads files."""
    level = transformers_logging.get_verbosity()
    bars_enabled = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars_enabled:
            transformers_logging.enable_progress_bar()
