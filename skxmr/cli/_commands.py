"""The commands ``train``, ``predict`` and ``evaluate``."""

import argparse
import sys

from skxmr._core.array_folder import check_destination
from skxmr._core.model_folder import FORMAT
from skxmr._core.version import __version__
from skxmr.cli._data_files import Preparation, read_training_file
from skxmr.indexing import HierarchicalLabelTree
from skxmr.metrics import label_propensities, ndcg_at_k, precision_at_k, psprecision_at_k
from skxmr.persistence import load_extras, load_model, save_model
from skxmr.xr_linear import PRESET_NAMES, XRLinearClassifier, preset

DESCRIPTION = """\
Extreme multilabel classification from files.

A data file is either in the text format of the Extreme Classification Repository (a first line
"n_rows n_features n_labels", then "label,label feature:value ..."), or has a line a row: the text,
a tab, and labels separated by commas, without a header and without quotes. Texts are made TF-IDF
vectors; how is kept with the model.
"""

# Parameters of XRLinearClassifier that have an option, by type.
PARAMETERS = {
    "branching_factor": int,
    "max_leaf_size": int,
    "negatives": str,
    "loss": str,
    "C": float,
    "positive_weight": float,
    "tol": float,
    "weight_threshold": float,
    "weight_dtype": str,
    "n_trees": int,
    "beam_width": int,
    "score_transform": str,
    "n_jobs": int,
    "random_state": int,
}


def make_parser():
    """Make the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m skxmr",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skxmr {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a model on a file and save it as a folder")
    train.add_argument("data", help="file to train on")
    train.add_argument("model", help="folder to write; a model that is there is replaced")
    train.add_argument("--preset", choices=PRESET_NAMES, help="where to start from")
    train.add_argument(
        "--normalize",
        action="store_true",
        help="scale rows of the repository's format to unit length, as the parameters are meant "
        "for; texts always are",
    )
    train.add_argument(
        "--estimate",
        action="store_true",
        help="print what memory and time the fit would take, and end",
    )
    train.add_argument("--verbose", type=int, default=1, help="0: silent, 1: lines, 2: a bar")
    defaults = XRLinearClassifier().get_params()
    tree = HierarchicalLabelTree()  # what None of the classifier's own stands for
    defaults |= {name: getattr(tree, name) for name in ("branching_factor", "max_leaf_size")}
    options = train.add_argument_group(
        "parameters of XRLinearClassifier", "as its documentation explains them"
    )
    for name, kind in PARAMETERS.items():
        options.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            type=kind,
            metavar="VALUE",
            help=f"default: {defaults[name]}",
        )

    predict = commands.add_parser("predict", help="print the best labels of each row of a file")
    evaluate = commands.add_parser("evaluate", help="print P@k, nDCG@k and PSP@k on a file")
    for command in (predict, evaluate):
        command.add_argument("model", help="folder that train wrote")
        command.add_argument(
            "data",
            help="file of the kind that the model was trained on, or - for texts from standard "
            "input" + ("; labels may be left out" if command is predict else ""),
        )
        command.add_argument("--beam-width", type=int, metavar="VALUE", help="if not the model's")
        command.add_argument("--n-jobs", type=int, metavar="VALUE", help="threads")
    predict.add_argument("-k", type=_positive, default=5, help="labels a row (default: 5)")
    evaluate.add_argument(
        "-k", type=_positive, nargs="+", default=[1, 3, 5], help="places (default: 1 3 5)"
    )
    return parser


def main(arguments=None):
    """Run a command.

    Parameters
    ----------
    arguments : list of str or None, default=None
        None takes those of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 if a file or its data are at fault. Wrong use exits with 2.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        COMMANDS[options.command](parser, options)
    except BrokenPipeError:  # as of ``| head``
        sys.stderr.close()
        return 1
    except (OSError, ValueError, MemoryError) as error:
        print(f"python -m skxmr {options.command}: error: {error}", file=sys.stderr)
        return 1
    return 0


def train(parser, options):
    """Train a model and save it with what its data need."""
    parameters = preset(options.preset) if options.preset else {}
    chosen = {name: getattr(options, name) for name in PARAMETERS}
    parameters |= {name: value for name, value in chosen.items() if value is not None}
    model = XRLinearClassifier(**parameters, verbose=options.verbose)
    _check_parameters(parser, model)
    check_destination(options.model, FORMAT)  # before it is trained
    X, Y, preparation = read_training_file(options.data, options.normalize)
    if options.estimate:
        estimate = model.estimate_costs(X, Y)
        print(f"memory: {estimate.memory}\ntime: {estimate.time}")
        return
    model.fit(X, Y).set_params(verbose=0)
    extras = {"preparation": preparation._asdict()}
    if Y.shape[0] >= 3:
        extras["propensities"] = label_propensities(Y)
    save_model(model, options.model, extras={"command_line": extras})
    print(
        f"{options.model}: {X.shape[0]:,} rows, {X.shape[1]:,} features, {Y.shape[1]:,} labels",
        file=sys.stderr,
    )


def predict(parser, options):
    """Print the best labels of each row."""
    model, preparation, _ = _load(parser, options)
    X, _, _ = preparation.read(options.data)
    names = preparation.names if preparation.names is not None else model.classes_
    for labels, scores in zip(*model.predict_topk(X, k=options.k), strict=True):
        found = (f"{names[i]}:{s:.6g}" for i, s in zip(labels, scores, strict=True) if i >= 0)
        print("\t".join(found))


def evaluate(parser, options):
    """Print the metrics of the repository, in percent."""
    model, preparation, propensities = _load(parser, options)
    X, Y, n_unknown = preparation.read(options.data, labels_needed=True)
    if n_unknown:
        print(f"left out: {n_unknown:,} labels that the model does not know", file=sys.stderr)
    if Y.shape[1] != len(model.classes_):
        raise ValueError(
            f"{options.data} has {Y.shape[1]} labels, the model {len(model.classes_)}; they must "
            "be the same."
        )
    ranking = model.predict_topk(X, k=max(options.k))
    print("k\tP@k\tnDCG@k" + ("\tPSP@k" if propensities is not None else ""))
    for k in sorted(set(options.k)):
        values = [precision_at_k(Y, ranking, k=k), ndcg_at_k(Y, ranking, k=k)]
        if propensities is not None:
            values.append(psprecision_at_k(Y, ranking, k=k, propensities=propensities))
        print("\t".join([str(k), *(f"{100 * value:.2f}" for value in values)]))


COMMANDS = {"train": train, "predict": predict, "evaluate": evaluate}


def _load(parser, options):
    model = load_model(options.model, mmap_mode="r")
    extras = load_extras(options.model).get("command_line")
    if extras is None or not isinstance(model, XRLinearClassifier):
        raise ValueError(f"{options.model} was not written by 'python -m skxmr train'.")
    given = {name: getattr(options, name) for name in ("beam_width", "n_jobs")}
    model.set_params(**{name: value for name, value in given.items() if value is not None})
    _check_parameters(parser, model)
    return model, Preparation(**extras["preparation"]), extras.get("propensities")


def _check_parameters(parser, model):
    try:
        model._validate_params()
        model._scoring()
    except ValueError as error:
        parser.error(str(error))


def _positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text}")
    return int(text)
