"""Training: loss, optimiser and loop, over the vector space of tangents."""

from isoref.training.loop import train
from isoref.training.losses import accuracy, cross_entropy
from isoref.training.optimisers import Momentum

__all__ = ["train", "cross_entropy", "accuracy", "Momentum"]
