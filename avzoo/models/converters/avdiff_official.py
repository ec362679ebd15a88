"""Released AV-DIFF checkpoints to avzoo's format and back."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine.checkpoint import FORMAT, load_checkpoint, load_weights
from avzoo.engine.curriculum.plan import Phase
from avzoo.models.converters.avdiff_config import config_from_args, config_text
from avzoo.models.converters.avdiff_keys import UNUSED, from_released, to_released
from avzoo.models.converters.avdiff_source import ReleasedFile, ReleasedRun, find_runs
from avzoo.registry import MODELS
from avzoo.utils.errors import CheckpointError, ConfigError
from avzoo.version import __version__

_SECONDS = {'audio': 0.96, 'visual': 0.64}
_CALIBRATION_HIDDEN = 32  # width of the released code's unused network


@dataclass
class Conversion:
    """What became of a released checkpoint.

    Attributes:
        checkpoint: To be written with ``save_checkpoint``.
        config: Text of the config that builds its model.
        source: Which file it was.
        notes: What the released checkpoint does not hold, in words.
    """

    checkpoint: dict[str, Any]
    config: str
    source: str
    notes: list[str] = field(default_factory=list)


def convert(source: str | Path, *, dataset: str | None = None, shots: int | None = None, stage: int | None = None,
            draw: int = 0, data_root: str | Path | None = None, gamma: float | None = None) -> Conversion:
    """Convert a released checkpoint.

    Args:
        source: A ``.pt``, a run folder, or a zip or folder of many run folders.
        dataset: ``vgg``, ``ucf`` or ``activitynet``: which run to take; needed for a ``.pt`` without ``args.yaml``.
        shots: K of the run to take.
        stage: Stage of the run to take.
        draw: Which draw of a stage-2 run.
        data_root: Feature store that gives class names and class vectors, which a checkpoint does not hold.
        gamma: Calibration, which a checkpoint does not hold either; 0 if not given.

    Raises:
        CheckpointError: If no run or several fit, or the checkpoint is damaged or of another architecture.
    """
    run = _choose(find_runs(Path(source)), dataset, shots, stage)
    dataset, shots, stage = _facts(run, dataset, shots, stage)
    file = _checkpoint_file(run, stage, draw)
    released = file.load()
    state = from_released(released['model'], str(file))
    cfg = config_from_args(run.args, dataset, shots, run.name)
    cfg.data_root = str(data_root or cfg.data_root)
    info, phase = _data_info(state), Phase(stage, 'full', draw if stage == 2 else None)
    meta = dict(format=FORMAT, avzoo_version=__version__, phase=phase.name, stage=stage, substage='full',
                draw=phase.draw, num_shots=shots, epoch=released.get('epoch', 0), iter=0, seed=cfg.randomness.seed,
                history=[], data_info=info, source=f'released AV-DIFF checkpoint {Path(file.member or file.path).name}')
    notes = _complete(state, meta, cfg, data_root, gamma)
    model = _build(cfg, info, str(file))
    load_weights(model, state, str(file))
    meta['config'] = config_text(cfg, f'AV-DIFF as released: {dataset}, {shots} shots, stage {stage}.')
    meta['notes'] = notes
    unused = {k: v for k, v in released['model'].items() if k.startswith(UNUSED)}
    kept = dict(epoch=released.get('epoch'), metric=released.get('metric'), optimizer=released.get('optimizer', {}),
                keys=list(released['model']), unused=unused)
    return Conversion(dict(meta=meta, state_dict=state, optimizer={}, param_schedulers=[], released=kept),
                      meta['config'], str(file), notes)


def revert(source: str | Path, *, generator_dropout: bool = False) -> dict[str, Any]:
    """Return a checkpoint as the released code reads it, from one of avzoo.

    A converted checkpoint gives back the very tensors that it was made of. One that avzoo trained gets zeros in place
    of the network that the released code never uses.

    Args:
        source: A checkpoint of avzoo.
        generator_dropout: Whether the noise predictor was trained with dropout; a converted checkpoint knows itself.
    """
    checkpoint = load_checkpoint(source)
    kept = checkpoint.get('released') or {}
    if kept:
        generator_dropout = 'generator.fc.4.weight' in kept['keys']
    state = to_released(checkpoint['state_dict'], str(source), generator_dropout=generator_dropout)
    state.update(kept.get('unused') or _unused(state['classifier.weight'].shape[1]))
    if kept:
        state = {key: state[key] for key in kept['keys']}
    epoch = kept.get('epoch') or checkpoint['meta'].get('epoch', 0)
    return dict(epoch=epoch, model=state, optimizer=kept.get('optimizer', {}), metric=kept.get('metric') or 'score')


def _choose(runs: Sequence[ReleasedRun], dataset: str | None, shots: int | None, stage: int | None) -> ReleasedRun:
    if len(runs) == 1 and not runs[0].args:
        return runs[0]
    wanted = dict(dataset=dataset, shots=shots, stage=stage)
    fitting = [run for run in runs if all(v is None or getattr(run, k) == v for k, v in wanted.items())]
    if len(fitting) == 1:
        return fitting[0]
    asked = ', '.join(f'{k} {v}' for k, v in wanted.items() if v is not None) or 'nothing in particular'
    found = '; '.join(str(run) for run in (fitting or runs)[:6]) + ('; ...' if len(fitting or runs) > 6 else '')
    problem = 'several runs fit' if fitting else 'no run fits'
    raise CheckpointError(f'{problem} ({asked} was asked for): {found}. Choose with --dataset, --shots and --stage.')


def _facts(run: ReleasedRun, dataset: str | None, shots: int | None, stage: int | None) -> tuple[str, int, int]:
    facts = dict(dataset=run.dataset or dataset, shots=run.shots or shots, stage=run.stage or stage)
    missing = [f'--{name}' for name, value in facts.items() if value is None]
    if missing:
        raise CheckpointError(f'{run.name}: there is no args.yaml that tells what it was trained on. Put it beside the '
                              f'checkpoint, or give {" and ".join(missing)}; the published settings are then taken.')
    return facts['dataset'], facts['shots'], facts['stage']


def _checkpoint_file(run: ReleasedRun, stage: int, draw: int) -> ReleasedFile:
    """Return the checkpoint that the released code tests: the best of stage 1, the last of a draw of stage 2."""
    if len(run.files) == 1:
        return next(iter(run.files.values()))
    if stage == 2:
        folder = 'checkpoints' + (f'_{draw}' if draw else '')
        epochs = {int(m[1]): f for name, f in run.files.items()
                  if (m := re.fullmatch(rf'{folder}/AVDiff_score_ckpt_(\d+)\.pt', name))}
        if epochs:
            return epochs[max(epochs)]
    if 'AVDiff_score.pt' in run.files and (stage == 1 or draw == 0):
        return run.files['AVDiff_score.pt']
    raise CheckpointError(f'{run} holds no checkpoint' + (f' of draw {draw}' if stage == 2 else '') +
                          f'; its .pt files: {", ".join(sorted(run.files)[:5]) or "none"}.')


def _data_info(state: dict[str, Tensor]) -> dict[str, Any]:
    num_classes, dim = state['head.fc.weight'].shape
    return dict(feature_dims={m: state[f'encoders.{m}.net.0.weight'].shape[1] for m in _SECONDS},
                seconds_per_step=dict(_SECONDS), num_classes=num_classes,
                embedding_dim=state['generator.noise_predictor.net.1.weight'].shape[1] - dim - 1)


def _complete(state: dict[str, Tensor], meta: dict[str, Any], cfg: Config, data_root: str | Path | None,
              gamma: float | None) -> list[str]:
    """Add what the released checkpoint does not hold; return what stays unknown."""
    info, notes = meta['data_info'], []
    vectors = torch.zeros(info['num_classes'], info['embedding_dim'])
    if data_root is None:
        notes.append('Class names and class vectors are unknown (no feature store was given): the vectors are zeros. '
                     'Prediction does not need them; training goes on only after they are read from a store.')
    else:
        splits = (f'stage{meta["stage"]}_base',)
        data = GFSLDataset(data_root, splits=splits, num_shots=cfg.num_shots)
        if data.data_info != info:
            raise CheckpointError(f'{data_root} does not fit the checkpoint: the store has {data.data_info}, the '
                                  f'checkpoint was trained on {info}.')
        vectors = torch.from_numpy(data.class_embeddings)
        meta.update(classes=data.metainfo['classes'], base_mask=data.metainfo['base_mask'])
    if gamma is None:
        notes.append('The calibration is unknown: gamma is 0. Give it, or choose it on validation.')
    state['conditioner.vectors'] = vectors
    state['gamma'] = torch.tensor(gamma or 0.0, dtype=torch.float64)
    return notes


def _build(cfg: Config, info: dict[str, Any], source: str) -> torch.nn.Module:
    parts = cfg.model.to_dict()
    try:
        return MODELS.build(dict(parts, data_info=info, data_preprocessor=cfg.data_preprocessor.to_dict()))
    except (ConfigError, RuntimeError, TypeError) as error:
        raise CheckpointError(f'{source}: its args.yaml describes no model that can be built: {error}') from error


def _unused(width: int) -> dict[str, Tensor]:
    shapes = {'fc.1.weight': (_CALIBRATION_HIDDEN, width), 'fc.1.bias': (_CALIBRATION_HIDDEN,),
              'fc.3.weight': (1, _CALIBRATION_HIDDEN), 'fc.3.bias': (1,)}
    return {UNUSED + name: torch.zeros(shape) for name, shape in shapes.items()}
