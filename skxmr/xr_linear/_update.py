"""New rows, new labels and removed labels for a fitted classifier, without a full fit."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skxmr._core.array_folder import find_mapped_file
from skxmr._core.arrays import plain_value
from skxmr._core.validation import validate_update_data
from skxmr._linear import UNTRAINED_INTERCEPT
from skxmr.indexing import LabelVectors, find_tree_limits, grow_hierarchy
from skxmr.xr_linear._fitting import prepare_training, run_training
from skxmr.xr_linear._label_filter import read_labels
from skxmr.xr_linear._previous_tree import PreviousTree
from skxmr.xr_linear._tree_training import train_tree

# Formats of y by the kind of targets, for error messages.
FORMATS = {
    "classes": "one class per row",
    "names": "a list of labels per row",
    "sparse": "an indicator",
    "dense": "an indicator",
}
# Kinds of targets whose labels are columns of an indicator.
INDICATORS = ("sparse", "dense")
N_SHOWN = 5  # labels in an error message
# `update` refuses data in which more than this many labels, and this part of all labels, no longer
# occur: somebody has probably passed the new rows only.
MIN_LOST, MAX_LOST_FRACTION = 10, 0.2


class UpdateMixin:
    """The methods `update` and `forget` of `XRLinearClassifier`."""

    def update(self, X, y, *, sample_weight=None, relevance=None, upper_levels="retrain"):
        """Adapt the model to new rows, new labels and removed rows or labels.

        `X` and `y` are all current rows, not only the new ones. Labels are matched by name, or by
        column if `y` is an indicator:

        - A new label is added to the leaf whose center is nearest to the features of its rows. A
          leaf with more than `max_leaf_size` labels is divided, and so is a cluster with more than
          `branching_factor` children.
        - A label that no longer occurs in `y` is removed. If `y` is an indicator, its column stays,
          as in `fit`. If more than a fifth of the labels do not occur, the data are refused: they
          are probably the new rows only.
        - A cluster whose training data have not changed keeps its weights, byte for byte. The
          others are trained again. The training data of a cluster are its rows, in their order, and
          their labels in it. So keep the order of the rows, and append new ones.

        Everything else is that of the first fit: the tree, the length by which rows are divided,
        and the steps in front of the classifier in a pipeline. With time, a tree that was made for
        other labels becomes worse, so fit again if the labels have changed much.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Current rows, with the columns of the fit.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Targets of all current rows, in the format of the fit. An indicator may have more
            columns than before, but not fewer; a data frame is matched by the names of its columns.
        sample_weight : array-like of shape (n_samples,), default=None
            As in `fit`; the weights of earlier calls are not remembered.
        relevance : {array-like, sparse matrix} of shape (n_samples, n_labels), default=None
            As in `fit`.
        upper_levels : {"retrain", "keep"}, default="retrain"
            Training of clusters of clusters whose rows have changed. With "retrain", they are
            trained again: the model is then equal to that of `fit` with the new tree as
            `label_tree`, the same `random_state` and the same scale of the rows. With "keep", they
            are trained again only if they have other children. This is faster, but they do not
            learn from the new rows. Clusters of labels whose rows have changed are always trained.

        Returns
        -------
        self : XRLinearClassifier
            The updated classifier.

        Raises
        ------
        ValueError
            If `X` or `y` is invalid or has another format than in the fit; more than a fifth of the
            labels of the model do not occur in `y`; a parameter of the classifier is invalid; the
            classifier has a custom matcher or ranker; it was saved by an earlier version; or
            ``upper_levels="keep"``, but parameters of the training have been changed. The model
            remains as it was.

        See Also
        --------
        forget : Remove rows and labels, so that no weight depends on them.

        Examples
        --------
        >>> import numpy as np
        >>> from skxmr import XRLinearClassifier
        >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.1, 0.9], [0.0, 1.0]])
        >>> model = XRLinearClassifier(random_state=0)
        >>> model = model.fit(X[:3], [["red"], ["red"], ["blue"]])
        >>> model = model.update(X, [["red"], ["red"], ["blue"], ["green"]])
        >>> model.classes_
        array(['blue', 'green', 'red'], dtype=object)
        >>> model.predict_topk([[0.0, 1.0]], k=1)[0]
        array([[1]], dtype=int32)
        """
        if upper_levels not in ("retrain", "keep"):
            raise ValueError(f"upper_levels must be 'retrain' or 'keep'; got {upper_levels!r}.")
        self._check_updatable()
        fit_data = validate_update_data(self, X, y)
        sources = self._match_labels(fit_data.targets)
        self._check_remaining(
            fit_data.targets,
            sources,
            "X and y must be all current rows, not only new ones. To remove so many labels, name "
            "them in forget(X, y, labels=...)",
        )
        self._train_changes(X, y, fit_data, sources, sample_weight, relevance, upper_levels)
        return self

    def forget(self, X, y, *, labels=None, sample_weight=None, relevance=None):
        """Remove rows and labels, so that no weight of the model depends on them.

        This is `update` for removals: the model is afterwards equal to that of `fit` without the
        removed rows and labels, with the new tree as `label_tree`, the same `random_state` and the
        same scale of the rows. The shape of the tree, the length by which rows are divided, and the
        steps in front of the classifier in a pipeline, such as the vocabulary and the document
        frequencies of a vectorizer, were computed with the removed rows. If even these must not
        depend on them, fit again.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows that remain, in their order.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Their targets, in the format of the fit, with labels of the model only.
        labels : array-like of labels, default=None
            Entries of `classes_` to remove. They may still occur in `y`, except for one class per
            row: leave out the rows of removed classes. None removes the labels that no longer occur
            in `y`, but at most a fifth of all labels. If `y` is an indicator, the columns of
            removed labels stay, without rows.
        sample_weight : array-like of shape (n_samples,), default=None
            As in `fit`.
        relevance : {array-like, sparse matrix} of shape (n_samples, n_labels), default=None
            As in `fit`.

        Returns
        -------
        self : XRLinearClassifier
            The classifier.

        Raises
        ------
        ValueError
            As for `update`; also if `y` or `labels` contains a label that the model does not have,
            `labels` contains a label twice, or no row with a label would remain.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(random_state=0).fit(X, Y)
        >>> model.forget(X[:400], Y[:400], labels=[7]).predict_topk(X, k=100)[0].shape
        (500, 100)
        """
        self._check_updatable()
        fit_data = validate_update_data(self, X, y)
        targets = fit_data.targets
        sources = self._match_labels(targets)
        unknown = np.flatnonzero(sources < 0)
        if len(unknown):
            raise ValueError(
                f"y must contain only labels of the model, because forget adds none; got "
                f"{len(unknown)} others: {_show(targets.classes[unknown])}."
            )
        removed = self.classes_[:0]
        if labels is not None:
            removed = self.classes_[read_labels(labels, self.classes_, "labels")]
            fit_data = fit_data._replace(targets=_drop_labels(targets, removed))
            sources = self._match_labels(fit_data.targets)
        self._check_remaining(
            fit_data.targets,
            sources,
            "X and y must be the rows that remain, not those to forget. To remove so many labels, "
            "name them in the argument labels",
            removed,
        )
        self._train_changes(X, y, fit_data, sources, sample_weight, relevance, "retrain")
        return self

    def _check_updatable(self):
        check_is_fitted(self)
        self._validate_params()
        for tree in self._model.models:
            tree.check_linear("update")
            if tree.seed is None:
                raise ValueError(
                    "update needs the seed of the fit; got a model without it, which was made by "
                    "from_weights or saved by an earlier version of skxmr. Fit again."
                )

    def _match_labels(self, targets):
        # Column of each label in the model, or -1.
        is_indicator = targets.kind in INDICATORS
        if FORMATS[targets.kind] != FORMATS[self._target_kind]:
            raise ValueError(
                f"y must have the format of the fit, {FORMATS[self._target_kind]}; got "
                f"{FORMATS[targets.kind]}."
            )
        has_numbers = is_indicator and np.array_equal(self.classes_, np.arange(len(self.classes_)))
        if has_numbers and len(targets.classes) < len(self.classes_):
            raise ValueError(
                f"y must have at least {len(self.classes_)} columns, one per label of the model; "
                f"got {len(targets.classes)}. The columns of removed labels stay, without rows."
            )
        column_of = {label: column for column, label in enumerate(self.classes_.tolist())}
        sources = np.array([column_of.get(label, -1) for label in targets.classes.tolist()])
        if np.all(sources < 0):
            raise ValueError(
                f"y must contain labels of the model, such as {_show(self.classes_)}; got only "
                f"others: {_show(targets.classes)}."
            )
        return sources

    def _check_remaining(self, targets, sources, advice, removed=()):
        # Refuse data without most of the labels: they are probably a part of the rows only.
        was_trained = np.zeros(len(self.classes_), dtype=bool)
        for level in (tree.ranker.level.arrays for tree in self._model.models):
            was_trained[level["child_ids"]] = level["intercepts"] != UNTRAINED_INTERCEPT
        remains = np.zeros(len(self.classes_), dtype=bool)
        has_rows = np.bincount(targets.indicator.indices, minlength=len(sources)) > 0
        remains[sources[(sources >= 0) & has_rows]] = True
        lost = np.flatnonzero(was_trained & ~remains & ~np.isin(self.classes_, removed))
        if len(lost) > max(MIN_LOST, MAX_LOST_FRACTION * was_trained.sum()):
            raise ValueError(
                f"y must contain most of the labels of the model; {len(lost):,} of "
                f"{was_trained.sum():,} do not occur in y: {_show(self.classes_[lost])}. {advice}."
            )

    def _train_changes(self, X, y, fit_data, sources, sample_weight, relevance, upper_levels):
        models = self._model.models
        self._check_combination(fit_data.targets.kind, sample_weight, relevance)
        data = prepare_training(self, fit_data, sample_weight, relevance, self._row_length)
        if upper_levels == "keep" and any(tree.key != data.options.solver.key for tree in models):
            raise ValueError(
                "upper_levels must be 'retrain' if parameters of the training, or the version of "
                "skxmr, have changed since the fit; got 'keep'."
            )
        limits = find_tree_limits(self, len(models))

        def train(checkpoint, progress):
            if checkpoint is not None:
                checkpoint.begin(0, *_identify_update(models, data, sources, limits, upper_levels))
            features = LabelVectors(data.rows, data.Y, data.options.row_weights, self.n_jobs)
            trees = []
            for number, (model, tree_limits) in enumerate(zip(models, limits, strict=True), 1):
                with progress.stage("tree") as stage:
                    grown = grow_hierarchy(
                        model.hierarchy, sources, features, tree_limits, model.seed
                    )
                    stage.result = f"{np.count_nonzero(sources < 0):,} new labels"
                unchanged = grown.unchanged_parents if upper_levels == "keep" else None
                store = checkpoint.weight_store(number) if checkpoint else None
                with progress.tree(number, len(models), grown.hierarchy.n_levels):
                    tree = train_tree(
                        data.rows,
                        data.Y,
                        grown.hierarchy,
                        model.seed,
                        data.options,
                        store,
                        progress,
                        PreviousTree(model, unchanged),
                    )
                trees.append(tree)
            return trees

        run_training(self, X, y, data, train, self._codec_registry(), _find_saved_folders(models))


def _show(labels):
    shown = ", ".join(repr(plain_value(label)) for label in labels[:N_SHOWN])
    return shown + f" and {len(labels) - N_SHOWN:,} more" * (len(labels) > N_SHOWN)


def _drop_labels(targets, removed):
    # `Targets` without some labels. The columns of an indicator stay.
    Y, classes = targets.indicator, targets.classes
    is_kept = ~np.isin(classes, removed)
    if targets.kind == "classes":
        if not is_kept.all():
            raise ValueError(
                "y must not contain the classes that are removed; got "
                f"{_show(classes[~is_kept])}. Leave out their rows."
            )
        return targets
    if not np.any(is_kept[Y.indices]):
        raise ValueError("labels must leave at least one label that occurs in y; got all of them.")
    if targets.kind == "names":
        return targets._replace(indicator=Y[:, is_kept], classes=classes[is_kept])
    Y = Y.copy()
    Y.data[~is_kept[Y.indices]] = 0
    Y.eliminate_zeros()
    return targets._replace(indicator=Y)


def _identify_update(models, data, sources, limits, upper_levels):
    # Everything that the result of an update depends on, for `FitCheckpoint.begin`. The numbers of
    # weights show whether a model was pruned.
    earlier = [
        (
            model.hierarchy,
            model.seed,
            [level.arrays["fingerprints"] for level in model.levels],
            [len(level.arrays["entry_weights"]) for level in model.levels],
        )
        for model in models
    ]
    options = data.options._replace(n_jobs=None)
    targets = data.Y.shape, data.Y.indptr, data.Y.indices
    return "update", earlier, data.rows, targets, sources, limits, upper_levels, options


def _find_saved_folders(models):
    files = {
        find_mapped_file(array)
        for model in models
        for level in model.levels
        for array in level.arrays.values()
    }
    return {file.parent for file in files - {None}}
