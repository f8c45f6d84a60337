"""Training that survives its own surgery.

losses       what is minimised, and its cotangent
optimisers   SGD, Orthogonalised, AdamW, and the laws of their states
state        how an optimiser's state follows edits of the network
rates        schedules of the rate
loop         mini-batches, steps, edits, callbacks, checkpoints
events       rules that edit while training, and what they did
adaptation   the controller; `schedules` the width schedules, `budget` pruning on a budget
tasks        inputs and outputs that come and go with their tasks
metrics      how far two networks differ, and what their layers look like
"""

from isoref.training.adaptation import Controller, adapt
from isoref.training.budget import Budget
from isoref.training.callbacks import evaluated, observed
from isoref.training.checkpoints import Checkpoints, read_checkpoint
from isoref.training.divergence import Diverged
from isoref.training.events import Event, Rule, When
from isoref.training.loop import train
from isoref.training.losses import accuracy, cross_entropy
from isoref.training.optimisers import SGD, AdamW, Orthogonalised
from isoref.training.rates import Constant, Cosine, Steps
from isoref.training.run import Run
from isoref.training.schedules import Recorded, Widths
from isoref.training.state import State, TransportError, transport

__all__ = [
    "train",
    "Run",
    "Checkpoints",
    "read_checkpoint",
    "Diverged",
    "cross_entropy",
    "accuracy",
    "evaluated",
    "observed",
    "SGD",
    "Orthogonalised",
    "AdamW",
    "State",
    "transport",
    "TransportError",
    "Constant",
    "Cosine",
    "Steps",
    "Rule",
    "When",
    "Event",
    "adapt",
    "Controller",
    "Widths",
    "Budget",
    "Recorded",
]
