"""Margins of all levels, stored for given labels of each row.

Margins do not depend on the parameters of the score. Once they are stored, the scores under any
parameters are computed from them, without the models and the rows.
"""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._core.node_scores import NodeScores, join_rows
from skxmr._core.score_forms import round_log_scores
from skxmr._core.threads import run_tasks, split_rows
from skxmr._core.topk import best_of_rows
from skxmr._core.transforms import SHAPES, LevelTransform, join_scores

_MARGIN = LevelTransform(SHAPES["identity"])


class PathMargins(NamedTuple):
    """Margins on the paths to given labels in one tree.

    Attributes
    ----------
    margins : list of ndarray of float32
        For each level from the root's children to the labels, the margin of the node on the path
        to each label.
    inherits : list of ndarray of uint8
        1 if this node is an only child, which has the score of its parent.
    offsets : ndarray of float32
        Offset of each label; see `OneVsAllRanker`.
    """

    margins: list
    inherits: list
    offsets: np.ndarray

    def score(self, rule):
        """Return (scores, margins) of the labels, as a search with this `ScoreRule` does."""
        scores, margins = np.zeros((2, len(self.offsets)), dtype=np.float32)
        for own, inherits, transform in zip(
            self.margins, self.inherits, rule.transforms, strict=True
        ):
            scores, margins = join_scores(scores, margins, own, transform, self.offsets, inherits)
        return scores, margins


class StoredScores:
    """Rank stored labels of some rows under any parameters of the score.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,)
        Start of each row in `labels`.
    labels : ndarray of int32
        Labels of each row.
    trees : list of PathMargins
        Margins of these labels in each tree.
    models : list of TreeModel
        The trees.
    """

    def __init__(self, indptr, labels, trees, models):
        self.indptr, self.labels = indptr, labels
        self.trees, self.models = trees, models

    @property
    def n_levels(self):
        """Number of levels of the deepest tree."""
        return max(len(tree.margins) for tree in self.trees)

    def rank(self, score_params, k):
        """Return the `NodeScores` of the k best stored labels of each row, best first.

        The scores are logarithms of probabilities, or sums of margins if a transform is "identity"
        and there is a single tree.
        """
        scored = [
            tree.score(model.score_rule(score_params))
            for tree, model in zip(self.trees, self.models, strict=True)
        ]
        scores, margins = scored[0]
        if len(scored) > 1:
            probabilities = [
                model.score_form(score_params).probabilities(each)
                for model, (each, _) in zip(self.models, scored, strict=True)
            ]
            scores = round_log_scores(np.log(np.mean(probabilities, axis=0)))
            margins = np.sum([each for _, each in scored], axis=0, dtype=np.float32)
        return NodeScores(*best_of_rows(self.indptr, self.labels, scores, margins, k, True))


def store_scores(model, X, beam_width, searches, k, n_jobs):
    """Store the margins of the labels that several searches find.

    Parameters
    ----------
    model : TreeModel or TreeEnsemble
        Fitted model with linear models on all levels.
    X : Rows
        Rows.
    beam_width : int or None
        Beam width of the searches.
    searches : list of ScoreParams
        Parameters of each search.
    k : int
        Number of labels that each search contributes.
    n_jobs : int or None
        Number of threads, as in joblib.

    Returns
    -------
    StoredScores
    """
    models = model.models

    def store_block(start, stop):
        rows = X.block(start, stop)
        found = [model.rank(rows, beam_width, search, k) for search in searches]
        indptr, labels = _unite(found)
        return indptr, labels, [tree.path_margins(rows, indptr, labels) for tree in models]

    per_row = max(model.max_scores(beam_width, k), X.numbers_per_row)
    blocks = split_rows(X.n_rows, per_row, n_jobs)
    stored = run_tasks(store_block, blocks, n_jobs, threads_only=True)
    indptr, labels = join_rows([block[:2] for block in stored])
    trees = [_join(each) for each in zip(*(block[2] for block in stored), strict=True)]
    return StoredScores(indptr, labels, trees, models)


def read_margins(levels, X, indptr, labels, offsets, finder):
    """Return the `PathMargins` of given labels.

    Parameters
    ----------
    levels : list of LevelModel
        Linear models, from the root's children to the labels.
    X : Rows
        Rows.
    indptr, labels : ndarray
        Labels of each row.
    offsets : ndarray of float32
        Offsets of all labels, in tree order.
    finder : LabelPaths
        Finds the paths to the labels.
    """
    paths, order = finder.find(indptr, labels)
    margins, inherits = [], []
    nodes = np.arange(len(labels))  # position on the level of the node on the path to each label
    for level, path in zip(reversed(levels), reversed(paths), strict=True):
        nothing = np.zeros(len(path.parents), dtype=np.float32)
        parents = NodeScores(path.indptr, path.parents, nothing, nothing)
        _, own = level.score_children(X, parents, path.wanted, _MARGIN)
        n_siblings = np.diff(level.arrays["child_indptr"])[path.parents]
        is_only_child = (n_siblings == 1) & level.only_children_inherit
        parent_of = np.repeat(np.arange(len(path.parents)), np.diff(path.child_indptr))
        parent_positions = parent_of[nodes]
        margins.append(_reordered(own[nodes], order))
        inherits.append(_reordered(is_only_child[parent_positions].astype(np.uint8), order))
        nodes = parent_positions
    label_offsets = offsets[finder.position[labels]]
    return PathMargins(margins[::-1], inherits[::-1], label_offsets)


def _reordered(values, order):
    # Move values[i] to position order[i].
    result = np.empty_like(values)
    result[order] = values
    return result


def _unite(rankings):
    # The different labels of each row in several rankings, as CSR arrays.
    n_rows = rankings[0].n_rows
    keys = np.unique(
        np.concatenate(
            [(np.repeat(np.arange(n_rows) << 32, np.diff(r.indptr)) | r.ids) for r in rankings]
        )
    )
    indptr = offsets_of(np.bincount(keys >> 32, minlength=n_rows))
    return indptr, (keys & (2**32 - 1)).astype(np.int32)


def _join(blocks):
    # One `PathMargins` of consecutive blocks of rows.
    margins, inherits, offsets = zip(*blocks, strict=True)
    return PathMargins(
        [np.concatenate(level) for level in zip(*margins, strict=True)],
        [np.concatenate(level) for level in zip(*inherits, strict=True)],
        np.concatenate(offsets),
    )
