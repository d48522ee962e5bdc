"""Version of the library; also written to the header of saved models."""

__version__ = "0.1.0"
