"""Embeddings on disk, by the content of their texts: one SQLite file per encoder."""

import hashlib
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

# Texts that one query looks up; SQLite had a limit of 999 parameters before version 3.32.
TEXTS_PER_QUERY = 500
# Embeddings of 384 numbers in float32 take 1.7 kB on disk, and 4.7 kB with pages of 4,096 bytes.
PAGE_BYTES = 2**16
# Seconds to wait for another process that writes to the file.
TIMEOUT = 60.0


class EmbeddingStore:
    """The stored embeddings of one encoder.

    Several processes may use a file at the same time. If a process ends while it writes, the
    embeddings of its last call of `save` are not stored; all others are.

    Parameters
    ----------
    path : path-like
        File; created with its folder if it does not exist.
    n_dimensions : int
        Length of an embedding.
    dtype : numpy.dtype
        Dtype of the embeddings.

    Raises
    ------
    OSError
        If the folder or the file cannot be created, or the file is not such a store. `load` and
        `save` raise it, too.
    """

    def __init__(self, path, n_dimensions, dtype):
        self.path = Path(path)
        self.n_dimensions = n_dimensions
        self.dtype = np.dtype(dtype)
        self.n_bytes = n_dimensions * self.dtype.itemsize
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise OSError(
                f"cache_dir must be a folder that can be written; got {str(path)!r} and the error "
                f"{error}."
            ) from error
        with self._open():
            pass

    def load(self, texts):
        """Return the embeddings of texts and whether each was found.

        Parameters
        ----------
        texts : list of str
            Texts.

        Returns
        -------
        embeddings : ndarray of shape (len(texts), n_dimensions)
            Embeddings; rows of texts that were not found are undefined.
        is_found : ndarray of bool
            Whether the embedding of each text was found.
        """
        embeddings = np.empty((len(texts), self.n_dimensions), dtype=self.dtype)
        is_found = np.zeros(len(texts), dtype=bool)
        with self._open() as connection:
            for start in range(0, len(texts), TEXTS_PER_QUERY):
                queried = texts[start : start + TEXTS_PER_QUERY]
                rows = {_digest(text): row for row, text in enumerate(queried, start)}
                marks = ",".join("?" * len(rows))
                query = f"SELECT digest, embedding FROM embeddings WHERE digest IN ({marks})"
                for digest, stored in connection.execute(query, list(rows)):
                    # A damaged embedding is ignored and will be replaced.
                    if isinstance(stored, bytes) and len(stored) == self.n_bytes:
                        embedding = np.frombuffer(stored, dtype=self.dtype)
                        embeddings[rows[digest]] = embedding
                        is_found[rows[digest]] = np.isfinite(embedding).all()
        return embeddings, is_found

    def save(self, texts, embeddings):
        """Store the embeddings of texts; either all or, after an error, none."""
        rows = [(_digest(text), row.tobytes()) for text, row in zip(texts, embeddings, strict=True)]
        with self._open() as connection:
            connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)

    @contextmanager
    def _open(self):
        try:
            with closing(sqlite3.connect(self.path, timeout=TIMEOUT)) as connection, connection:
                # Several embeddings fit into a page. Without effect if the file exists.
                connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS embeddings "
                    "(digest BLOB PRIMARY KEY, embedding BLOB)"
                )
                # A view of a manipulated file could run without end.
                query = "SELECT type FROM sqlite_master WHERE name = 'embeddings'"
                if connection.execute(query).fetchone() != ("table",):
                    raise sqlite3.DatabaseError("embeddings is not a table")
                yield connection
        except sqlite3.OperationalError as error:
            raise OSError(
                f"{self.path} cannot be opened or is in use by another process: {error}. Try "
                "again, or change cache_dir."
            ) from error
        except sqlite3.Error as error:
            raise OSError(
                f"{self.path} cannot be used as a store of embeddings: {error}. Remove the file or "
                "change cache_dir."
            ) from error


def _digest(text):
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
