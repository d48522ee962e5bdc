"""From the names of labels in a taxonomy to the parents of a tree."""

import numpy as np


def taxonomy_parents(names, sep):
    """Return the parent of each node by level, as `LabelHierarchy.from_parents` takes them.

    Parameters
    ----------
    names, sep
        As in `LabelHierarchy.from_taxonomy`.

    Returns
    -------
    list of ndarray
        For each level below the root; the last is over the labels.

    Raises
    ------
    ValueError
        If `sep` is empty, there are no names, a name is not a string, has an empty component, or
        stands there twice.
    """
    if not isinstance(sep, str) or not sep:
        raise ValueError(f"sep must be a string of at least one character; got {sep!r}.")
    if isinstance(names, str):
        raise ValueError(f"names must be a sequence of strings, one a label; got {names!r}.")
    paths = []
    first = {}
    for label, name in enumerate(names):
        if not isinstance(name, str):
            raise ValueError(f"names[{label}] must be a string; got {name!r}.")
        path = name.split(sep)
        if not all(path):
            raise ValueError(
                f"names[{label}]={name!r} must have no empty component between {sep!r}."
            )
        if first.setdefault(name, label) != label:
            raise ValueError(
                f"names must be unique; names[{first[name]}] and names[{label}] are {name!r}."
            )
        paths.append(path)
    if not paths:
        raise ValueError("names must have at least one label; got none.")
    depth = max(map(len, paths))
    parents = []
    above = np.zeros(len(paths), dtype=np.int64)  # node of each label in the level above
    for level in range(depth - 1):
        # Past its end a path goes on through only children, which no component is the name of.
        nodes = {}
        here = [
            nodes.setdefault((at, path[level] if level < len(path) else None), len(nodes))
            for at, path in zip(above.tolist(), paths, strict=True)
        ]
        parents.append(np.array([at for at, _ in nodes], dtype=np.int64))
        above = np.array(here, dtype=np.int64)
    return [*parents, above]
