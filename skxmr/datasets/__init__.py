"""Data sets: a generator, a file format and an embedded set.

- `make_extreme_multilabel`: random sparse data with a hierarchy of labels and a long tail.
- `load_xmc_file`, `dump_xmc_file`: the text format of the Extreme Classification Repository.
- `load_api_docs`: the docstrings of numpy, scipy and scikit-learn as texts and the objects that
  they describe; no download.
"""

from skxmr.datasets._api_docs import load_api_docs
from skxmr.datasets._generator import make_extreme_multilabel
from skxmr.datasets._xmc_format import dump_xmc_file, load_xmc_file

# Other packages of skxmr use the rest.
__all__ = ["dump_xmc_file", "load_api_docs", "load_xmc_file", "make_extreme_multilabel"]
