"""Save models as folders of plain arrays, and load them without pickle."""

from skxmr.persistence._model_files import check_savable as check_savable
from skxmr.persistence._model_files import load_extras, load_model, save_model
from skxmr.persistence._named_models import load_named_model as load_named_model
from skxmr.persistence._saved_prediction import predict_saved

# `check_savable` and `load_named_model` are for the command line and the server.
__all__ = ["load_extras", "load_model", "predict_saved", "save_model"]
