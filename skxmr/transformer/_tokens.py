"""Token ids of texts: tokenized once, stored without padding, padded per batch."""

import numpy as np

from skxmr._core.arrays import offsets_of

# Texts per call of a tokenizer, which returns lists of Python integers. Limits their memory.
TEXTS_PER_CALL = 8192
# Number of batches whose rows are sorted by length together. A larger number needs less padding;
# a smaller number makes batches more random.
BATCHES_PER_BUCKET = 50


class TokenizedTexts:
    """Token ids of texts, stored as ragged rows.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
        Start of each row in `ids`.
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
        """Number of tokens per row."""
        return np.diff(self.indptr)

    def pad(self, rows, pad_id):
        """Return (ids, mask) of some rows, padded to the longest; the mask is 1 for real tokens.

        Both arrays have the shape (len(rows), longest row) and the dtype int64.
        """
        starts, lengths = self.indptr[rows], self.lengths[rows]
        positions = np.arange(lengths.max())
        is_token = positions < lengths[:, None]
        ids = np.full(is_token.shape, pad_id, dtype=np.int64)
        ids[is_token] = self.ids[(starts[:, None] + positions)[is_token]]
        return ids, is_token.astype(np.int64)


def tokenize(tokenizer, texts, max_length):
    """Tokenize texts.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        Adds its special tokens.
    texts : list of str
        One text per row.
    max_length : int
        Maximum number of tokens per row, special tokens included. The rest of a text is ignored.

    Returns
    -------
    TokenizedTexts
        Each row has at least one token: a text without any gets the unknown token.
    """
    special_ids = (tokenizer.unk_token_id, tokenizer.pad_token_id)
    id_of_empty_text = next((i for i in special_ids if i is not None), 0)
    lengths, ids = [], []
    for start in range(0, len(texts), TEXTS_PER_CALL):
        rows = tokenizer(
            texts[start : start + TEXTS_PER_CALL],
            truncation=True,
            max_length=max_length,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        rows = [row or [id_of_empty_text] for row in rows]
        lengths.append([len(row) for row in rows])
        ids.append(np.concatenate([np.asarray(row, dtype=np.int32) for row in rows]))
    return TokenizedTexts(offsets_of(np.concatenate(lengths)), np.concatenate(ids))


def batches_by_length(lengths, batch_size):
    """Return batches of rows of similar length, longest first: these need the most memory."""
    order = np.argsort(-lengths, kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def shuffled_batches(rows, lengths, batch_size, rng):
    """Return batches in random order, each of rows of similar length.

    The batch with the longest row is the first: if memory is short, training fails at once.

    Parameters
    ----------
    rows : ndarray of int
        Rows to distribute over batches.
    lengths : ndarray of int
        Number of tokens of every row of the data, not only of `rows`.
    batch_size : int
        Rows per batch. The last batch of a bucket may have fewer.
    rng : numpy.random.Generator
        Source of the random order.

    Returns
    -------
    list of ndarray
        Rows of each batch.
    """
    rows = rng.permutation(rows)
    bucket_size = BATCHES_PER_BUCKET * batch_size
    batches = []
    for start in range(0, len(rows), bucket_size):
        bucket = rows[start : start + bucket_size]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    batches = [batches[i] for i in rng.permutation(len(batches))]
    # Later batches then fit into the memory that the first one freed. Peak memory with 640 rows of
    # WordNet, MiniLM, batches of 32 rows: 1.63 GB, and 1.84 GB in random order (2026-11).
    longest = max(range(len(batches)), key=lambda i: lengths[batches[i]].max())
    batches[0], batches[longest] = batches[longest], batches[0]
    return batches
