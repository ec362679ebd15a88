"""Build a model by its name, with or without its weights."""

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

from mmengine.config import Config

from avzoo.checkpoints.meta import require_meta
from avzoo.checkpoints.trained_config import as_trained
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.zoo.build import build_model, build_trained, config_of, data_info_of, move_to, weights_of
from avzoo.zoo.weights import find_checkpoint

NameOrConfig: TypeAlias = str | os.PathLike[str] | Config


def get_model(
    name_or_config: NameOrConfig,
    *,
    pretrained: bool | str | os.PathLike[str] | None = False,
    data_root: str | os.PathLike[str] | None = None,
    data_info: Mapping[str, Any] | None = None,
    device: str | None = None,
) -> AVClassifier:
    """Build a model, in evaluation mode.

    Without weights, the widths of the features and the number of classes come from ``data_info``, or else from the
    store at ``data_root`` (by default the config's), or else from the known facts of the benchmark. With weights, they
    come from the checkpoint.

    Args:
        name_or_config: A zoo model name, a config file, the folder of a run, or a config.
        pretrained: True loads the weights of that name, of the config file's name, or of the run's first draw; a path
            or another name loads those weights; False or None leaves the weights random.
        data_root: A feature store.
        data_info: See :class:`AVClassifier`.
        device: Device for the model; by default the CPU.

    Raises:
        ConfigError: If the name, the config or the data is unknown.
        CheckpointError: If the weights do not exist, are damaged, or do not fit the config.

    Examples:
        >>> model = get_model('avdiff_synth_5shot', pretrained=True)
    """
    cfg = config_of(name_or_config, of_runs=False)
    if pretrained is None or pretrained is False:
        model = build_model(cfg, data_info or data_info_of(cfg, data_root=data_root))
    else:
        file = weights_of(cfg) if pretrained is True else find_checkpoint(pretrained)
        checkpoint, source = file.load(), file.path
        cfg = as_trained(cfg, checkpoint['meta'], str(source))
        info = require_meta(checkpoint['meta'], 'data_info', source)
        model = build_trained(cfg, info, checkpoint['state_dict'], str(source))
        model.meta = checkpoint['meta']
    if device:
        move_to(device, model)
    return model.eval()
