"""Shared helpers of the displays; the only module that imports matplotlib."""

from textwrap import shorten

# Colors of the Okabe-Ito palette, which color-blind readers can distinguish.
BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "0.45"


def axes_or_new(ax, caller, figsize):
    """Return `ax`, or the axes of a new figure if it is None.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Axes that the user passed.
    caller : str
        Name of the public method, for the error message.
    figsize : tuple of float
        Width and height of a new figure, in inches.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib. Install it with: pip install 'skxmr[plot]'"
        ) from error
    return plt.subplots(figsize=figsize, layout="constrained")[1]


def shorten_and_escape(text, width=80):
    """Shorten a text to a width, and escape dollar signs: matplotlib would read a formula."""
    return shorten(text, width, placeholder=" ...").replace("$", r"\$")


def hide_frame(ax, *spines):
    """Hide the top and right spines of axes, and those named, and draw grids behind the data."""
    ax.spines[["top", "right", *spines]].set_visible(False)
    ax.set_axisbelow(True)
