"""The version of mcc."""

__version__ = "0.1.0"
