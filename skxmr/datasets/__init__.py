"""Data sets: files of this and other libraries, a generator and a built-in data set.

- `make_extreme_multilabel` generates sparse data with a hierarchy of labels and a long tail.
- `load_texts` reads texts and their labels from CSV, TSV, JSON lines and Parquet files.
  `EXAMPLE_CSV` is the path of such a file: 3,000 definitions of things, with topics.
- `load_xmc_file` and `dump_xmc_file` read and write the text format of the Extreme Classification
  Repository. `load_xmc_texts` and `load_xmc_filter` read its raw texts and its filter files.
- `load_annif_corpus` and `load_annif_vocabulary` read files of Annif.
- `load_api_docs` makes a text data set from the docstrings of numpy, scipy and scikit-learn,
  without a download.
"""

from skxmr.datasets._annif_corpus import load_annif_corpus
from skxmr.datasets._annif_vocabulary import load_annif_vocabulary
from skxmr.datasets._api_docs import load_api_docs
from skxmr.datasets._definitions import EXAMPLE_CSV
from skxmr.datasets._generator import make_extreme_multilabel
from skxmr.datasets._tables import ADVICE as ADVICE
from skxmr.datasets._tables import FORMATS as FORMATS
from skxmr.datasets._tables import find_suffix as find_suffix
from skxmr.datasets._text_files import iterate_texts as iterate_texts
from skxmr.datasets._text_files import load_texts
from skxmr.datasets._xmc_filter import load_xmc_filter
from skxmr.datasets._xmc_format import dump_xmc_file, load_xmc_file
from skxmr.datasets._xmc_texts import load_xmc_texts

# `ADVICE`, `FORMATS`, `find_suffix` and `iterate_texts` are for the command line.
__all__ = [
    "EXAMPLE_CSV",
    "dump_xmc_file",
    "load_annif_corpus",
    "load_annif_vocabulary",
    "load_api_docs",
    "load_texts",
    "load_xmc_file",
    "load_xmc_filter",
    "load_xmc_texts",
    "make_extreme_multilabel",
]
