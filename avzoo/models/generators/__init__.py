"""Generators: they make features of a class."""

from avzoo.models.generators.ddpm import DDPM
from avzoo.models.generators.embedded_predictor import EmbeddedPredictor
from avzoo.models.generators.feature_diffusion import FeatureDiffusion
from avzoo.models.generators.noise_predictor import MLPNoisePredictor
from avzoo.models.generators.noise_schedule import CosineSchedule, LinearSchedule, StraightPath
from avzoo.models.generators.text_gaussian import TextGaussian
from avzoo.models.generators.wgan_gp import WGANGP

__all__ = [
    'DDPM',
    'WGANGP',
    'CosineSchedule',
    'EmbeddedPredictor',
    'FeatureDiffusion',
    'LinearSchedule',
    'MLPNoisePredictor',
    'StraightPath',
    'TextGaussian',
]
