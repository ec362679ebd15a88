"""The curriculum as data: its phases, and the ordinary run that each of them is."""

import copy
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import get_world_size

from avzoo.config.build_dataset import build_dataset
from avzoo.datasets.samplers import NUM_BATCHES, batches_to_draw_once
from avzoo.engine.curriculum.phase_hooks import phase_hooks
from avzoo.engine.curriculum.schedulers import replayed_schedulers, schedulers, watching_schedulers
from avzoo.engine.hooks import best_epoch
from avzoo.protocol import EvaluationName, base_split, evaluation_splits, train_splits


@dataclass(frozen=True)
class Phase:
    """One ordinary run of the curriculum.

    Attributes:
        stage: 1 (choose epochs and calibration on validation) or 2 (train from scratch, then test).
        substage: ``base`` (base classes, everything is trained) or ``full`` (base and novel, the fusion is frozen).
        draw: Which of the draws of k shots, in stage 2 ``full``.
    """

    stage: int
    substage: str
    draw: int | None = None

    @property
    def name(self) -> str:
        """Name of the phase and of its folder, e.g. ``stage2_full_draw0``."""
        return f'stage{self.stage}_{self.substage}' + ('' if self.draw is None else f'_draw{self.draw}')

    @classmethod
    def from_name(cls, name: str) -> 'Phase':
        """Return the phase with a folder's name.

        Raises:
            ValueError: If no phase has this name.
        """
        found = re.fullmatch(r'stage([12])_(base|full)(?:_draw(\d+))?', name)
        phase = cls(int(found[1]), found[2], None if found[3] is None else int(found[3])) if found else None
        if phase is None or (phase.draw is not None) != (phase.stage == 2 and phase.substage == 'full'):
            raise ValueError(f"'{name}' is not a phase")
        return phase

    @property
    def train_splits(self) -> tuple[str, ...]:
        """The splits that it trains on."""
        return (base_split(self.stage),) if self.substage == 'base' else train_splits(self.stage, self.draw)

    @property
    def parent(self) -> 'Phase | None':
        """The phase whose weights it starts from."""
        return Phase(self.stage, 'base') if self.substage == 'full' else None


def plan_phases(draws: Sequence[int], stage: int | None = None) -> list[Phase]:
    """Return the phases in order (AV-DIFF, sec. 3.2 and 4.3), all or those of one stage."""
    phases = [Phase(1, 'base'), Phase(1, 'full'), Phase(2, 'base'), *(Phase(2, 'full', d) for d in draws)]
    return [p for p in phases if stage in (None, p.stage)]


def phase_epochs(cfg: Config, phase: Phase, outcomes: dict[str, dict]) -> int:
    """Return the number of epochs of a phase: as configured in stage 1, as stage 1 chose in stage 2."""
    if phase.stage == 2 and 'best_epoch' in outcomes.get(f'stage1_{phase.substage}', {}):
        return outcomes[f'stage1_{phase.substage}']['best_epoch']
    return cfg.curriculum[phase.substage]['max_epochs']


def epoch_steps(cfg: Config, phase: Phase) -> int:
    """Return the training steps per epoch of a phase: in the full sub-stage, base and novel batches alternate."""
    loader = cfg.train_dataloader
    batches = loader.batch_sampler.get('num_batches', NUM_BATCHES)
    if batches is None:
        data = build_dataset(_dataset(cfg, loader, phase.train_splits))
        batches = batches_to_draw_once(data, loader.batch_size, get_world_size())
    return batches * (1 if phase.substage == 'base' else 2)


def phase_config(cfg: Config, phase: Phase, outcomes: dict[str, dict], work_dir: str | os.PathLike[str]) -> Config:
    """Derive the config of one phase: an ordinary mmengine config.

    Args:
        cfg: The config of the whole curriculum.
        phase: The phase.
        outcomes: What finished phases decided, by phase name.
        work_dir: Folder of the whole curriculum; the phase gets its own below it.
    """
    out = _copy(cfg, work_dir, phase.name)
    out.work_dir = str(Path(work_dir) / phase.name)
    substage = out.pop('curriculum')[phase.substage]
    _set_training(out, phase, substage, phase_epochs(cfg, phase, outcomes))
    if phase.stage == 1 and cfg.curriculum.validate:
        out.val_dataloader['dataset'] = _dataset(out, out.val_dataloader, evaluation_splits('val'))
        out.val_cfg = dict()
        out.val_evaluator = dict(cfg.val_evaluator, calibration=cfg.curriculum.get('calibration', 'gamma'))
    else:
        out.val_dataloader = out.val_cfg = out.val_evaluator = None
    out.test_dataloader = out.test_cfg = out.test_evaluator = None
    if phase.stage == 1:
        out.param_scheduler = watching_schedulers(cfg, substage['monitor'])
    else:
        out.model.gamma, out.model.scale = chosen_gamma(cfg, outcomes), chosen_scale(cfg, outcomes)
        out.param_scheduler = replayed_schedulers(cfg, outcomes.get(f'stage1_{phase.substage}', {}))
    out.load_from = str(Path(work_dir) / phase.parent.name / start_file(cfg, phase.parent)) if phase.parent else None
    if hooks := phase_hooks(cfg, substage):
        out.custom_hooks = [*(out.get('custom_hooks') or ()), *hooks]
    return out


