"""Steps that `fit` and `update` share: prepare the training data, and set the fitted attributes."""

from typing import NamedTuple

import scipy.sparse as sp

from skxmr._core.callbacks import report_progress
from skxmr._core.row_length import mean_row_length, warn_about_other_lengths
from skxmr._core.rows import TrainingRows, canonical_rows, in_float32
from skxmr._core.signals import DeferredSignals
from skxmr._core.validation import FitData, drop_zero_weight_rows, set_input_attributes
from skxmr._linear import check_convergence, check_weights
from skxmr._linear.relevance import check_relevance
from skxmr.matching import check_negatives
from skxmr.xr_linear._checkpoint import FitCheckpoint
from skxmr.xr_linear._ensemble import TreeEnsemble
from skxmr.xr_linear._path_weight import choose_path_weight
from skxmr.xr_linear._tree_training import TrainingOptions, make_training_options


class TrainingData(NamedTuple):
    """Validated data of a fit, without rows of weight 0.

    Attributes
    ----------
    fit_data : FitData
        Data with all rows.
    rows : TrainingRows
        Rows, divided by `row_length`.
    Y : csr_array of shape (n_samples, n_labels)
        Canonical indicator.
    options : TrainingOptions
        Options, with the weights of the rows.
    row_length : float
        Length of the training rows; see `row_length`.
    """

    fit_data: FitData
    rows: TrainingRows
    Y: sp.csr_array
    options: TrainingOptions
    row_length: float


def prepare_training(classifier, fit_data, sample_weight, relevance, row_length=None):
    """Return the `TrainingData` of a classifier.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Classifier whose parameters are used; not modified.
    fit_data : FitData
        Validated data.
    sample_weight, relevance : object
        Arguments of `fit`.
    row_length : float or None
        Length by which the rows are divided; None measures it.

    Raises
    ------
    ValueError
        If `sample_weight`, `relevance` or the parameter `negatives` is invalid.
    """
    Y = fit_data.targets.indicator
    negatives = check_negatives(classifier.negatives, Y.shape)
    X, Y, relevance, negatives, row_weights = drop_zero_weight_rows(
        sample_weight, fit_data.X, Y, relevance, negatives
    )
    if relevance is not None or classifier.relevance_norm is not None:
        relevance = check_relevance(relevance, Y)
    rows = canonical_rows(X)
    if row_length is None:
        row_length = mean_row_length(rows, row_weights)
    else:
        warn_about_other_lengths(rows, row_length)
    rows = in_float32(rows, length=row_length).to_training_rows()
    options = make_training_options(
        classifier, classifier._score_params(), negatives, relevance, row_weights
    )
    return TrainingData(fit_data, rows, Y, options, row_length)


def run_training(classifier, X, y, data, train, registry, shared_folders=()):
    """Train trees, and set the fitted attributes when all have been trained.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Classifier; only modified at the end.
    X, y : object
        Arguments of `fit`, for callbacks.
    data : TrainingData
        Training data.
    train : callable
        Function of the arguments `checkpoint` and `progress` that returns a list of TreeModel.
    registry : CodecRegistry
        Classes that can be saved.
    shared_folders : collection of Path
        Folders of saved models whose unchanged files a model in `model_dir` shares.
    """
    _, targets, input_attributes = data.fit_data

    def run(checkpoint=None):
        with report_progress(classifier, X, y) as progress:
            trees = train(checkpoint=checkpoint, progress=progress)
            model = trees[0] if len(trees) == 1 else TreeEnsemble(trees)
            path_weight = 1.0
            if classifier.matcher is None and classifier.ranker is None:
                hierarchies = [tree.hierarchy for tree in trees]
                path_weight = choose_path_weight(data.Y, data.options.row_weights, hierarchies)
            fitted = input_attributes | {
                "classes_": targets.classes,
                "hierarchy_": trees[0].hierarchy,
                "n_samples_fit_": data.fit_data.X.shape[0],
                "n_iter_": max((level.n_iter for level in model.levels), default=0),
                "path_weight_": path_weight,
                "_target_kind": targets.kind,
                "_target_dtype": targets.dtype,
                "_row_length": data.row_length,
                "_model": model,
            }
            check_convergence(model.levels, classifier.max_iter)
            if len(data.rows.data) or data.rows.dense.any():
                check_weights(model.levels, classifier.weight_threshold)
            if checkpoint is not None:
                del trees, model
                fitted = checkpoint.finish(classifier, fitted, shared_folders)
            with DeferredSignals():  # an interrupted fit keeps the attributes of the last one
                set_input_attributes(classifier, input_attributes)
                vars(classifier).update(fitted)

    if classifier.model_dir is None:
        run()
    else:
        FitCheckpoint(classifier.model_dir, registry).run(run)
