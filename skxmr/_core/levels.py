"""Parameters that may differ from level to level of a tree."""


def by_level(values, n_levels):
    """Spread a value, or a sequence of values, over the levels of a tree.

    Parameters
    ----------
    values : object or sequence
        One value for all levels, or some whose last is for the labels, the one before for their
        clusters, and so on; the first is also for all levels above.
    n_levels : int
        Levels of the tree.

    Returns
    -------
    list
        By level, from the root's children to the labels.
    """
    if not isinstance(values, (list, tuple)):
        return [values] * n_levels
    padded = [values[0]] * (n_levels - len(values)) + list(values)
    return padded[len(padded) - n_levels :]
