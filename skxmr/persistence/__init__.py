"""Models as folders of plain arrays: written whole or not at all, loaded without pickle."""

from skxmr.persistence.model_files import load_extras, load_model, save_model

__all__ = ["load_extras", "load_model", "save_model"]
