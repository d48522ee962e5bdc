"""Read damaged data files; run in a child process.

Usage: python -m helpers.fuzz_data_files FIRST_SEED N NAME..., where NAME is a key of `FILES`. Only
ValueError with the name of the file may be raised.
"""

import gzip
import sys
import tempfile
from pathlib import Path

import numpy as np

from helpers.fuzz_limits import Limits
from skxmr.datasets import (
    load_annif_corpus,
    load_annif_vocabulary,
    load_texts,
    load_xmc_file,
    load_xmc_filter,
    load_xmc_texts,
)

XMC_ROWS = b"0,2 1:0.5 3:1\n \n# comment\n1 0:2 2:-1e-3\n2\n"
XMC_JSON = (
    b'{"uid": "a", "title": "Go", "content": "A game", "target_ind": [2, 0]}\n'
    b'{"uid": "b", "title": "Lake", "content": null, "target_ind": []}\n'
)
TABLE = 'title,tags\n"Salt, ""é""",food;spice\nA new\nengine,\n'.replace("new\n", "new ").encode()
ANNIF_TSV = "Läke boats\t<http://a.org/1> <http://a.org/2>\nsea\t\n".encode()
ANNIF_CSV = b'text,subject_uris\n"Lake, boats",<http://a.org/1> <http://a.org/2>\nsea,\n'
ANNIF_JSON = (
    b'{"text": "Lake", "subjects": [{"uri": "http://a.org/1"}, {"label": "x"}]}\n'
    b'{"metadata": {"title": "Sea"}, "document_id": "1"}\n'
)
VOCABULARY_TSV = b"<http://a.org/1>\tlakes\n<http://a.org/2>\tboats\t42.42\n"
VOCABULARY_CSV = b"uri,notation,label_en\nhttp://a.org/1,,lakes\nhttp://a.org/2,42,boats\n"


def load_table(path):
    """Load a table of texts and labels."""
    return load_texts(path, text="title", labels="tags", separator=";")


def load_filter(path):
    """Load a filter file."""
    return load_xmc_filter(path, (3, 4))


def load_in_folder(path):
    """Load the folder of a file as a corpus."""
    return load_annif_corpus(path.parent)


# Name: the content of a valid file, and the function that reads it.
FILES = {
    "header.txt": (b"4 4 3\n" + XMC_ROWS, load_xmc_file),
    "rows.txt": (XMC_ROWS, load_xmc_file),
    "matrix.txt.gz": (b"3 4\n1:0.5 3:1\n\n0:2\n", load_xmc_file),
    "filter.txt": (b"0 1\n2 3\n0 0\n", load_filter),
    "trn.json": (XMC_JSON, load_xmc_texts),
    "trn.json.gz": (XMC_JSON, load_xmc_texts),
    "table.csv": (TABLE, load_table),
    "table.jsonl": (b'{"title": "a", "tags": ["x", 1]}\n{"title": "b", "tags": "y"}\n', load_table),
    "annif.tsv": (ANNIF_TSV, load_annif_corpus),
    "annif.csv": (ANNIF_CSV, load_annif_corpus),
    "annif.jsonl.gz": (ANNIF_JSON, load_annif_corpus),
    "text.txt": ("läke\nboats".encode(), load_in_folder),
    "text.tsv": (VOCABULARY_TSV, load_in_folder),
    "text.key": ("läkes\nboats\n".encode(), load_in_folder),
    "document.json": (ANNIF_JSON.splitlines()[0], load_in_folder),
    "vocabulary.tsv": (VOCABULARY_TSV, load_annif_vocabulary),
    "vocabulary.csv": (VOCABULARY_CSV, load_annif_vocabulary),
}
INSERTED = [
    *(bytes([byte]) for byte in b"\n\t\r ,;:#-_+.\"'{}[]<>\\0\x00\xff"),
    *(b"1000000000000000000", b"9" * 5000, b"1e999", b"nan", b"0x1", b"null", b"\\ud800"),
    *(b"[" * 50_000, b'{"a":' * 50_000, b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3", b"\xd9\xa1"),
]


def fuzz(name, first_seed, n):
    """Return the numbers of damaged files that were refused and that were read."""
    content, load = FILES[name]
    compress = gzip.compress if name.endswith(".gz") else bytes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        if name.startswith("text."):
            Path(folder, "text.txt").write_bytes(b"a text")
        path.write_bytes(compress(content))
        load(path)
        limits = Limits(2**20)
        refused = 0
        for seed in range(first_seed, first_seed + n):
            limits.begin(seed)
            rng = np.random.default_rng(seed)
            damaged = compress(damage(content, rng))
            # Half of the compressed files are damaged after the compression.
            if compress is not bytes and seed % 2:
                damaged = damage(compress(content), rng)
            path.write_bytes(damaged)
            try:
                load(path)
            except ValueError as error:
                if type(error) is not ValueError or name not in str(error):
                    raise
                refused += 1
            limits.end()
    return refused, n - refused


def damage(content, rng):
    """Return a file in which one to three places are changed."""
    for _ in range(rng.integers(1, 4)):
        start, stop = np.sort(rng.integers(len(content) + 1, size=2))
        kind = rng.integers(6)
        if kind == 0:
            content = content[:start]
        elif kind == 1:
            content = content[:start] + content[stop:]
        elif kind == 2:
            content = content[:stop] + content[start:]
        elif kind == 3:
            content = content[:start] + rng.bytes(1) + content[start + 1 :]
        else:
            content = content[:start] + INSERTED[rng.integers(len(INSERTED))] + content[start:]
    return content


if __name__ == "__main__":
    for target in sys.argv[3:]:
        print(*fuzz(target, int(sys.argv[1]), int(sys.argv[2])))
