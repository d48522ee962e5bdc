"""Resume the fits of a TransformerMatcher from manipulated checkpoints; run in a child process.

Usage: python -m helpers.fuzz_matcher_checkpoints FIRST_SEED N ENCODER, where ENCODER is the folder
of an encoder. Only ValueError, OSError and FloatingPointError may be raised, the latter for a loss
that is not finite.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from helpers.fuzz_limits import Limits
from helpers.manipulations import change_file, change_values
from skxmr import LabelHierarchy
from skxmr.transformer import TransformerMatcher
from skxmr.transformer._checkpoint import Checkpoint

TEXTS = [f"a {animal} near the river" for animal in ("wolf", "otter", "heron", "beetle")] * 4


def fuzz(encoder, first_seed, n):
    """Return the numbers of fits that refused their checkpoint and that finished."""
    torch.set_num_threads(1)
    refused = 0
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "matcher.pt"
        interrupt_fit(encoder, temporary)
        original = file.read_bytes()
        fit(encoder, temporary)
        limits = Limits(len(original))
        for seed in range(first_seed, first_seed + n):
            limits.begin(seed)
            rng = np.random.default_rng(seed)
            file.write_bytes(original)
            if rng.random() < 0.1:
                file.write_bytes(change_file(original, [b"text"], rng))
            else:
                content = torch.load(file, weights_only=True)
                change_leaf(content, rng)
                torch.save(content, file)
            try:
                fit(encoder, temporary)
            except (ValueError, OSError, FloatingPointError):
                refused += 1
            limits.end()
    return refused, n - refused


def fit(encoder, folder):
    """Fit a matcher on two levels, with a row that decides when to stop."""
    matcher = TransformerMatcher(
        encoder,
        hierarchy=LabelHierarchy.from_memberships([0, 0, 1, 1]),
        n_epochs=2,
        max_length=8,
        validation_fraction=0.2,
        checkpoint_dir=folder,
        random_state=0,
    )
    return matcher.fit(TEXTS, np.tile(np.eye(4), (4, 1)))


def interrupt_fit(encoder, folder):
    """Interrupt a fit after the first epoch of the second level."""
    save = Checkpoint.save
    n_saved = 0

    def save_some(self, make_state):
        nonlocal n_saved
        n_saved += 1
        save(self, make_state)
        if n_saved == 5:
            raise KeyboardInterrupt

    Checkpoint.save = save_some
    try:
        fit(encoder, folder)
    except KeyboardInterrupt:
        pass
    finally:
        Checkpoint.save = save


def change_leaf(content, rng):
    """Change, remove or exchange a random value inside dicts and lists."""
    places = []

    def visit(value, depth):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            # Values near the root are few, so they count several times.
            places.extend([(value, key)] * max(1, 20 - 5 * depth))
            if isinstance(item, (dict, list)):
                visit(item, depth + 1)

    visit(content["state"], 0)
    container, key = places[rng.integers(len(places))]
    other, other_key = places[rng.integers(len(places))]
    value = container[key]
    if rng.random() < 0.1:
        del container[key]
    elif isinstance(value, torch.Tensor) and rng.random() < 0.8:
        container[key] = change_tensor(value, rng)
    else:
        new = [None, -1, 0, 1, 2**31, 1.5, float("nan"), "", [], {}, True, other[other_key]]
        container[key] = new[rng.integers(len(new))]


def change_tensor(tensor, rng):
    """Return a tensor with other values, or with another shape or dtype."""
    kind = rng.integers(5)
    if kind == 0 and tensor.ndim:
        return tensor[: rng.integers(len(tensor) + 1)].clone()
    if kind == 1:
        return tensor.to([torch.int8, torch.int64, torch.float64][rng.integers(3)])
    if kind == 2:  # a tensor of any size in a small file
        return torch.zeros(1).expand(2**40)
    return torch.from_numpy(change_values(tensor.numpy(), rng))


if __name__ == "__main__":
    for folder in sys.argv[3:]:
        refused, finished = fuzz(folder, int(sys.argv[1]), int(sys.argv[2]))
        print(f"{refused} refused, {finished} finished")
