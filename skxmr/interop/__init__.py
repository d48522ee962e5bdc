"""Models of other libraries, read from and written to files without these libraries.

The modules, in the order of the layers:

- `_files` reads JSON files and sparse matrices, `_cbor` reads CBOR. All files are treated as
  untrusted: no pickles, and sizes are compared with the size of the file before memory is
  allocated.
- `_flat_tree` gives all labels of a tree the same depth.
- `_pecos`, `_pecos_vectorizer`, `_omikuji` and `_napkinxc` know the formats.
"""

from skxmr.interop._napkinxc import load_napkinxc_model
from skxmr.interop._omikuji import load_omikuji_model
from skxmr.interop._pecos import load_pecos_model, save_pecos_model
from skxmr.interop._pecos_vectorizer import load_pecos_vectorizer

__all__ = [
    "load_napkinxc_model",
    "load_omikuji_model",
    "load_pecos_model",
    "load_pecos_vectorizer",
    "save_pecos_model",
]