def _set_training(out: Config, phase: Phase, substage: dict, epochs: int) -> None:
    """Set the data that a phase trains on, how long, and which parts of the model."""
    out.train_dataloader['dataset'] = _dataset(out, out.train_dataloader, phase.train_splits)
    subsets = ('base',) if phase.substage == 'base' else ('base', 'novel')
    out.train_dataloader.batch_sampler = dict(out.train_dataloader.batch_sampler, subsets=subsets)
    out.train_cfg = dict(type='FitLoop')
    if substage['max_epochs']:
        out.train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
    _complete_model(out, out.train_dataloader['dataset'])
    out.model.frozen = tuple(substage.get('freeze', ()))
    out.model.frozen_mode = substage.get('frozen_mode', 'train')


def evaluation_config(cfg: Config, split: EvaluationName, draw: int | None, work_dir: str | os.PathLike[str]) -> Config:
    """Derive the config that evaluates a checkpoint on validation or on the test set of a draw."""
    out = _copy(cfg, work_dir, f'{split}_{draw}')
    out.work_dir = str(work_dir)
    loader = 'val_dataloader' if split == 'val' else 'test_dataloader'
    out[loader]['dataset'] = _dataset(out, out[loader], evaluation_splits(split, draw))
    out.test_dataloader, out.test_cfg = out[loader], dict()
    _complete_model(out, out[loader]['dataset'])
    for key in (
        'train_dataloader',
        'train_cfg',
        'optim_wrapper',
        'param_scheduler',
        'auto_scale_lr',
        'val_dataloader',
        'val_cfg',
        'val_evaluator',
    ):
        out[key] = None
    out.pop('curriculum')
    return out


def outcome(cfg: Config, phase: Phase, history: list[dict]) -> dict:
    """Return what a finished phase decides for those after it.

    Returns:
        ``epochs`` run; with validation also ``best_epoch``, its ``metrics``, the ``gamma`` chosen there, the
        ``last_gamma`` of the last epoch, and ``lr_drops``: the epochs after which stage 2 cuts the learning rate.
    """
    result = dict(epochs=len(history))
    if phase.stage == 2 or not cfg.curriculum.validate:
        return result
    monitor = cfg.curriculum[phase.substage]['monitor']
    epoch = best_epoch(history, monitor)
    metrics = {k: v for k, v in history[epoch - 1].items() if k not in ('epoch', 'lr') and not k.startswith('loss')}
    return dict(
        result,
        best_epoch=epoch,
        lr_drops=_lr_drops(cfg, history, monitor),
        metrics=metrics,
        gamma=metrics.get('gamma'),
        last_gamma=history[-1].get('gamma'),
        **{f'{end}scale': row['scale'] for end, row in (('', metrics), ('last_', history[-1])) if 'scale' in row},
    )


def _lr_drops(cfg: Config, history: list[dict], monitor: str) -> list[int]:
    """Return the epochs of stage 1 after which the learning rate was cut."""
    if cfg.curriculum.get('lr_drops', 'scheduler') != 'counter':
        return [now['epoch'] - 1 for before, now in pairwise(history) if now['lr'] < before['lr']]
    scores = [entry[monitor] for entry in history]
    plateaus = [one for one in schedulers(cfg) if one['type'] == 'ReduceOnPlateauLR']
    return [drop for one in plateaus for drop in _counted_drops(scores, one.get('patience', 10))]


def _counted_drops(scores: Sequence[float], patience: int) -> list[int]:
    """Return the epochs that the released code reports as cuts: any increase of the score resets its patience.

    The scheduler itself requires an increase by a ten-thousandth, so it may have cut after other epochs.
    """
    best, waited, drops = -math.inf, 0, []
    for epoch, score in enumerate(scores, 1):
        if score > best:
            best, waited = score, 0
        elif waited < patience:
            waited += 1
        else:
            waited = 0
            drops.append(epoch)
    return drops


def chosen_gamma(cfg: Config, outcomes: dict[str, dict]) -> float:
    """Return the calibration that validation chose: from the best epoch, or from the last as in the released code."""
    return _chosen(cfg, outcomes, 'gamma', 0.0)


def chosen_scale(cfg: Config, outcomes: dict[str, dict]) -> float:
    """Return the scale of logits that validation chose with the calibration; 1 where the head has none."""
    return _chosen(cfg, outcomes, 'scale', 1.0)


def _chosen(cfg: Config, outcomes: dict[str, dict], name: str, default: float) -> float:
    full = outcomes.get('stage1_full', {})
    key = name if cfg.curriculum.gamma_epoch == 'best' else f'last_{name}'
    return full[key] if full.get(key) is not None else cfg.model.get(name, default)


def start_file(cfg: Config, phase: Phase) -> str:
    """Return the checkpoint of a phase that later ones start from: the best if there is validation, else the last."""
    return 'best.pth' if phase.stage == 1 and cfg.curriculum.validate else 'last.pth'


def _copy(cfg: Config, work_dir: str | os.PathLike[str], name: str) -> Config:
    """Return a copy of a config as a run with this name in the folder of a curriculum."""
    out = copy.deepcopy(cfg)
    out.experiment_name = f'{Path(os.path.abspath(work_dir)).name}_{name}'
    return out


def _dataset(cfg: Config, loader: dict, splits: tuple[str, ...]) -> dict:
    return dict(
        loader['dataset'],
        data_root=cfg.data_root,
        num_shots=cfg.num_shots,
        splits=splits,
        modalities=tuple(cfg.model.encoders),
        seed=cfg.randomness.seed,
    )


def _complete_model(cfg: Config, data: dict) -> None:
    """Fill in what the data determines in the model's config: widths, classes, and how features are prepared."""
    cfg.model.data_info = build_dataset(data).data_info
    cfg.model.data_preprocessor = cfg.pop('data_preprocessor')
