"""Command line arguments that several benchmarks have."""

import argparse
import os
import shutil

import data
from peers import PEERS


def positive(text):
    """Parse an argument: a positive integer."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer; got {text!r}")
    return int(text)


def data_folder(text):
    """Parse an argument: a folder with the files of a data set."""
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"must be a folder; got {text!r}")
    if data.find_files(text) is None:
        files = f"{', '.join(data.NPZ)}, or {' and '.join(data.TXT)}"
        raise argparse.ArgumentTypeError(f"must be a folder with {files}; got {text!r}")
    return text


def interpreter(text):
    """Parse an argument: PEER=PATH."""
    name, equals, path = text.partition("=")
    if not equals or name not in PEERS:
        raise argparse.ArgumentTypeError(
            f"must be PEER=PATH with a peer from {', '.join(PEERS)}; got {text!r}"
        )
    executable = shutil.which(os.path.expanduser(path))
    if executable is None:
        raise argparse.ArgumentTypeError(f"PATH must be an executable interpreter; got {path!r}")
    # A link is not resolved, because its path identifies the virtual environment.
    return name, os.path.abspath(executable)


def output_file(text):
    """Parse an argument: a file in a writable folder."""
    folder = os.path.dirname(os.path.abspath(text))
    if os.path.isdir(text) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"must be a file in a writable folder; got {text!r}")
    return os.path.abspath(text)


def make_parser(doc, output):
    """Return a parser with the common arguments; `output` is the default name of the JSON file."""
    parser = argparse.ArgumentParser(
        description=doc.partition("\n\n")[0],
        epilog="Peers that their interpreter cannot import are reported as not installed.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data",
        type=data_folder,
        metavar="DIR",
        help=f"folder with {', '.join(data.NPZ)} (scipy.sparse), or with {' and '.join(data.TXT)} "
        "in the text format of the Extreme Classification Repository",
    )
    source.add_argument(
        "--generate",
        type=positive,
        nargs=4,
        metavar=tuple(name.upper() for name in data.MIN_SIZES),
        help="generate data of this size with skxmr.datasets.make_extreme_multilabel",
    )
    parser.add_argument(
        "--python",
        type=interpreter,
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter of a peer; may be repeated for other peers (default: this interpreter)",
    )
    parser.add_argument(
        "--no-normalize", action="store_true", help="do not scale rows to an l2 norm of 1"
    )
    parser.add_argument(
        "--output",
        type=output_file,
        default=output,
        metavar="FILE",
        help=f"JSON file to write; an existing file is replaced (default: {output})",
    )
    return parser


def parse(parser, argv=None):
    """Parse the arguments and check the sizes of generated data."""
    args = parser.parse_args(argv)
    if args.generate:
        for size, (name, minimum) in zip(args.generate, data.MIN_SIZES.items(), strict=True):
            if size < minimum:
                parser.error(
                    f"argument --generate: {name.upper()} must be at least {minimum}; got {size}"
                )
    return args
