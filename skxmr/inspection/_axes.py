"""Axes to draw on, and text that fits on them. The one module that imports matplotlib."""

from textwrap import shorten

# Colours that can be told apart without seeing red or green.
FIRST, SECOND, GREY = "#0072B2", "#D55E00", "0.45"


def axes_for(ax, caller, figsize):
    """Return axes: those given, or those of a new figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
        What the user gave.
    caller : str
        Who needs it, for the error.
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
            f"{caller} needs matplotlib; install it with pip install 'skxmr[plot]'."
        ) from error
    return plt.subplots(figsize=figsize, layout="constrained")[1]


def plain(text, width=80):
    """Return text cut to a width, with dollars that matplotlib does not take for formulas."""
    return shorten(text, width, placeholder=" ...").replace("$", r"\$")


def bare(ax, *spines):
    """Take away the lines of axes that say nothing."""
    ax.spines[["top", "right", *spines]].set_visible(False)
    ax.set_axisbelow(True)
