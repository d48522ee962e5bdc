"""One level of the tree: the encoder and the level's heads trained together."""

import copy
from typing import NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from skxmr.transformer._device import (
    memory_errors_named,
    random_states,
    set_random_states,
)
from skxmr.transformer._tokens import batches_by_length, shuffled_batches


class TrainingOptions(NamedTuple):
    """What all levels share; see `TransformerMatcher`."""

    loss: str
    learning_rate: float
    head_learning_rate: float
    weight_decay: float
    warmup_ratio: float
    max_grad_norm: float
    batch_size: int
    gradient_accumulation_steps: int
    max_length: int
    patience: int
    device: torch.device
    dtype: "torch.dtype | None"
    seed: int
    verbose: int

    @classmethod
    def of_estimator(cls):
        """Return the names of those that are parameters of the estimator."""
        return [name for name in cls._fields if name not in ("device", "dtype", "seed", "verbose")]


class LevelTraining:
    """Train an encoder and the heads of one level, an epoch after the other.

    Parameters
    ----------
    encoder : Encoder
        Changed in place.
    head : tuple of ndarray
        Weights (n_nodes, n_dimensions) and intercepts (n_nodes,) to begin with.
    candidates : LevelCandidates
        Nodes that each row is compared with.
    tokens : TokenRows
        The texts.
    rows, held_out : ndarray of int
        Rows to train on, and rows to judge by; these may be none.
    n_epochs : int
        Most passes over the rows.
    max_steps : int or None
        Most steps of the optimizer.
    level : int
        Seeds the order of the rows.
    options : TrainingOptions
        The rest.
    """

    def __init__(
        self, encoder, head, candidates, tokens, rows, held_out, n_epochs, max_steps, level, options
    ):
        self.encoder = encoder
        self.candidates = candidates
        self.tokens = tokens
        self.rows = rows
        self.held_out = held_out
        self.level = level
        self.options = options
        encoder.model.to(options.device)
        self.weight, self.bias = (
            torch.nn.Parameter(torch.tensor(values, device=options.device)) for values in head
        )
        n_batches = -(-len(rows) // options.batch_size)
        self.steps_per_epoch = -(-n_batches // options.gradient_accumulation_steps)
        self.n_steps = min(n_epochs * self.steps_per_epoch, max_steps or np.inf)
        self.optimizer = self._make_optimizer()
        scales = options.dtype == torch.float16
        self.scaler = torch.amp.GradScaler(options.device.type, enabled=scales)
        self.epoch = self.step = self.n_worse = 0
        self.loss = self.precision = np.nan
        self.best = None

    def run(self, after_epoch):
        """Train from the present epoch to the last, or until held-out rows gain no more.

        `after_epoch()` is called after each, and the first time before any. The encoder and the
        heads end as they were best.
        """
        if self.epoch == 0 and self.best is None:
            self._judge()
            after_epoch()
        while self.step < self.n_steps and self.n_worse < self.options.patience:
            self._train_epoch()
            self.epoch += 1
            self._judge()
            after_epoch()
        if self.best is not None:
            self._load_model(self.best)
            self.precision = self.best["precision"]

    def state(self):
        """Return all that decides how training goes on."""
        return {
            "model": self._model_state(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": random_states(self.options.device),
            "counts": [self.epoch, self.step, self.n_worse],
            "loss": float(self.loss),
            "precision": float(self.precision),
            "best": self.best,
        }

    def load_state(self, state):
        """Set what `state` returned."""
        self._load_model(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        set_random_states(state["random"], self.options.device)
        self.epoch, self.step, self.n_worse = state["counts"]
        self.loss, self.precision, self.best = state["loss"], state["precision"], state["best"]

    def _make_optimizer(self):
        # Biases and the scales of normalisation layers, which are vectors, are not decayed, nor
        # heads: what they begin with is a solution already, and regularised.
        o = self.options
        weights = [p for p in self.encoder.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in weights if p.ndim > 1], "weight_decay": o.weight_decay},
            {"params": [p for p in weights if p.ndim < 2]},
            {"params": [self.weight, self.bias], "lr": o.head_learning_rate},
        ]
        optimizer = torch.optim.AdamW(groups, lr=o.learning_rate, weight_decay=0.0)
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
        return optimizer

    def _train_epoch(self):
        o = self.options
        rng = np.random.default_rng([o.seed, self.level, self.epoch])
        batches = shuffled_batches(self.rows, self.tokens.lengths, o.batch_size, rng)
        n = o.gradient_accumulation_steps
        steps = [batches[start : start + n] for start in range(0, len(batches), n)]
        steps = steps[: int(self.n_steps) - self.step]
        total = torch.zeros((), device=o.device)
        self.encoder.model.train()
        name = f"level {self.level + 1}, epoch {self.epoch + 1}"
        with memory_errors_named(o.batch_size, o.max_length, "training"):
            for group in tqdm(steps, desc=name, disable=o.verbose < 2):
                total += self._take_step(group)
        n_rows = sum(len(rows) for group in steps for rows in group)
        self.loss = total.item() / n_rows
        if not np.isfinite(self.loss):
            raise FloatingPointError(
                f"The loss of {name} is {self.loss}: lower learning_rate (now {o.learning_rate}) "
                f"or head_learning_rate (now {o.head_learning_rate})."
            )

    def _take_step(self, batches):
        o = self.options
        self._set_learning_rate()
        n_rows = sum(len(rows) for rows in batches)
        total = 0.0
        for rows in batches:
            losses = self._losses(rows)
            self.scaler.scale(losses / n_rows).backward()
            total += losses.detach()
        self.scaler.unscale_(self.optimizer)
        weights = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, o.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return total

    def _set_learning_rate(self):
        # Rises over the first steps and falls to 0 behind the last, both in a line.
        n_warmup = self.options.warmup_ratio * self.n_steps
        rising = (self.step + 1) / n_warmup if n_warmup else np.inf
        falling = (self.n_steps - self.step) / max(self.n_steps - n_warmup, 1)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * min(rising, falling, 1.0)

    def _losses(self, rows):
        # The sum over rows and their candidates.
        margins, here, right = self._margins(rows)
        if self.options.loss == "squared_hinge":
            losses = torch.relu(1 - (2 * right - 1) * margins) ** 2
        else:
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                margins, right, reduction="none"
            )
        return (losses * here).sum()

    def _margins(self, rows):
        nodes, *rest = self.candidates.batch(rows)
        nodes, here, right = (torch.from_numpy(a).to(self.options.device) for a in (nodes, *rest))
        padded = self.tokens.padded(rows, self.encoder.pad_id)
        vectors = self.encoder.pooled(*padded, self.options.dtype)
        if self.candidates.everything:
            return torch.nn.functional.linear(vectors, self.weight, self.bias), here, right
        # The gradient of an embedding is summed in one order; that of an index may not be.
        embedding = torch.nn.functional.embedding
        weights, bias = embedding(nodes, self.weight), embedding(nodes, self.bias.unsqueeze(-1))
        return (torch.bmm(weights, vectors.unsqueeze(-1)) + bias).squeeze(-1), here, right

    def _judge(self):
        # Precision@1 among the candidates of the held-out rows; the best model is kept.
        if not len(self.held_out):
            return
        o = self.options
        self.encoder.model.eval()
        n_right = 0.0
        with memory_errors_named(o.batch_size, o.max_length, "judging"), torch.no_grad():
            for batch in batches_by_length(self.tokens.lengths[self.held_out], o.batch_size):
                margins, here, right = self._margins(self.held_out[batch])
                first = margins.masked_fill(~here, -torch.inf).argmax(1, keepdim=True)
                n_right += right.gather(1, first).sum().item()
        self.precision = n_right / len(self.held_out)
        if self.best is None or self.precision > self.best["precision"]:
            self.best = copy.deepcopy({**self._model_state(), "precision": self.precision})
            self.n_worse = 0
        else:
            self.n_worse += 1

    def _model_state(self):
        return {
            "encoder": self.encoder.model.state_dict(),
            "head": [self.weight.detach(), self.bias.detach()],
        }

    def _load_model(self, state):
        self.encoder.model.load_state_dict(state["encoder"])
        with torch.no_grad():
            for parameter, values in zip((self.weight, self.bias), state["head"], strict=True):
                parameter.copy_(values)
