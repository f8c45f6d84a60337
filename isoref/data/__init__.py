"""Data sets: the embedded digits, splits and per-pixel standardisation."""

from isoref.data.digits import load_digits
from isoref.data.split import Split, split, standardise

__all__ = ["load_digits", "Split", "split", "standardise"]
