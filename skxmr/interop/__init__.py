"""Models of other libraries, read from and written to files without these libraries.

The modules: `_files` reads JSON files and sparse matrices, `_cbor` reads CBOR. `_pecos`, `_omikuji`
and `_pecos_vectorizer` know the formats of the libraries. All files are treated as untrusted: no
pickles, and every size is compared with the size of the file before memory is allocated.
"""

from skxmr.interop._napkinxc import load_napkinxc_model
from skxmr.interop._omikuji import load_omikuji_model
from skxmr.interop._pecos import load_pecos_model, save_pecos_model

__all__ = ["load_napkinxc_model", "load_omikuji_model", "load_pecos_model", "save_pecos_model"]
