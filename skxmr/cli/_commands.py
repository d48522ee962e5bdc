"""The commands ``train``, ``predict`` and ``evaluate``."""

import argparse
import sys
import warnings
from typing import NamedTuple

import numpy as np

from skxmr._core.array_folder import check_destination
from skxmr._core.model_folder import FORMAT
from skxmr._core.version import __version__
from skxmr.cli._data_files import DataFormat, read_training_file
from skxmr.indexing import HierarchicalLabelTree
from skxmr.metrics import (
    MIN_PROPENSITY_ROWS,
    label_propensities,
    ndcg_at_k,
    precision_at_k,
    psprecision_at_k,
)
from skxmr.persistence import load_extras, load_model, save_model
from skxmr.xr_linear import PRESET_NAMES, XRLinearClassifier, preset

DESCRIPTION = """\
Train and use extreme multilabel classifiers on data files.

Two file formats are supported:
- The text format of the Extreme Classification Repository: a first line
  "n_rows n_features n_labels", then one line per row, "label,label feature:value ...".
- Texts, one line per row: the text, a tab, and labels separated by commas. The file has no header
  and no quotes. Texts are converted to TF-IDF vectors; the vectorizer is saved with the model.
"""

# Parameters of XRLinearClassifier that are available as options, and their types.
PARAMETERS = {
    "branching_factor": int,
    "max_leaf_size": int,
    "negatives": str,
    "loss": str,
    "C": float,
    "positive_weight": float,
    "relevance_norm": str,
    "tol": float,
    "max_iter": int,
    "weight_threshold": float,
    "weight_dtype": str,
    "n_trees": int,
    "beam_width": int,
    "score_transform": str,
    "n_jobs": int,
    "random_state": int,
}


class SavedModel(NamedTuple):
    """A model that the command ``train`` saved.

    Attributes
    ----------
    classifier : XRLinearClassifier
        Fitted classifier, memory-mapped.
    data_format : DataFormat
        Format of the data files that the model takes.
    propensities : ndarray of shape (n_labels,) or None
        Propensities of the labels in the training file; None if it had too few rows.
    """

    classifier: XRLinearClassifier
    data_format: DataFormat
    propensities: np.ndarray | None


