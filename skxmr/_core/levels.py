"""Parameters that can have a different value on each level of a tree."""


def expand_to_levels(values, n_levels):
    """Return one value per level.

    Parameters
    ----------
    values : object or sequence
        One value for all levels, or a list or tuple. Its last entry is for the labels, the one
        before for the leaf clusters, and so on; the first also applies to all levels above.
        If the sequence is longer than the tree has levels, its first entries are ignored.
    n_levels : int
        Number of levels of the tree.

    Returns
    -------
    list
        Values from the root's children to the labels.
    """
    if not isinstance(values, (list, tuple)):
        return [values] * n_levels
    padded = [values[0]] * (n_levels - len(values)) + list(values)
    return padded[len(padded) - n_levels :]
