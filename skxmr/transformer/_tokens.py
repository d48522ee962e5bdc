"""Token ids of texts: made once, kept ragged, padded a batch at a time."""

import numpy as np

from skxmr._core.arrays import offsets_of

# Texts given to a tokenizer at once: its answer is lists of Python integers.
CHUNK = 8192
# Batches whose rows are sorted by length together. More saves padding; fewer mixes rows better.
BUCKET = 50


class TokenRows:
    """Token ids of texts, ragged.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
        Where each row starts.
    ids : ndarray of int32
        Token ids of all rows.
    """

    def __init__(self, indptr, ids):
        self.indptr = indptr
        self.ids = ids

    def __len__(self):
        """Return the number of rows."""
        return len(self.indptr) - 1

    @property
    def lengths(self):
        """Number of tokens of each row."""
        return np.diff(self.indptr)

    def padded(self, rows, pad_id):
        """Return (ids, mask), both int64 (len(rows), most tokens), mask 1 where a token is."""
        starts, lengths = self.indptr[rows], self.lengths[rows]
        places = np.arange(lengths.max())
        here = places < lengths[:, None]
        ids = np.full(here.shape, pad_id, dtype=np.int64)
        ids[here] = self.ids[(starts[:, None] + places)[here]]
        return ids, here.astype(np.int64)


def tokenize(tokenizer, texts, max_length):
    """Tokenize texts.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        Adds its special tokens.
    texts : list of str
        One a row.
    max_length : int
        Most tokens of a row, special ones included; the rest of the text is not read.

    Returns
    -------
    TokenRows
        Each row has a token at least, that of the unknown word if there is none else.
    """
    empty = next((t for t in (tokenizer.unk_token_id, tokenizer.pad_token_id) if t is not None), 0)
    lengths, ids = [], []
    for start in range(0, len(texts), CHUNK):
        rows = tokenizer(
            texts[start : start + CHUNK],
            truncation=True,
            max_length=max_length,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        rows = [row or [empty] for row in rows]
        lengths.append([len(row) for row in rows])
        ids.append(np.concatenate([np.asarray(row, dtype=np.int32) for row in rows]))
    return TokenRows(offsets_of(np.concatenate(lengths)), np.concatenate(ids))


def batches_by_length(lengths, batch_size):
    """Return batches of rows of like length, the longest first: they need most memory."""
    order = np.argsort(-lengths, kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def shuffled_batches(rows, lengths, batch_size, rng):
    """Return batches in random order, of rows of like length where enough are at hand.

    Parameters
    ----------
    rows : ndarray of int
        Rows to be put into batches.
    lengths : ndarray of int
        Number of tokens of each of all rows.
    batch_size : int
        Rows of a batch; the last may have fewer.
    rng : numpy.random.Generator
        Same state, same batches.

    Returns
    -------
    list of ndarray
        Rows of each batch.
    """
    rows = rng.permutation(rows)
    batches = []
    for start in range(0, len(rows), BUCKET * batch_size):
        bucket = rows[start : start + BUCKET * batch_size]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]
