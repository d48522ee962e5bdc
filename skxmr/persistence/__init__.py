"""Models as folders of plain arrays: written whole or not at all, loaded without pickle."""

from skxmr._core.model_saver import ModelSaver, set_saver
from skxmr.persistence.model_files import check_savable, load_extras, load_model, save_model, write
from skxmr.persistence.saved_prediction import predict_saved

__all__ = ["load_extras", "load_model", "predict_saved", "save_model"]

set_saver(ModelSaver(check_savable, write, lambda path: load_model(path, mmap_mode="r")))
