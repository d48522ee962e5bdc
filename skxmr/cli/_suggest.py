"""The command ``suggest``."""

from skxmr.cli._saved_models import add_model_options, load_saved_model
from skxmr.cli._suggestion_options import add_suggestion_options, make_suggestion_function


def add_arguments(parser):
    """Add the arguments of the command."""
    add_model_options(parser)
    parser.add_argument("text", nargs="+", help="text; put it in quotes")
    add_suggestion_options(parser)


def run(parser, options):
    """Print the best labels of each text, with their scores."""
    model = load_saved_model(parser, options)
    if not model.takes_texts:
        raise ValueError(
            f"{options.model} must be a model of texts; it takes features. Use 'skxmr predict' "
            "with a file in the format xmc."
        )
    suggestions = make_suggestion_function(parser, options)(model.estimator, options.text)
    for text, pairs in zip(options.text, suggestions, strict=True):
        if len(options.text) > 1:
            print(f"{text}:")
        for name, score in pairs:
            print(f"{score:.3f}  {name}")
