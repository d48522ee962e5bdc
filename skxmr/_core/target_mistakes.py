"""Warnings about targets that look like frequent mistakes."""

import re
from collections import Counter

import numpy as np

from skxmr._core.target_containers import BINARIZER
from skxmr._core.user_warnings import warn_user

# `y` is reported if more than this fraction of its labels has no row, and at least this number.
# Random samples of the training rows of four data sets (bibtex, Debian dependencies, WordNet, YSO;
# 159 to 37,144 labels; November 2026) leave 0 to 8 % of the labels without rows if 80 % of the rows
# are kept, 42 to 58 % if 20 % are kept, and at most 95.3 % if 1 % is kept. Label ids that were used
# as column numbers usually leave more than 99 %.
MAX_EMPTY_FRACTION = 0.98
MIN_EMPTY_LABELS = 1000
# With fewer labels, label 0 is sometimes the only one without rows in a training fold.
MIN_NUMBERED_LABELS = 20
# Characters of other meaning: the comma in 1,000, and HTML entities such as &amp;.
_NO_SEPARATORS = re.compile(r"(?<=\d),(?=\d{3}(\D|$))|&\w+;")


def warn_about_empty_labels(Y):
    """Warn if nearly all labels of an indicator have no row, or only label 0 has none.

    Then label ids were probably used as column numbers.
    """
    n_labels = Y.shape[1]
    has_row = np.zeros(n_labels, dtype=bool)
    has_row[Y.indices] = True
    n_empty = n_labels - np.count_nonzero(has_row)
    if n_empty >= MIN_EMPTY_LABELS and n_empty > MAX_EMPTY_FRACTION * n_labels:
        warn_user(
            f"y has {n_labels:,} labels, and {n_empty:,} of them have no row. They are never "
            "ranked first. If label ids were used as column numbers, convert the labels with "
            f"{BINARIZER}, which creates columns only for labels that occur.",
        )
    elif n_empty == 1 and not has_row[0] and n_labels >= MIN_NUMBERED_LABELS:
        warn_user(
            "y has a row for each label except for label 0. If the column numbers are label ids "
            f"that start at 1, convert the labels with {BINARIZER}, or remove column 0.",
        )


def warn_about_joined_labels(classes):
    """Warn if the names of classes look like several labels joined by a separator."""
    separator = find_separator(classes)
    if separator is not None:
        example = next(name for name in classes if separator in name)
        warn_user(
            f"y has classes that look like several labels joined by {separator!r}, such as "
            f"{str(example)!r}. Each joined string is used as one class. For several labels per "
            f"row, pass lists of labels, for example y.str.split({separator!r}).",
        )


def find_separator(classes):
    """Return the separator of joined labels in the names of classes, or None.

    At least half of the classes must contain the separator. Names of single classes often contain a
    comma, as in "Korea, North", and names of a taxonomy a bar, as in "Books|Fiction". Therefore
    these are separators only if the parts occur at different places: a quarter of the parts that
    occur repeatedly must be first in one name and second in another, for example. In "last name,
    first name" and in a taxonomy, each part has its place. Numbers such as "1,5" are not joined.
    """
    names = [_NO_SEPARATORS.sub("", name) for name in classes.tolist() if isinstance(name, str)]
    for separator in (";", "|", ","):
        joined = [name for name in names if separator in name.strip(separator)]
        if len(joined) < 2 or 2 * len(joined) < len(names):
            continue
        if separator == ";":
            return separator
        counts, places = Counter(), set()
        for name in names:
            parts = [part.strip() for part in name.split(separator)]
            is_number = all(part.isdecimal() for part in parts)
            if len(parts) == 1 or len(set(parts)) < len(parts) or is_number:
                continue
            counts.update(parts)
            places.update(zip(parts, range(len(parts)), strict=True))
        n_places = Counter(part for part, _ in places)
        n_repeated = sum(count > 1 for count in counts.values())
        n_moving = sum(count > 1 for count in n_places.values())
        if n_moving and 4 * n_moving >= n_repeated:
            return separator
    return None
