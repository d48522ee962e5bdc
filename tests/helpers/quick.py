"""Parameters of a test that the quick run leaves out."""

import pytest


def first(n, parameters):
    """Mark all but the first parameters of a test as slow.

    Parameters
    ----------
    n : int
        Number of parameters that the quick run tests.
    parameters : sequence
        Parameters of one argument, the most different ones first.

    Returns
    -------
    list
        For `pytest.mark.parametrize`.
    """
    slow = pytest.mark.slow(reason="more parameters of the same test")
    return [*parameters[:n], *(pytest.param(one, marks=slow) for one in parameters[n:])]
