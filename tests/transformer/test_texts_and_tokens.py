"""Validation of texts, padding and batches."""

import numpy as np
import pandas as pd
import pytest

from skxmr._core.texts import check_texts
from skxmr.transformer._tokens import TokenizedTexts, batches_by_length, shuffled_batches


@pytest.mark.parametrize(
    "texts",
    [
        ["a", ""],
        ("a", ""),
        np.array(["a", ""]),
        np.array(["a", ""], dtype=object),
        pd.Series(["a", ""], index=[7, 3]),
        pd.Series(["a", ""], dtype="string"),
    ],
)
def test_check_texts_accepts_sequences_of_strings(texts):
    rows = check_texts(texts)
    assert rows == ["a", ""]
    assert {type(row) for row in rows} == {str}


@pytest.mark.parametrize("value", [None, b"a", 3, 2.5, float("nan"), pd.NA, ["a"]], ids=repr)
def test_check_texts_names_element_that_is_no_string(value):
    with pytest.raises(ValueError, match=r"queries\[1\] = .*" + type(value).__name__):
        check_texts(["a", value], "queries")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a text", "single str"),
        (b"bytes", "single bytes"),
        (np.array([["a"], ["b"]]), "1-D"),
        (np.array("a"), "1-D"),
        (pd.DataFrame({"text": ["a"]}), "1-D"),
        (3, "sequence of strings"),
        ([], "at least 1"),
        ({"a", "b"}, "no row order"),
        ({"a": 1}, "no row order"),
        (["a", "b \ud800"], r"texts\[1\] with an unpaired surrogate at position 2"),
    ],
)
def test_check_texts_refuses_other_types(texts, message):
    with pytest.raises(ValueError, match=message):
        check_texts(texts)


def random_tokens(lengths):
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 99, n).astype(np.int32) for n in lengths]
    return TokenizedTexts(np.concatenate([[0], np.cumsum(lengths)]), np.concatenate(rows)), rows


def test_pad_fills_rows_to_longest():
    tokens, rows = random_tokens([3, 1, 5, 2])
    ids, mask = tokens.pad(np.array([3, 0]), 77)
    assert ids.shape == mask.shape == (2, 3)
    np.testing.assert_array_equal(ids[0], [*rows[3], 77])
    np.testing.assert_array_equal(ids[1], rows[0])
    np.testing.assert_array_equal(mask, [[1, 1, 0], [1, 1, 1]])


def test_batches_contain_every_row_once_with_little_padding():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 50, 1003)
    rows = np.flatnonzero(rng.random(1003) < 0.9)
    batches = shuffled_batches(rows, lengths, 8, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), rows)
    assert max(map(len, batches)) == 8
    n_padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert n_padded < 1.1 * lengths[rows].sum()
    longest = [lengths[batch].max() for batch in batches]
    assert longest[0] == max(longest)
    assert longest[1:] != sorted(longest[1:], reverse=True)
    assert longest[1:] != sorted(longest[1:])
    again = shuffled_batches(rows, lengths, 8, np.random.default_rng(1))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    other = shuffled_batches(rows, lengths, 8, np.random.default_rng(2))
    assert any(set(a) != set(b) for a, b in zip(batches, other, strict=True))
    longest_first = batches_by_length(lengths, 8)
    assert all(np.diff(np.concatenate([lengths[batch] for batch in longest_first])) <= 0)
