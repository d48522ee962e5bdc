"""The command ``info``."""

from sklearn.base import clone

from skxmr._core.array_folder import read_header
from skxmr._core.model_folder import FORMAT
from skxmr.cli._saved_models import describe_size, load_saved_model

N_EXAMPLES = 5


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("model", help="folder of a model: from 'skxmr train' or save_model")
    parser.set_defaults(beam_width=None, n_jobs=None)


def run(parser, options):
    """Print the labels, the steps and the parameters of a model."""
    model = load_saved_model(parser, options)
    classes = model.estimator.classes_
    print(f"folder: {options.model}, {describe_size(options.model)}")
    print(f"written by: skxmr {read_header(options.model, FORMAT)['skxmr_version']}")
    examples = ", ".join(str(name) for name in classes[:N_EXAMPLES])
    print(f"labels: {len(classes):,} ({examples}{', ...' * (len(classes) > N_EXAMPLES)})")
    print(f"rows: {'texts' if model.takes_texts else 'features'}")
    if model.columns is not None:
        for name, value in model.columns._asdict().items():
            if value is not None:
                print(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    print(f"model: {clone(model.estimator)!r}")
