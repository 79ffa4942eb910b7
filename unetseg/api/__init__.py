"""What ``import unetseg`` offers: one function a verb of the command line.

The modules import PyTorch only when a function is called, after everything that can be refused without it.
"""

from unetseg.api.lesion_verb import lesion
from unetseg.api.mask_verbs import export, load, predict
from unetseg.api.probe_verb import probe
from unetseg.api.score_verbs import compare, evaluate
from unetseg.api.training_verbs import ablate, fit

__all__ = ["ablate", "compare", "evaluate", "export", "fit", "lesion", "load", "predict", "probe"]
