"""Data sets: a generator, a file format and a built-in data set.

- `make_extreme_multilabel` generates sparse data with a hierarchy of labels and a long tail.
- `load_xmc_file` and `dump_xmc_file` read and write the text format of the Extreme Classification
  Repository.
- `load_api_docs` makes a text data set from the docstrings of numpy, scipy and scikit-learn,
  without a download.
"""

from skxmr.datasets._api_docs import load_api_docs
from skxmr.datasets._generator import make_extreme_multilabel
from skxmr.datasets._xmc_format import dump_xmc_file, load_xmc_file

__all__ = ["dump_xmc_file", "load_api_docs", "load_xmc_file", "make_extreme_multilabel"]
