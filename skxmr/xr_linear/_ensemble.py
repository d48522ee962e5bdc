"""Several trees over the same labels, whose scores are averaged."""

import numpy as np

from skxmr._core.node_scores import NodeScores
from skxmr._core.row_search import RowScores
from skxmr._core.score_forms import round_log_scores
from skxmr._core.score_rule import ScoreForm
from skxmr._core.topk import best_of_rows
from skxmr._core.votes import add_votes

# Number of labels per row that each tree scores. Labels below are irrelevant for the best of the
# mean, and there may be thousands.
MAX_VOTES = 100


class TreeEnsemble:
    """Rank labels by the mean of the scores of several trees.

    Trees with different seeds group the labels differently, so they make different mistakes.
    Prabhu et al. (2018), "Parabel", WWW, average the scores of three trees. Has the methods of a
    `TreeModel`.

    Parameters
    ----------
    models : list of TreeModel
        The trees. A label that is not one of the MAX_VOTES best of a tree has the score 0 there.
    """

    def __init__(self, models):
        self.models = models

    @property
    def levels(self):
        """Linear models of all trees."""
        return [level for model in self.models for level in model.levels]

    def score_form(self, score_params):
        """Return the `ScoreForm` of `rank`: logarithms of mean probabilities."""
        return ScoreForm(is_margin=False, shows_logs=score_params.shows_logs)

    def max_clusters(self, beam_width):
        """Return the maximum number of clusters kept per row and level."""
        return max(model.max_clusters(beam_width) for model in self.models)

    def max_scores(self, beam_width, k=0):
        """Return the maximum number of scores per row, before the best `k` are kept."""
        return len(self.models) * MAX_VOTES

    def rank(self, X, beam_width, score_params, k=0, best_first=False, filters=None):
        """Rank the labels of each row; see `TreeModel.rank`."""
        votes = []
        for model, tree_filters in zip(self.models, self._split(filters), strict=True):
            ranking = model.rank(X, beam_width, score_params, MAX_VOTES, filters=tree_filters)
            probabilities = model.score_form(score_params).probabilities(ranking.scores)
            votes.append(ranking._replace(scores=probabilities))
        return self._average(votes, k, best_first)

    def rank_row(self, x, beam_width, score_params, k, filters=None):
        """Return the `RowScores` of one `SparseRow`, best first."""
        votes = []
        for model, tree_filters in zip(self.models, self._split(filters), strict=True):
            row = model.rank_row(x, beam_width, score_params, MAX_VOTES, tree_filters)
            ranking = NodeScores.of_row(row)
            probabilities = model.score_form(score_params).probabilities(ranking.scores)
            votes.append(ranking._replace(scores=probabilities))
        _, *ranking = self._average(votes, k, True)
        return RowScores.from_arrays(*ranking)

    def candidate_scorer(self, score_params):
        """Return a function (X, indptr, labels) -> scores; every tree scores all labels."""
        forms = [model.score_form(score_params) for model in self.models]
        scorers = [model.candidate_scorer(score_params) for model in self.models]

        def score(*candidates):
            probabilities = [
                form.probabilities(scorer(*candidates))
                for form, scorer in zip(forms, scorers, strict=True)
            ]
            return np.log(np.mean(probabilities, axis=0))

        return score

    def _split(self, filters):
        return [None if filters is None else [one] for one in filters or self.models]

    def prune(self, weight_threshold=0.0, max_weights_per_label=None):
        """Return the trees with fewer weights; see `TreeModel.prune`."""
        models = [model.prune(weight_threshold, max_weights_per_label) for model in self.models]
        return TreeEnsemble(models)

    def _average(self, votes, k, best_first):
        summed = NodeScores(*add_votes(votes, k))
        means = summed.scores / np.float32(len(self.models))
        scored = summed._replace(scores=round_log_scores(np.log(means)))
        return NodeScores(*best_of_rows(*scored, k, best_first))
