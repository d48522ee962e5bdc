"""Models as folders of plain arrays: written whole or not at all, loaded without pickle."""

from skxmr._core.model_saver import ModelSaver, set_saver
from skxmr.persistence._folder import check_place
from skxmr.persistence._model_files import (
    FORMAT,
    check_savable,
    load_extras,
    load_model,
    save_model,
    write,
)
from skxmr.persistence._saved_prediction import predict_saved

# Other packages of skxmr use the rest.
__all__ = ["load_extras", "load_model", "predict_saved", "save_model"]

set_saver(ModelSaver(check_savable, write, lambda path: load_model(path, mmap_mode="r")))
