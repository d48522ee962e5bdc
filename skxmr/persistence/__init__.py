"""Save models as folders of plain arrays, and load them without pickle."""

from skxmr.persistence._model_files import load_extras, load_model, save_model
from skxmr.persistence._saved_prediction import predict_saved

__all__ = ["load_extras", "load_model", "predict_saved", "save_model"]
