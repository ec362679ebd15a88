"""The learning-rate schedulers of both stages."""

from mmengine.config import Config

from avzoo.utils.errors import ConfigError


def schedulers(cfg: Config) -> list[dict]:
    """Return the learning-rate schedulers of a config.

    Raises:
        ConfigError: If ``ReduceOnPlateauLR`` is combined with other schedulers.
    """
    found = cfg.get('param_scheduler') or []
    found = [found] if isinstance(found, dict) else list(found)
    if len(found) > 1 and any(s['type'] == 'ReduceOnPlateauLR' for s in found):
        raise ConfigError(
            'param_scheduler combines ReduceOnPlateauLR with others, but stage 2 replays the cuts of stage 1 '
            'and cannot tell which scheduler made them. Keep one or the other.'
        )
    return found


def watching_schedulers(cfg: Config, monitor: str) -> list[dict] | None:
    """Stage 1: plateaus are those of the metric that chooses the epoch."""
    return [
        dict(s, monitor=monitor) if s['type'] == 'ReduceOnPlateauLR' else s
        for s in schedulers(cfg)
        if cfg.curriculum.validate or s['type'] != 'ReduceOnPlateauLR'
    ] or None


def replayed_schedulers(cfg: Config, chosen: dict) -> list[dict] | None:
    """Stage 2 has no validation: cuts that a plateau caused in stage 1 are repeated after the same epochs."""
    found = [s for s in schedulers(cfg) if s['type'] != 'ReduceOnPlateauLR']
    for plateau in (s for s in schedulers(cfg) if s['type'] == 'ReduceOnPlateauLR'):
        if chosen.get('lr_drops'):
            found.append(
                dict(type='MultiStepLR', milestones=list(chosen['lr_drops']), gamma=plateau.get('factor', 0.1))
            )
    return found or None
