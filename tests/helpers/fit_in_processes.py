"""Script for `torchrun`: fit matchers in several processes, and store what each process got.

Usage: fit_in_processes.py FOLDER. The file inputs.pickle of the folder contains the texts, the
indicator and the unfitted matcher.
"""

import contextlib
import io
import os
import pickle
import sys
from pathlib import Path

import torch
from sklearn.base import clone

from skxmr.transformer import XTransformerClassifier, _level_training
from skxmr.transformer._level_training import LevelTrainer


def fit(matcher, texts, M):
    """Return the fitted weights and what was printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        E = matcher.fit_transform(texts, M)
    weights = {name: w.numpy() for name, w in matcher.encoder_.model.state_dict().items()}
    return {
        "weights": weights,
        "heads": matcher.heads_.weights,
        "E": E,
        "n_iter": matcher.n_iter_,
        "printed": printed.getvalue(),
    }


def record_seeds(matcher, texts, M):
    """Return the seeds of the epochs of a fit."""
    seeds, set_seed = [], _level_training.set_seed

    def record(device, seed):
        seeds.append(seed)
        set_seed(device, seed)

    _level_training.set_seed = record
    matcher.fit(texts, M)
    _level_training.set_seed = set_seed
    return seeds


def error_of(matcher, texts, M, **parameters):
    """Return the message of the ValueError of a fit."""
    try:
        clone(matcher).set_params(**parameters).fit(texts, M)
    except ValueError as error:
        return str(error)


def fit_and_interrupt(matcher, texts, M):
    """Fit, and raise a KeyboardInterrupt after the first epoch."""
    train_epoch = LevelTrainer._train_epoch

    def interrupt(trainer):
        if trainer.epoch == 1:
            raise KeyboardInterrupt
        train_epoch(trainer)

    LevelTrainer._train_epoch = interrupt
    with contextlib.suppress(KeyboardInterrupt):
        matcher.fit(texts, M)
    LevelTrainer._train_epoch = train_epoch


def main(folder):
    """Run all fits and write result_RANK.pickle."""
    torch.set_num_threads(1)
    texts, M, matcher = pickle.loads((folder / "inputs.pickle").read_bytes())
    rank = int(os.environ["RANK"])
    results = {"fit": fit(clone(matcher), texts, M)}
    with_dropout = clone(matcher).set_params(model=str(folder / "with_dropout"))
    results["dropout"] = fit(clone(with_dropout), texts, M)
    results["seeds"] = record_seeds(clone(with_dropout), texts, M)
    with_checkpoint = clone(with_dropout).set_params(checkpoint_dir=folder / "checkpoint")
    fit_and_interrupt(with_checkpoint, texts, M)
    results["resumed"] = fit(with_checkpoint, texts, M)
    n_rows = len(texts) - 8 * rank
    other_texts = [f"old {text}" for text in texts]
    other_folder = folder / ("none" if rank else "checkpoint")
    results["errors"] = {
        "rows": error_of(matcher, texts[:n_rows], M[:n_rows]),
        "texts": error_of(matcher, other_texts if rank else texts, M),
        "parameters": error_of(matcher, texts, M, learning_rate=1e-3 * (1 + rank)),
        "random_state": error_of(matcher, texts, M, random_state=None),
        "checkpoints": error_of(with_checkpoint, texts, M, checkpoint_dir=other_folder),
    }
    classifier = XTransformerClassifier(
        matcher.model, max_leaf_size=4, matcher=clone(matcher).set_params(verbose=0), random_state=0
    )
    results["classifier"] = classifier.fit(texts, M).predict_proba(texts).toarray()
    (folder / f"result_{rank}.pickle").write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
