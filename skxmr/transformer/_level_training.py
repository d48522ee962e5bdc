"""Fine-tuning on one level of the tree: the encoder and the level's head train together."""

import copy
from typing import NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from skxmr.transformer._checkpoint_checks import check_optimizer_state
from skxmr.transformer._device import (
    explain_memory_errors,
    get_random_states,
    has_fused_adamw,
    set_random_states,
    set_seed,
    use_fast_attention,
)
from skxmr.transformer._distributed import (
    add_gradients,
    add_numbers,
    copy_from_first_process,
    count_processes,
    get_process_number,
    take_share,
)
from skxmr.transformer._tokens import TokenizedTexts, batches_by_length, shuffled_batches


class TrainingOptions(NamedTuple):
    """Options that all levels share; most are parameters of `TransformerMatcher`."""

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
    beam_width: int
    device: torch.device
    dtype: torch.dtype | None
    seed: int
    verbose: int


# Options that are parameters of `TransformerMatcher` and influence the result.
OPTION_PARAMETERS = [
    name for name in TrainingOptions._fields if name not in ("device", "dtype", "seed", "verbose")
]


class TrainingRows(NamedTuple):
    """Texts, and the rows of them that train the encoder or decide when to stop.

    Attributes
    ----------
    tokens : TokenizedTexts
        All texts.
    training : ndarray of int
        Rows to train on.
    validation : ndarray of int
        Rows held out, possibly none.
    """

    tokens: TokenizedTexts
    training: np.ndarray
    validation: np.ndarray


class LevelBudget(NamedTuple):
    """Maximum numbers of epochs and of optimizer steps on a level; `max_steps` None is no limit."""

    n_epochs: int
    max_steps: int | None


class LevelHead(NamedTuple):
    """Linear models of a level: weights (n_nodes, n_dimensions) and intercepts (n_nodes,)."""

    weights: np.ndarray
    intercepts: np.ndarray


