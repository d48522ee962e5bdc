"""Options for the parameters of the classifier and of the vectorizer."""

import argparse
import importlib
import re

import numpy as np
import scipy.sparse as sp

from skxmr.indexing import HierarchicalLabelTree
from skxmr.pipeline import make_text_classifier
from skxmr.xr_linear import PRESET_NAMES, XRLinearClassifier
from skxmr.xr_linear import preset as read_preset

CONSTANTS = {"none": None, "true": True, "false": False}
# Parameters whose value is an object of Python.
OBJECTS = {
    "label_tree": "MODULE:NAME of a tree in Python",
    "label_features": "'pifa', 'pii', 'spectral', a file of a matrix (.npy, .npz), or MODULE:NAME",
    "matcher": "MODULE:NAME of an estimator in Python",
    "ranker": "MODULE:NAME of an estimator in Python",
    "negatives": "'tfn', 'man', 'tfn+man', 'tfn+random', a file of a matrix, or MODULE:NAME",
}
PATHS = {"memory", "model_dir"}
VECTORIZER_OPTIONS = {
    "analyzer": {"choices": ["word", "char", "char_wb"], "help": "kind of features"},
    "ngram_range": {
        "nargs": 2,
        "type": int,
        "metavar": ("MIN", "MAX"),
        "help": "lengths of the sequences of words or characters",
    },
    "min_df": {"type": int, "help": "minimum number of rows per feature"},
    "max_features": {"type": int, "help": "maximum number of features"},
    "strip_accents": {"choices": ["ascii", "unicode"], "help": "remove accents"},
}


def parse_value(text):
    """Return None, a bool, an int, a float, or the text itself."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def parse_values(text):
    """Return the value of a text, or a tuple of values that are separated by commas."""
    values = tuple(parse_value(part) for part in text.split(","))
    return values if len(values) > 1 else values[0]


def parse_object(text):
    """Return the object MODULE:NAME, the matrix in a file, or the value of any other text."""
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", text):
        module, name = text.split(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise argparse.ArgumentTypeError(f"cannot import {text}: {error}") from None
    try:
        if text.endswith(".npz"):
            return sp.load_npz(text)
        if text.endswith(".npy"):
            return np.load(text, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {text}: {error}") from None
    return parse_value(text)


def add_classifier_options(parser):
    """Add an option for each parameter of `XRLinearClassifier`, and some of the vectorizer.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command ``train``.
    """
    parser.add_argument(
        "--preset",
        choices=["default", *PRESET_NAMES],
        default="default",
        help="parameters of the classifier; options below override them (default: default)",
    )
    defaults = XRLinearClassifier().get_params()
    # The classifier's default None means the default of the label tree.
    tree = HierarchicalLabelTree()
    defaults |= {name: getattr(tree, name) for name in ("branching_factor", "max_leaf_size")}
    group = parser.add_argument_group(
        "parameters of XRLinearClassifier",
        "The documentation of XRLinearClassifier describes them. Write 'none' for None. Separate "
        "the items of a tuple with commas.",
    )
    for name in XRLinearClassifier._get_param_names():
        if name == "verbose":
            continue
        kind = parse_object if name in OBJECTS else str if name in PATHS else parse_values
        default = str(defaults[name]).lower() if defaults[name] is None else defaults[name]
        described = f"{OBJECTS[name]} " if name in OBJECTS else ""
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"classifier__{name}",
            type=kind,
            default=argparse.SUPPRESS,
            metavar="VALUE",
            help=f"{described}(default: {default})",
        )
    group.add_argument(
        "--verbose",
        type=int,
        default=1,
        choices=[0, 1, 2],
        help="0: no progress, 1: one line per step, 2: progress bar (default: 1)",
    )
    group = parser.add_argument_group(
        "parameters of the vectorizer", "only for texts; see skxmr.text.TfidfVectorizer"
    )
    for name, settings in VECTORIZER_OPTIONS.items():
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"vectorizer__{name}",
            default=argparse.SUPPRESS,
            **({"metavar": "VALUE"} if "choices" not in settings else {}) | settings,
        )


def make_classifier(parser, options, is_text):
    """Return the unfitted model that the options describe.

    Parameters
    ----------
    parser : ArgumentParser
        Parser, which reports invalid values.
    options : Namespace
        Parsed options of the command ``train``.
    is_text : bool
        Whether the model takes texts.

    Returns
    -------
    Pipeline or XRLinearClassifier
    """
    given = vars(options)
    parameters = {name: given[name] for name in given if name.startswith("classifier__")}
    words = {name: given[name] for name in given if name.startswith("vectorizer__")}
    if "vectorizer__ngram_range" in words:
        words["vectorizer__ngram_range"] = tuple(words["vectorizer__ngram_range"])
    if words.get("vectorizer__analyzer", "word") != "word":
        words["vectorizer__token_pattern"] = None  # scikit-learn warns about a pattern of words
    parameters = {name.partition("__")[2]: value for name, value in parameters.items()}
    parameters["verbose"] = options.verbose
    if is_text:
        model = make_text_classifier(options.preset, **parameters).set_params(**words)
        classifier = model[-1]
    else:
        if words:
            option = next(iter(words)).partition("__")[2].replace("_", "-")
            parser.error(f"--{option} must not be set for data in the format xmc")
        preset = {} if options.preset == "default" else read_preset(options.preset)
        model = classifier = XRLinearClassifier(**{**preset, **parameters})
    check_parameters(parser, model)
    if classifier is not model:
        check_parameters(parser, classifier)
    return model


def check_parameters(parser, model):
    """Exit with the message of the estimator if a parameter is invalid."""
    steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    try:
        for step in steps:
            if hasattr(step, "_parameter_constraints"):  # a FeatureUnion has none
                step._validate_params()
            if isinstance(step, XRLinearClassifier):
                step._score_params()
    except ValueError as error:
        parser.error(str(error))
