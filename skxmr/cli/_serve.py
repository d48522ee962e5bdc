"""The command ``serve``."""


def add_arguments(parser):
    """Add the arguments of the command to a parser.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Parser of the command.
    """
    # The values of Limits, which is not imported because it needs optional packages.
    parser.add_argument("model", help="folder of a model that takes texts")
    parser.add_argument("--host", default="127.0.0.1", help="address (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=8080, help="port; 0 selects a free one (default: 8080)"
    )
    parser.add_argument("--workers", type=int, default=1, help="number of processes (default: 1)")
    parser.add_argument(
        "--max-body-bytes",
        type=int,
        default=2**20,
        help="maximum size of a request body (default: 1048576)",
    )
    parser.add_argument(
        "--max-texts", type=int, default=1000, help="maximum texts per request (default: 1000)"
    )
    parser.add_argument(
        "--max-labels", type=int, default=100, help="maximum labels per text (default: 100)"
    )


def run(parser, options):
    """Run the command until Ctrl-C or SIGTERM.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Parser of the command, which reports errors.
    options : argparse.Namespace
        Parsed arguments.
    """
    # Imported here because other commands do not need the optional packages.
    from skxmr.serving import Limits, serve

    limits = Limits(
        max_body_bytes=options.max_body_bytes,
        max_texts=options.max_texts,
        max_labels=options.max_labels,
    )
    serve(
        options.model,
        host=options.host,
        port=options.port,
        workers=options.workers,
        limits=limits,
    )