def make_parser():
    """Make the argument parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m skxmr",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skxmr {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a model on a file and save it to a folder")
    train.add_argument("data", help="training file")
    train.add_argument("model", help="folder to write; an existing model is replaced")
    train.add_argument(
        "--preset", choices=PRESET_NAMES, help="set of parameters; options below override it"
    )
    train.add_argument(
        "--normalize",
        action="store_true",
        help="scale each row of the repository format to unit length, which usually ranks better; "
        "texts always have unit length",
    )
    train.add_argument(
        "--estimate",
        action="store_true",
        help="print the estimated memory and time of the fit and exit",
    )
    train.add_argument(
        "--verbose",
        type=int,
        default=1,
        help="0: no output, 1: one line per step, 2: progress bar (default: 1)",
    )
    defaults = XRLinearClassifier().get_params()
    # The classifier's default None means the default of the label tree.
    tree = HierarchicalLabelTree()
    defaults |= {name: getattr(tree, name) for name in ("branching_factor", "max_leaf_size")}
    options = train.add_argument_group(
        "parameters of XRLinearClassifier", "see the documentation of XRLinearClassifier"
    )
    for name, kind in PARAMETERS.items():
        options.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            type=kind,
            metavar="VALUE",
            help=f"default: {defaults[name]}",
        )

    predict = commands.add_parser("predict", help="print the top labels of each row of a file")
    evaluate = commands.add_parser("evaluate", help="print P@k, nDCG@k and PSP@k on a file")
    for command in (predict, evaluate):
        command.add_argument("model", help="folder that the command train wrote")
        command.add_argument(
            "data",
            help="file in the format of the training file, or - to read texts from standard input"
            + ("; labels are optional" if command is predict else ""),
        )
        command.add_argument(
            "--beam-width", type=int, metavar="VALUE", help="default: value of the model"
        )
        command.add_argument(
            "--n-jobs",
            type=int,
            metavar="VALUE",
            help="number of threads (default: value of the model)",
        )
    predict.add_argument(
        "-k", type=_positive_integer, default=5, help="number of labels per row (default: 5)"
    )
    evaluate.add_argument(
        "-k",
        type=_positive_integer,
        nargs="+",
        default=[1, 3, 5],
        help="values of k at which to evaluate (default: 1 3 5)",
    )
    return parser


def main(arguments=None):
    """Run a command.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command-line arguments. If None, the arguments of the process.

    Returns
    -------
    status : int
        Exit status: 0 for success, 1 for an error in a file or its data, 130 if the user
        interrupted the command. Invalid arguments exit with status 2.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    command = f"python -m skxmr {options.command}"

    def print_warning(message, *_args, **_kwargs):
        print(f"{command}: warning: {message}", file=sys.stderr)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = print_warning
            COMMANDS[options.command](parser, options)
    except KeyboardInterrupt:
        print(f"{command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has ended, as in ``| head``
        sys.stderr.close()
        return 1
    except (OSError, ValueError, MemoryError) as error:
        print(f"{command}: error: {error}", file=sys.stderr)
        return 1
    return 0


def train(parser, options):
    """Train a model, and save it with the data format and the propensities."""
    parameters = preset(options.preset) if options.preset else {}
    given = {name: getattr(options, name) for name in PARAMETERS}
    parameters |= {name: value for name, value in given.items() if value is not None}
    model = XRLinearClassifier(**parameters, verbose=options.verbose)
    _check_parameters(parser, model)
    check_destination(options.model, FORMAT)  # fail before training, not after
    X, Y, data_format = read_training_file(options.data, options.normalize)
    if options.estimate:
        estimate = model.estimate_costs(X, Y)
        print(f"memory: {estimate.memory}\ntime: {estimate.time}")
        return
    model.fit(X, Y).set_params(verbose=0)
    extras = {"preparation": data_format._asdict()}
    if Y.shape[0] >= MIN_PROPENSITY_ROWS:
        extras["propensities"] = label_propensities(Y)
    save_model(model, options.model, extras={"command_line": extras})
    print(
        f"saved {options.model}: trained on {X.shape[0]:,} rows, {X.shape[1]:,} features, "
        f"{Y.shape[1]:,} labels",
        file=sys.stderr,
    )


def predict(parser, options):
    """Print the top labels of each row, one line per row: "label:score", separated by tabs."""
    model = _load_saved_model(parser, options)
    X = model.data_format.read(options.data).X
    names = model.data_format.names
    if names is None:
        names = model.classifier.classes_
    for labels, scores in zip(*model.classifier.predict_topk(X, k=options.k), strict=True):
        pairs = zip(labels, scores, strict=True)
        print("\t".join(f"{names[label]}:{score:.6g}" for label, score in pairs if label >= 0))


def evaluate(parser, options):
    """Print the metrics of the Extreme Classification Repository, in percent."""
    model = _load_saved_model(parser, options)
    X, Y, n_unknown = model.data_format.read(options.data, require_labels=True)
    if n_unknown:
        print(
            f"ignored {n_unknown:,} labels that are not in the training file; metrics are computed "
            "without them",
            file=sys.stderr,
        )
    n_labels = len(model.classifier.classes_)
    if Y.shape[1] != n_labels:
        raise ValueError(
            f"{options.data} must have {n_labels} labels, as the model; got {Y.shape[1]}."
        )
    ranking = model.classifier.predict_topk(X, k=max(options.k))
    has_propensities = model.propensities is not None
    print("k\tP@k\tnDCG@k" + ("\tPSP@k" if has_propensities else ""))
    for k in sorted(set(options.k)):
        values = [precision_at_k(Y, ranking, k=k), ndcg_at_k(Y, ranking, k=k)]
        if has_propensities:
            values.append(psprecision_at_k(Y, ranking, k=k, propensities=model.propensities))
        print("\t".join([str(k), *(f"{100 * value:.2f}" for value in values)]))


COMMANDS = {"train": train, "predict": predict, "evaluate": evaluate}


def _load_saved_model(parser, options):
    classifier = load_model(options.model, mmap_mode="r")
    extras = load_extras(options.model).get("command_line")
    if extras is None or not isinstance(classifier, XRLinearClassifier):
        raise ValueError(
            f"{options.model} must be a model that 'python -m skxmr train' wrote; it was written "
            "by other code."
        )
    given = {name: getattr(options, name) for name in ("beam_width", "n_jobs")}
    classifier.set_params(**{name: value for name, value in given.items() if value is not None})
    _check_parameters(parser, classifier)
    return SavedModel(classifier, DataFormat(**extras["preparation"]), extras.get("propensities"))


def _check_parameters(parser, model):
    try:
        model._validate_params()
        model._score_params()
    except ValueError as error:
        parser.error(str(error))


def _positive_integer(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer; got {text}")
    return int(text)
