"""Selection of the parameters that the quick test run includes."""

import pytest


def first(n, parameters):
    """Mark all parameters of a test except for the first n as slow.

    Parameters
    ----------
    n : int
        Number of parameters in the quick run.
    parameters : sequence
        Values of one argument of a test. Put the values that differ most first.

    Returns
    -------
    list
        Argument of `pytest.mark.parametrize`.
    """
    slow = pytest.mark.slow(reason="more parameters of the same test")
    return [*parameters[:n], *(pytest.param(value, marks=slow) for value in parameters[n:])]
