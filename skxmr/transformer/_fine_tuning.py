"""Recursive fine-tuning: down the tree, level after level, from coarse to fine."""

import time
from numbers import Integral

import numpy as np
import torch

from skxmr._core.levels import by_level
from skxmr.transformer._candidates import LevelCandidates, join_parents
from skxmr.transformer._level_training import LevelTraining
from skxmr.transformer._linear_heads import fit_linear_heads, upper_levels


def make_schedule(n_epochs, max_steps, n_levels):
    """Return (n_epochs, max_steps) of each level.

    Parameters
    ----------
    n_epochs, max_steps : int, None or sequence of these
        Parameters of `TransformerMatcher`.
    n_levels : int
        Levels of the tree.

    Returns
    -------
    list of tuple

    Raises
    ------
    ValueError
        If a sequence holds anything else than numbers in range, or nothing.
    """
    schedule = []
    for name, values, least in (("n_epochs", n_epochs, 0), ("max_steps", max_steps, 1)):
        if isinstance(values, (list, tuple)):
            wrong = [
                v
                for v in values
                if not ((isinstance(v, Integral) and v >= least) or (v is None and least))
            ]
            if wrong or not values:
                raise ValueError(
                    f"{name} must be made of whole numbers, {least} or more, one at least; "
                    f"got {values!r}."
                )
        schedule.append([None if v is None else int(v) for v in by_level(values, n_levels)])
    return list(zip(*schedule, strict=True))


def fine_tune(encoder, tokens, M, hierarchy, schedule, beam_width, held_out, options, checkpoint):
    """Train an encoder to tell the clusters of a tree, and the heads of all its levels.

    Parameters
    ----------
    encoder : Encoder
        Changed in place.
    tokens : TokenRows
        The texts.
    M : csr_array of shape (n_rows, n_clusters)
        Indicator of the labels of `hierarchy`.
    hierarchy : LabelHierarchy
        The tree.
    schedule : list of tuple
        (n_epochs, max_steps) of each level; a level of 0 epochs is not trained on.
    beam_width : int
        Nodes of the level above whose children a row is compared with.
    held_out : ndarray of int
        Rows not trained on, to stop by.
    options : TrainingOptions
        The rest.
    checkpoint : Checkpoint
        Where the state is kept, and may come from.

    Returns
    -------
    heads : ClusterHeads
        Fitted on the embeddings of all rows by the trained encoder.
    n_steps : list of int
        Steps of the optimizer on each level.
    E : ndarray of shape (n_rows, n_dimensions), float32
        These embeddings.
    """
    targets = [target.tocsr() for target in hierarchy.node_targets(M)]
    rows = np.setdiff1d(np.arange(len(tokens)), held_out)
    state = checkpoint.state
    n_steps = [0] * hierarchy.n_levels if state is None else list(state["n_steps"])
    first = 0 if state is None else state["level"]
    for level in range(first, hierarchy.n_levels):
        n_epochs, max_steps = schedule[level]
        if n_epochs == 0:
            continue
        begun = time.perf_counter()
        if state is None:
            head, parents = _begin(
                encoder, tokens, targets, hierarchy, level, rows, held_out, beam_width, options
            )
        else:
            head = [values.numpy() for values in state["training"]["model"]["head"]]
            parents = [values.numpy() for values in state["parents"]]
        candidates = LevelCandidates(*parents, hierarchy.child_indptrs[level], targets[level])
        training = LevelTraining(
            encoder, head, candidates, tokens, rows, held_out, n_epochs, max_steps, level, options
        )
        if state is not None:
            training.load_state(state["training"])
            state = None

        def make_state(level=level, parents=parents, training=training):
            n_steps[level] = training.step
            return {
                "level": level,
                "n_steps": n_steps,
                "parents": [torch.from_numpy(values) for values in parents],
                "training": training.state(),
            }

        training.run(lambda make_state=make_state: checkpoint.save(make_state))
        n_steps[level] = training.step
        if options.verbose:
            _report(training, hierarchy, time.perf_counter() - begun)
    E = _embed(encoder, tokens, options)
    return fit_linear_heads(E, M, hierarchy, options.loss, options.seed), n_steps, E


def _begin(encoder, tokens, targets, hierarchy, level, rows, held_out, beam_width, options):
    # The heads that a level begins with, and the parents of each row's candidates.
    E = _embed(encoder, tokens, options)
    tree = upper_levels(hierarchy, level + 1)
    heads = fit_linear_heads(E[rows], targets[level][rows], tree, options.loss, options.seed)
    indptr, parents, _ = heads.search(E, beam_width, level)
    if level:
        known = targets[level - 1].copy()
        known.data[np.isin(np.repeat(np.arange(len(E)), np.diff(known.indptr)), held_out)] = 0
        known.eliminate_zeros()
        indptr, parents = join_parents((indptr, parents), known)
    return (heads.weights[level], heads.intercepts[level]), (indptr, parents)


def _embed(encoder, tokens, options):
    return encoder.embed(
        tokens,
        options.batch_size,
        options.max_length,
        options.device,
        options.dtype,
        options.verbose > 1,
    )


def _report(training, hierarchy, seconds):
    judged = ""
    if len(training.held_out):
        judged = f", precision@1 of {len(training.held_out)} held-out rows {training.precision:.4f}"
    print(
        f"level {training.level + 1} of {hierarchy.n_levels}: "
        f"{hierarchy.level_sizes[training.level]} nodes, {training.epoch} epochs, "
        f"{training.step} steps, loss {training.loss:.4f}{judged}, {seconds:.0f} s"
    )
