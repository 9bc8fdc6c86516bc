"""The training engine: what recipes, the pipeline and the press use of `coldpress_build.training`."""

from coldpress_build.training.fit import fit
from coldpress_build.training.results import Epoch, Fit
from coldpress_build.training.settings import Training
from coldpress_build.training.train import Trained, train

__all__ = ["Epoch", "Fit", "Trained", "Training", "fit", "train"]
