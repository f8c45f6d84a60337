"""Data sets: the embedded digits, files of others, splits and per-pixel standardisation."""

from isoref.data.digits import load_digits
from isoref.data.sources import NAMES, read
from isoref.data.split import Split, split, standardise

__all__ = ["load_digits", "read", "NAMES", "Split", "split", "standardise"]
