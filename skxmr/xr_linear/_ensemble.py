"""Several trees over the same labels, whose scores are joined."""

import numpy as np

from skxmr._core.log_scores import on_grid
from skxmr._core.score_rule import ScoreForm
from skxmr._core.votes import add_votes

# Labels that a tree votes for: those further down decide nothing, and there may be thousands.
VOTES = 100
# Of reciprocal rank fusion: how little the first ranks stand out.
RANK_OFFSET = 60.0


class TreeEnsemble:
    """Rank labels by the votes of several trees, with the methods of a `TreeModel`.

    Trees of different seeds part the labels differently; what one beam loses another finds.
    Prabhu et al. (2018), "Parabel", WWW, average the scores of three trees. Ranks may be averaged
    in their place, as 61 / (60 + rank): Cormack, Clarke, Buettcher (2009), "Reciprocal rank fusion
    outperforms Condorcet and individual rank learning methods", SIGIR.

    Parameters
    ----------
    models : list of TreeModel
        The trees.
    voting : {"mean", "rank"}
        What is averaged; a label that is not among a tree's VOTES best counts as 0.
    """

    def __init__(self, models, voting):
        self.models = models
        self.voting = voting

    @property
    def levels(self):
        """The linear models of all trees."""
        return [level for model in self.models for level in model.levels]

    def most_clusters(self, beam_width):
        """Return the most clusters that a row keeps on a level."""
        return max(model.most_clusters(beam_width) for model in self.models)

    def most_scores(self, beam_width, k=0):
        """Return the most labels that a row is scored for, whatever is kept of them."""
        return len(self.models) * VOTES

    def score_form(self, scoring):
        """Return what the scores of `rank` are: logarithms of means, whatever the trees' are."""
        return ScoreForm("log", scoring.shows_logs)

    def rank(self, X, beam_width, scoring, k=0, best_first=False):
        """Return (indptr, labels, log scores) of the rows X; see `TreeModel.rank`."""
        rankings = []
        for model in self.models:
            indptr, labels, scores = model.rank(X, beam_width, scoring, VOTES)
            votes = self._votes(indptr, scores, model.score_form(scoring))
            rankings.append((indptr, labels, votes))
        return self._joined(rankings, k, best_first)

    def rank_row(self, x, beam_width, scoring, k):
        """Return the (labels, log scores) of one row (indices, data), best first."""
        rankings = []
        for model in self.models:
            labels, scores = model.rank_row(x, beam_width, scoring, VOTES)
            by_label = np.argsort(labels)
            indptr = np.array([0, len(labels)], dtype=np.int64)
            votes = self._votes(indptr, scores[by_label], model.score_form(scoring))
            rankings.append((indptr, labels[by_label], votes))
        return self._joined(rankings, k, True)[1:]

    def candidate_scorer(self, scoring):
        """Make a function (X, indptr, labels) -> log scores of given labels.

        All trees vote for all of them; ranks among the VOTES best they have none.
        """
        if self.voting == "rank":
            raise ValueError(
                'score_candidates needs scores; voting="rank" has ranks among all labels only.'
            )
        forms = [model.score_form(scoring) for model in self.models]
        scorers = [model.candidate_scorer(scoring) for model in self.models]

        def score(*candidates):
            votes = [
                form.probabilities(scorer(*candidates))
                for form, scorer in zip(forms, scorers, strict=True)
            ]
            return np.log(np.mean(votes, axis=0))

        return score

    def pruned(self, weight_threshold=0.0, max_weights_per_label=None):
        """Return the trees with fewer weights; see `TreeModel.pruned`."""
        models = [model.pruned(weight_threshold, max_weights_per_label) for model in self.models]
        return TreeEnsemble(models, self.voting)

    def _joined(self, rankings, k, best_first):
        n_labels = self.models[0].hierarchy.n_labels
        indptr, labels, sums = add_votes(rankings, n_labels, k, best_first)
        return indptr, labels, on_grid(np.log(sums / np.float32(len(self.models))))

    def _votes(self, indptr, scores, form):
        if self.voting == "mean":
            return form.probabilities(scores)
        rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        # Labels rise in each row, and the sort is stable: equal scores stand by label.
        order = np.lexsort((-scores, rows))
        ranks = np.empty(len(scores), dtype=np.float32)
        ranks[order] = np.arange(len(scores)) - np.repeat(indptr[:-1], np.diff(indptr)) + 1
        return (RANK_OFFSET + 1.0) / (RANK_OFFSET + ranks)