class LevelTrainer:
    """Train an encoder and the head of one level, epoch by epoch.

    Objective: the mean loss per training row, where the loss of a row is the sum over its
    candidates. Algorithm: AdamW; the learning rate rises and falls linearly. Stopping rule: the
    budget, or `patience` epochs without a better precision@1 on the validation rows.

    Several processes divide the rows of each batch and add up their gradients. Only the masks of
    dropout and rounding errors depend on the number of processes.

    Parameters
    ----------
    encoder : Encoder
        Encoder, trained in place.
    head : LevelHead
        Initial weights and intercepts.
    candidates : LevelCandidates
        Candidates of all rows.
    rows : TrainingRows
        Texts, training rows and validation rows.
    budget : LevelBudget
        Maximum numbers of epochs and steps.
    level : int
        Level, from 0. Part of the seed of the row order.
    options : TrainingOptions
        Options that all levels share.
    """

    def __init__(self, encoder, head, candidates, rows, budget, level, options):
        self.encoder = encoder
        self.candidates = candidates
        self.rows = rows
        self.level = level
        self.options = options
        encoder.model.to(options.device)
        self.weight, self.bias = (
            torch.nn.Parameter(torch.tensor(values, device=options.device)) for values in head
        )
        n_batches = -(-len(rows.training) // options.batch_size)
        steps_per_epoch = -(-n_batches // options.gradient_accumulation_steps)
        self.n_steps = min(budget.n_epochs * steps_per_epoch, budget.max_steps or np.inf)
        self.optimizer = self._make_optimizer()
        is_half = options.dtype == torch.float16
        self.scaler = torch.amp.GradScaler(options.device.type, enabled=is_half)
        # Finished epochs and steps, and epochs since the best one.
        self.epoch = self.step = self.n_without_gain = 0
        self.loss = self.precision = np.nan
        self.best = None

    def train(self, after_epoch):
        """Train from the present epoch to the end, then restore the best encoder and head.

        `after_epoch()` is called after each epoch, and also before the first one.
        """
        if self.epoch == 0 and self.best is None:
            self._validate()
            after_epoch()
        while self.step < self.n_steps and self.n_without_gain < self.options.patience:
            self._train_epoch()
            self.epoch += 1
            self._validate()
            after_epoch()
        if self.best is not None:
            self._load_model(self.best)
            self.precision = self.best["precision"]
        # Devices of different kinds round differently.
        copy_from_first_process([weights.detach() for weights in self._trained_weights()])

    def state_dict(self):
        """Return everything that determines the rest of the training.

        The keys, and "peak" in the groups of the optimizer, are part of the format of checkpoints.
        """
        return {
            "model": self._model_state(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": get_random_states(self.options.device),
            "counts": [self.epoch, self.step, self.n_without_gain],
            "loss": float(self.loss),
            "precision": float(self.precision),
            "best": self.best,
        }

    def load_state_dict(self, state):
        """Restore the result of `state_dict`; raise an error if it does not belong to the model."""
        if state["best"] is not None:
            self._load_model(state["best"])  # only to raise an error now instead of at the end
        self._load_model(state["model"])
        check_optimizer_state(self.optimizer, state["optimizer"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        set_random_states(state["random"], self.options.device)
        self.epoch, self.step, self.n_without_gain = state["counts"]
        self.loss, self.precision, self.best = state["loss"], state["precision"], state["best"]

    def _make_optimizer(self):
        # Weight decay excludes vectors, which are biases and scales of normalization layers, and
        # heads, which start as a regularized solution.
        options = self.options
        weights = [p for p in self.encoder.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in weights if p.ndim > 1], "weight_decay": options.weight_decay},
            {"params": [p for p in weights if p.ndim < 2]},
            {"params": [self.weight, self.bias], "lr": options.head_learning_rate},
        ]
        optimizer = torch.optim.AdamW(
            groups,
            lr=options.learning_rate,
            weight_decay=0.0,
            fused=has_fused_adamw(options.device),
        )
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
        return optimizer

    def _train_epoch(self):
        options, rows = self.options, self.rows
        rng = np.random.default_rng([options.seed, self.level, self.epoch])
        batches = shuffled_batches(rows.training, rows.tokens.lengths, options.batch_size, rng)
        n_per_step = options.gradient_accumulation_steps
        steps = [batches[i : i + n_per_step] for i in range(0, len(batches), n_per_step)]
        steps = steps[: int(self.n_steps) - self.step]
        if count_processes() > 1:
            # Each process needs its own masks of dropout. A checkpoint contains the random state of
            # the first process only.
            seeds = np.random.SeedSequence(
                [options.seed, self.level, self.epoch, get_process_number()]
            )
            set_seed(options.device, int(seeds.generate_state(1)[0]))
        total_loss = torch.zeros((), device=options.device)
        self.encoder.model.train()
        name = f"level {self.level + 1}, epoch {self.epoch + 1}"
        with (
            explain_memory_errors(options.batch_size, options.max_length, "training"),
            use_fast_attention(self.encoder.model, options.device, options.dtype),
        ):
            for step_batches in tqdm(steps, desc=name, disable=options.verbose < 2):
                total_loss += self._take_step(step_batches)
        n_rows = sum(len(batch) for step_batches in steps for batch in step_batches)
        self.loss = add_numbers(total_loss).item() / n_rows
        if not np.isfinite(self.loss):
            raise FloatingPointError(
                f"The loss of {name} is {self.loss}. Lower learning_rate (now "
                f"{options.learning_rate}) or head_learning_rate (now "
                f"{options.head_learning_rate})."
            )

    def _take_step(self, batches):
        """Take one step of the optimizer; return the sum of the losses of this process."""
        self._set_learning_rate()
        n_rows = sum(len(rows) for rows in batches)
        total_loss = 0.0
        for rows in batches:
            # A process without a row needs gradients too, with the value 0.
            is_idle = len(rows) <= get_process_number()
            loss = self._sum_losses(rows[:1]) * 0 if is_idle else self._sum_losses(take_share(rows))
            self.scaler.scale(loss / n_rows).backward()
            total_loss += loss.detach()
        weights = self._trained_weights()
        add_gradients(weights)
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(weights, self.options.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return total_loss

    def _trained_weights(self):
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _set_learning_rate(self):
        # Linear warmup, then linear decay to 0 after the last step.
        n_warmup = self.options.warmup_ratio * self.n_steps
        warmup = (self.step + 1) / n_warmup if n_warmup else np.inf
        decay = (self.n_steps - self.step) / max(self.n_steps - n_warmup, 1)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * min(warmup, decay, 1.0)

    def _sum_losses(self, rows):
        """Return the sum of the losses over rows and their candidates."""
        margins, is_candidate, is_positive = self._margins(rows)
        if self.options.loss == "squared_hinge":
            losses = torch.relu(1 - (2 * is_positive - 1) * margins) ** 2
        else:
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                margins, is_positive, reduction="none"
            )
        return (losses * is_candidate).sum()

    def _margins(self, rows):
        """Return the margins of the candidates, `is_candidate` and `is_positive`, as tensors."""
        batch = self.candidates.make_batch(rows)
        nodes, is_candidate, is_positive = (
            torch.from_numpy(array).to(self.options.device) for array in batch
        )
        ids, mask = self.rows.tokens.pad(rows, self.encoder.pad_id)
        vectors = self.encoder.encode(ids, mask, self.options.dtype)
        if self.candidates.has_all_nodes:
            margins = torch.nn.functional.linear(vectors, self.weight, self.bias)
            return margins, is_candidate, is_positive
        # Not `self.weight[nodes]`: the gradient of indexing may be summed in any order.
        embedding = torch.nn.functional.embedding
        weights, bias = embedding(nodes, self.weight), embedding(nodes, self.bias.unsqueeze(-1))
        margins = (torch.bmm(weights, vectors.unsqueeze(-1)) + bias).squeeze(-1)
        return margins, is_candidate, is_positive

    def _validate(self):
        """Compute precision@1 of validation rows among their candidates; keep the best model."""
        rows = self.rows.validation
        if not len(rows):
            return
        options = self.options
        self.encoder.model.eval()
        n_correct = 0.0
        memory_errors = explain_memory_errors(options.batch_size, options.max_length, "validating")
        with memory_errors, torch.no_grad():
            batches = batches_by_length(self.rows.tokens.lengths[rows], options.batch_size)
            for batch in take_share(batches):
                margins, is_candidate, is_positive = self._margins(rows[batch])
                best = margins.masked_fill(~is_candidate, -torch.inf).argmax(1, keepdim=True)
                n_correct += is_positive.gather(1, best).sum().item()
        n_correct = add_numbers(torch.tensor(n_correct, device=options.device)).item()
        self.precision = n_correct / len(rows)
        if self.best is None or self.precision > self.best["precision"]:
            self.best = copy.deepcopy({**self._model_state(), "precision": self.precision})
            self.n_without_gain = 0
        else:
            self.n_without_gain += 1

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
