"""Refuse batches that are too small for a model, before anything is trained."""

from mmengine.config import Config
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from avzoo.engine.curriculum.plan import Phase
from avzoo.utils.errors import ConfigError


def check_batch_size(cfg: Config, phase: Phase, model: nn.Module) -> None:
    """Refuse batches of one video for a model with BatchNorm, which needs at least two values in training.

    Args:
        cfg: The config of the curriculum.
        phase: A phase.
        model: Its model.
    """
    norms = [name for name, layer in model.named_modules() if isinstance(layer, _BatchNorm)]
    if norms and cfg.train_dataloader.batch_size == 1 and cfg.curriculum[phase.substage].max_epochs:
        raise ConfigError(
            f'train_dataloader.batch_size=1 is too small for model.{norms[0]} (BatchNorm), which needs batches of at '
            'least 2 videos in each process. Set it to 2 or more.'
        )
