"""The version of the library, as files name it."""

__version__ = "0.1.0"
