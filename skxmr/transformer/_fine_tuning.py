"""Recursive fine-tuning of an encoder: one level of the tree after the other, from the root.

The method of XR-Transformer (Zhang et al. 2021). On each level:

1. Embed all texts and fit linear models (heads) of all nodes down to this level.
2. Find the candidates of each row: children of the beam's nodes and of the positive nodes.
3. Train the encoder and the level's head together, see `LevelTrainer`.

At the end, fit the heads of all levels to the embeddings of the trained encoder.
"""

import time
from numbers import Integral
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from skxmr._core.levels import expand_to_levels
from skxmr.indexing import LabelHierarchy
from skxmr.transformer._candidates import LevelCandidates, NodesPerRow, add_positive_nodes
from skxmr.transformer._checkpoint_checks import check_state
from skxmr.transformer._cluster_heads import fit_cluster_heads, upper_levels
from skxmr.transformer._distributed import check_equal_progress
from skxmr.transformer._level_training import LevelBudget, LevelHead, LevelTrainer


class ClusterTargets(NamedTuple):
    """Clusters to predict.

    Attributes
    ----------
    M : csr_array of shape (n_rows, n_clusters)
        Indicator of the clusters.
    hierarchy : LabelHierarchy
        Tree over the clusters.
    levels : list of csr_array of shape (n_rows, n_nodes)
        Positive nodes of each level, columns in the order of the level.
    """

    M: sp.csr_array
    hierarchy: LabelHierarchy
    levels: list

    @classmethod
    def from_indicator(cls, M, hierarchy):
        """Compute the positive nodes of all levels from the indicator of the clusters."""
        return cls(M, hierarchy, [level.tocsr() for level in hierarchy.node_targets(M)])


class LevelStart(NamedTuple):
    """State that the training on a level starts from.

    Attributes
    ----------
    head : LevelHead
        Initial head.
    parents : NodesPerRow
        Nodes of the level above whose children are the candidates.
    """

    head: LevelHead
    parents: NodesPerRow


def make_schedule(n_epochs, max_steps, n_levels):
    """Return the `LevelBudget` of each level; ValueError for an invalid sequence.

    `n_epochs` and `max_steps` are the parameters of `TransformerMatcher`.
    """
    per_level = []
    for name, values, minimum in (("n_epochs", n_epochs, 0), ("max_steps", max_steps, 1)):
        if isinstance(values, (list, tuple)):
            invalid = [
                v
                for v in values
                if not ((isinstance(v, Integral) and v >= minimum) or (v is None and minimum))
            ]
            if invalid or not values:
                raise ValueError(
                    f"{name} must be an integer or a non-empty sequence of integers, each at least "
                    f"{minimum}; got {values!r}."
                )
        per_level.append(
            [None if v is None else int(v) for v in expand_to_levels(values, n_levels)]
        )
    return [LevelBudget(*budget) for budget in zip(*per_level, strict=True)]


def fine_tune(encoder, rows, targets, schedule, options, checkpoint):
    """Train an encoder to predict the clusters of a tree, and fit the heads of all levels.

    Parameters
    ----------
    encoder : Encoder
        Encoder, trained in place.
    rows : TrainingRows
        Texts, training rows and validation rows.
    targets : ClusterTargets
        Clusters of each row.
    schedule : list of LevelBudget
        Budget of each level. A level with 0 epochs is skipped.
    options : TrainingOptions
        Options that all levels share.
    checkpoint : Checkpoint
        Storage of the state; the fit resumes from its state if there is one.

    Returns
    -------
    heads : ClusterHeads
        Heads of all levels, fitted on the embeddings `E`.
    n_steps : int
        Total number of optimizer steps.
    E : ndarray of shape (n_rows, n_dimensions), float32
        Embeddings of all rows by the trained encoder.
    """
    hierarchy = targets.hierarchy
    state = checkpoint.state
    if state is not None:
        with checkpoint.reading_state():
            check_state(state, targets, schedule, encoder.n_dimensions)
    check_equal_progress(state, options.device)
    n_steps = [0] * hierarchy.n_levels if state is None else list(state["n_steps"])
    first_level = 0 if state is None else state["level"]
    for level in range(first_level, hierarchy.n_levels):
        if schedule[level].n_epochs == 0:
            continue
        started = time.perf_counter()
        if state is None:
            head, parents = _start_level(encoder, rows, targets, level, options)
        else:
            head = LevelHead(*(values.numpy() for values in state["training"]["model"]["head"]))
            parents = NodesPerRow(*(values.numpy() for values in state["parents"]))
        candidates = LevelCandidates(parents, hierarchy.child_indptrs[level], targets.levels[level])
        trainer = LevelTrainer(encoder, head, candidates, rows, schedule[level], level, options)
        if state is not None:
            with checkpoint.reading_state():
                trainer.load_state_dict(state["training"])
            state = None

        def make_state(level=level, parents=parents, trainer=trainer):
            # The keys are part of the format of checkpoints.
            n_steps[level] = trainer.step
            return {
                "level": level,
                "n_steps": n_steps,
                "parents": [torch.from_numpy(values) for values in parents],
                "training": trainer.state_dict(),
            }

        trainer.train(after_epoch=lambda make_state=make_state: checkpoint.save(make_state))
        n_steps[level] = trainer.step
        if options.verbose:
            _print_level(trainer, hierarchy, time.perf_counter() - started)
    E = _embed(encoder, rows.tokens, options)
    heads = fit_cluster_heads(E, targets.M, hierarchy, options.loss, options.seed)
    return heads, sum(n_steps), E


def _start_level(encoder, rows, targets, level, options):
    """Return the `LevelStart` of a level, from the embeddings of the present encoder."""
    E = _embed(encoder, rows.tokens, options)
    hierarchy = upper_levels(targets.hierarchy, level + 1)
    training_targets = targets.levels[level][rows.training]
    heads = fit_cluster_heads(
        E[rows.training], training_targets, hierarchy, options.loss, options.seed
    )
    indptr, nodes, *_ = heads.search(E, options.beam_width, level)
    parents = NodesPerRow(indptr, nodes)
    if level:
        # Validation rows have no positive nodes added: prediction does not know these either.
        positives = targets.levels[level - 1].copy()
        row_of_entry = np.repeat(np.arange(len(E)), np.diff(positives.indptr))
        positives.data[np.isin(row_of_entry, rows.validation)] = 0
        positives.eliminate_zeros()
        parents = add_positive_nodes(parents, positives)
    return LevelStart(LevelHead(heads.weights[level], heads.intercepts[level]), parents)


def _embed(encoder, tokens, options):
    return encoder.embed(
        tokens,
        batch_size=options.batch_size,
        max_length=options.max_length,
        device=options.device,
        dtype=options.dtype,
        show_progress=options.verbose > 1,
        divide=True,
    )


def _print_level(trainer, hierarchy, seconds):
    validation = ""
    if n_validation := len(trainer.rows.validation):
        validation = f", precision@1 {trainer.precision:.4f} on {n_validation} validation rows"
    print(
        f"level {trainer.level + 1} of {hierarchy.n_levels}: "
        f"{hierarchy.level_sizes[trainer.level]} nodes, {trainer.epoch} epochs, "
        f"{trainer.step} steps, loss {trainer.loss:.4f}{validation}, {seconds:.0f} s"
    )
