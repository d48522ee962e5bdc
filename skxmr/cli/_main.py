"""The parser of all commands, and the function that runs one."""

import argparse
import re
import sys
import warnings

from skxmr._core.version import __version__
from skxmr.cli import _evaluate, _info, _predict, _serve, _suggest, _train

DESCRIPTION = """\
Suggest labels for texts: train a model on a file, use it, and serve it.

  skxmr train articles.csv model/ --text title --text abstract --labels tags --separator ";"
  skxmr suggest model/ "a text"

Data files:
- CSV and TSV with a header, JSON lines, and Parquet, with texts and the names of their labels;
- the text format of the Extreme Classification Repository (xmc), with features and numbers of
  labels.
Each may be compressed with gzip (.gz), bzip2 (.bz2) or xz (.xz).
"""
COMMANDS = {
    "train": (_train, "train a model on a file and save it to a folder"),
    "suggest": (_suggest, "print the best labels of a text"),
    "predict": (_predict, "print the best labels of each row of a file, as CSV"),
    "evaluate": (_evaluate, "print P@k, R@k, nDCG@k and PSP@k on a file"),
    "info": (_info, "print the labels, the steps and the parameters of a model"),
    "serve": (_serve, "answer requests over HTTP, and show a page to try the model"),
}


def make_parser():
    """Return the argument parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="skxmr",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skxmr {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        module.add_arguments(command)
        command.set_defaults(parser=command)
        # The full usage of `train` has twenty lines, which would hide an error message after it.
        positional = [a.dest for a in command._actions if not a.option_strings]
        command.usage = " ".join([f"skxmr {name}", *map(str.upper, positional), "[OPTIONS]"])
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
    options = make_parser().parse_args(arguments)
    command = f"skxmr {options.command}"

    def print_warning(message, *_args, **_kwargs):
        print(f"{command}: warning: {_name_options(message)}", file=sys.stderr)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = print_warning
            COMMANDS[options.command][0].run(options.parser, options)
    except KeyboardInterrupt:
        print(f"{command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has ended, as in ``| head``
        sys.stderr.close()
        return 1
    except (OSError, ValueError, ImportError, MemoryError, RuntimeError) as error:
        print(f"{command}: error: {_name_options(error)}", file=sys.stderr)
        return 1
    return 0


def _name_options(message):
    # Messages of functions of Python name their parameters.
    return re.sub(r"\b([Ss]et) (separator|delimiter|format) to", r"\1 --\2 to", str(message))
