"""The hooks that the settings of a sub-stage call for."""

from mmengine.config import Config

from avzoo.config.settings import FUSION_CACHE_MIB


def phase_hooks(cfg: Config, substage: dict) -> list[dict]:
    """Return the hooks of a sub-stage in the order in which they are called before training.

    Args:
        cfg: The config of the curriculum.
        substage: The settings of the sub-stage.
    """
    hooks: list[dict] = []
    if substage.get('frozen_mode') == 'eval' and substage.get('freeze'):
        hooks.append(dict(type='FusionCacheHook', mib=substage.get('fusion_cache_mib', FUSION_CACHE_MIB)))
    if substage.get('fit'):  # On what the cache holds.
        hooks.append(dict(type='FitPartsHook', parts=tuple(substage['fit'])))
    if cfg.curriculum.get('average_epochs') and substage['max_epochs']:
        hooks.append(dict(type='AverageHook', epochs=cfg.curriculum.average_epochs))
    return hooks
