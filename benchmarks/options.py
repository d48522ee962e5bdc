"""Arguments of the command line that the benchmarks share."""

import argparse
import os
import shutil

import data
from peers import PEERS


def positive(text):
    """Type of an argument: an integer from 1 up."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer from 1 up; got {text!r}")
    return int(text)


def data_folder(text):
    """Type of an argument: a folder that holds the files of a data set."""
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"must be a folder; {text!r} is none")
    if data.find_files(text) is None:
        wanted = f"{', '.join(data.NPZ)}, or {' and '.join(data.TXT)}"
        raise argparse.ArgumentTypeError(f"the folder must hold {wanted}; {text!r} does not")
    return text


def interpreter(text):
    """Type of an argument: PEER=PATH."""
    name, equals, path = text.partition("=")
    if not equals or name not in PEERS:
        raise argparse.ArgumentTypeError(
            f"must be PEER=PATH with a peer out of {', '.join(PEERS)}; got {text!r}"
        )
    found = shutil.which(os.path.expanduser(path))
    if found is None:
        raise argparse.ArgumentTypeError(f"PATH must be an interpreter; {path!r} cannot be run")
    return name, os.path.abspath(found)  # a link is not followed: it makes the environment


def output_file(text):
    """Type of an argument: a file that can be written."""
    folder = os.path.dirname(os.path.abspath(text))
    if os.path.isdir(text) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"must be a file in a folder to write to; got {text!r}")
    return os.path.abspath(text)


def make_parser(doc, output):
    """Return a parser with the shared arguments; `output` is the name of the JSON file."""
    parser = argparse.ArgumentParser(
        description=doc.partition("\n\n")[0],
        epilog="Peers that cannot be imported by their interpreter are listed as not installed.",
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
        metavar=tuple(name.upper() for name in data.SMALLEST),
        help="make data of this size with skxmr.datasets.make_extreme_multilabel",
    )
    parser.add_argument(
        "--python",
        type=interpreter,
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter of a peer; may be given once a peer (default: the one that runs this)",
    )
    parser.add_argument(
        "--no-normalize", action="store_true", help="leave rows as they are, not of unit l2 norm"
    )
    parser.add_argument(
        "--output",
        type=output_file,
        default=output,
        metavar="FILE",
        help=f"JSON file to write, replaced if there is one (default: {output})",
    )
    return parser


def parse(parser, argv=None):
    """Parse, and check the sizes of data to generate."""
    args = parser.parse_args(argv)
    if args.generate:
        for size, (name, smallest) in zip(args.generate, data.SMALLEST.items(), strict=True):
            if size < smallest:
                parser.error(
                    f"argument --generate: {name.upper()} must be at least {smallest}; got {size}"
                )
    return args
