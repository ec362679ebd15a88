"""Released AV-DIFF checkpoints to avzoo's format."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from avzoo.avdiff_release.config import RELEASED_SHOTS, config_from_args, config_text, window_by_seconds
from avzoo.avdiff_release.keys import UNUSED, from_released
from avzoo.avdiff_release.runs import ReleasedFile, ReleasedRun, find_runs
from avzoo.avdiff_release.settings import check_settings
from avzoo.avdiff_release.tensors import shown
from avzoo.checkpoints.training import TRAINING_FORMAT, load_weights
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine.curriculum.plan import Phase
from avzoo.registry import MODELS
from avzoo.utils.differences import first_difference
from avzoo.utils.errors import AvzooError, CheckpointError
from avzoo.version import __version__

TITLE = 'AV-DIFF as released'  # how the config of a converted checkpoint begins
_SECONDS = {'audio': 0.96, 'visual': 0.64}
_MAX_WIDTH = 1 << 14  # of features, class vectors and the classifier


@dataclass
class ImportedCheckpoint:
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


def import_checkpoint(
    source: str | Path,
    *,
    dataset: str | None = None,
    shots: int | None = None,
    stage: int | None = None,
    draw: int | None = None,
    data_root: str | Path | None = None,
    gamma: float | None = None,
) -> ImportedCheckpoint:
    """Convert a released checkpoint.

    Args:
        source: A ``.pt``, a run folder, or a zip or folder of many run folders.
        dataset: ``vgg``, ``ucf`` or ``activitynet``: which run to take; needed for a ``.pt`` without ``args.yaml``.
        shots: K of the run to take.
        stage: Stage of the run to take.
        draw: Which draw of a stage-2 run; the first if not given. Stage 1 has none.
        data_root: Feature store that gives class names and class vectors, which a checkpoint does not hold.
        gamma: Calibration, which a checkpoint does not hold either; 0 if not given.

    Raises:
        CheckpointError: If no run or several fit, or the checkpoint is damaged or of another architecture.
    """
    if gamma is not None and not math.isfinite(gamma):
        raise CheckpointError(f'gamma={gamma} is no calibration; give a finite number, usually from 0 to 1.')
    runs = find_runs(Path(source))
    run = _choose(runs, dataset, shots, stage)
    dataset, shots, stage = _facts(run, dataset, shots, stage)
    cfg = config_from_args(run.args, dataset, shots)
    cfg.data_root = str(data_root or cfg.data_root)
    draw = _draw(run, stage, draw)
    file = _checkpoint_file(run, draw)
    released = file.load()
    state = from_released(released['model'], str(file))
    hint = (
        ''
        if run.args
        else (
            f' No args.yaml lies beside it, so the published settings of {dataset} with {shots} '
            'shots were taken: check --dataset and --shots, or put its args.yaml there.'
        )
    )
    _check_layers(released['model'], cfg, str(file), hint)
    info, phase = _data_info(state, str(file)), Phase(stage, 'full', draw)
    meta = dict(
        format=TRAINING_FORMAT,
        avzoo_version=__version__,
        phase=phase.name,
        stage=stage,
        substage='full',
        draw=phase.draw,
        dataset=dataset,
        num_shots=shots,
        epoch=released.get('epoch', 0),
        iter=0,
        seed=cfg.randomness.seed,
        history=[],
        data_info=info,
        source=f'released AV-DIFF checkpoint {Path(file.member or file.path).name}',
    )
    notes = _complete(state, meta, cfg, data_root, gamma)
    if not run.args and shots not in RELEASED_SHOTS:
        notes.append(f'The authors published no settings for {shots} shots: those for 5 were taken.')
    notes += [f'A run was left out: {other.problem}' for other in runs if other.problem]
    _check_fit(cfg, info, state, str(file), hint)
    meta['config'] = cfg.to_dict()
    meta['notes'] = notes
    unused = {k: v for k, v in released['model'].items() if k.startswith(UNUSED)}
    kept = dict(
        epoch=released.get('epoch'),
        metric=released.get('metric'),
        optimizer=released.get('optimizer', {}),
        keys=list(released['model']),
        unused=unused,
    )
    return ImportedCheckpoint(
        dict(meta=meta, state_dict=state, optimizer={}, param_schedulers=[], released=kept),
        config_text(cfg, f'{TITLE}: {dataset}, {shots} shots, stage {stage}.'),
        str(file),
        notes,
    )


def _choose(runs: Sequence[ReleasedRun], dataset: str | None, shots: int | None, stage: int | None) -> ReleasedRun:
    if len(runs) == 1 and not runs[0].args:
        return runs[0]
    wanted = dict(dataset=dataset, shots=shots, stage=stage)
    unreadable = [run.problem for run in runs if run.problem]
    runs = [run for run in runs if not run.problem]
    fitting = [run for run in runs if all(v in (None, getattr(run, k)) for k, v in wanted.items())] or [
        run for run in runs if all(v is None or run.may_be(k, v) for k, v in wanted.items())
    ]
    if len(fitting) == 1:
        return fitting[0]
    asked = ', '.join(f'{k} {v}' for k, v in wanted.items() if v is not None) or 'nothing in particular'
    found = '; '.join(str(run) for run in (fitting or runs)[:6]) + ('; ...' if len(fitting or runs) > 6 else '')
    problem = 'several runs fit' if fitting else 'no run fits'
    if unreadable and not fitting:
        problem = f'{unreadable[0].rstrip(".")}. Of the runs whose settings can be read, {problem}'
    apart = [f'--{key}' for key in wanted if len({getattr(run, key) for run in fitting or runs}) > 1]
    cure = f'Choose with {" and ".join(apart)}.' if apart else 'Leave out what it is not, or name another SRC.'
    if fitting and not apart:
        cure = 'They do not differ in what can be asked for: name the (unpacked) folder of one.'
    raise CheckpointError(f'{problem} ({asked} was asked for): {found}. {cure}')


def _facts(run: ReleasedRun, dataset: str | None, shots: int | None, stage: int | None) -> tuple[str, int, int]:
    if run.args:
        check_settings(run.args, run.name)
    facts = dict(dataset=run.dataset or dataset, shots=run.shots or shots, stage=run.stage or stage)
    missing = ' and '.join(f'--{name}' for name, value in facts.items() if value is None)
    if missing and run.args:
        raise CheckpointError(f'{run.name}: its args.yaml does not tell what it was trained on; give {missing}.')
    if missing:
        for file in run.files.values():  # What is no checkpoint at all is told first.
            file.load()
        raise CheckpointError(
            f'{run.name}: there is no args.yaml that tells what it was trained on. Put it beside the '
            f'checkpoint, or give {missing}; the published settings are then taken.'
        )
    return facts['dataset'], facts['shots'], facts['stage']


def _draw(run: ReleasedRun, stage: int, draw: int | None) -> int | None:
    """Return the draw that a checkpoint is of: ``None`` in stage 1, else what was asked for, or its folder tells."""
    if stage == 1:
        if draw is not None:
            raise CheckpointError(f'{run} is of stage 1, which has no draws; leave --draw out.')
        return None
    path = next(iter(run.files.values())).path if run.bare else None
    own = re.fullmatch(r'checkpoints(?:_([0-9]))?', path.parent.name) if path else None
    if own and draw not in (None, int(own[1] or 0)):
        raise CheckpointError(f'{path} is of draw {int(own[1] or 0)}, as its folder says, not of draw {draw}.')
    return int(own[1] or 0) if own else draw or 0


def _checkpoint_file(run: ReleasedRun, draw: int | None) -> ReleasedFile:
    """Return the checkpoint that the released code tests: the best of stage 1, the last of a draw of stage 2."""
    if run.bare:
        return next(iter(run.files.values()))
    if draw is not None:
        folder = 'checkpoints' + (f'_{draw}' if draw else '')
        epochs = {
            int(m[1]): f
            for name, f in run.files.items()
            if (m := re.fullmatch(rf'{folder}/AVDiff_score_ckpt_([0-9]{{1,6}})\.pt', name))
        }
        if epochs:
            return epochs[max(epochs)]
    if 'AVDiff_score.pt' in run.files and not draw:
        return run.files['AVDiff_score.pt']
    wanted = [] if draw is None else [f'checkpoints{f"_{draw}" if draw else ""}/AVDiff_score_ckpt_N.pt']
    wanted += [] if draw else ['AVDiff_score.pt']
    raise CheckpointError(
        f'{run} holds no checkpoint'
        + (f' of draw {draw}' if draw is not None else '')
        + f'; its .pt files: {", ".join(map(shown, sorted(run.files)[:5])) or "none"}. Expected: '
        f'{" or ".join(wanted)}. A .pt can also be named itself, out of an archive once it is '
        'unpacked.'
    )


def _check_layers(released: dict[str, Tensor], cfg: Config, source: str, hint: str) -> None:
    """Compare what the settings say about the layers with their names, before a model is built."""
    depth = len({key.split('.')[2] for key in released if key.startswith('Audio_visual_transformer.layers.')})
    if depth != cfg.model.fusion.depth:
        raise CheckpointError(
            f'{source} does not fit its settings: they say transformer_depth: '
            f'{cfg.model.fusion.depth}, it has {depth} layers.{hint}'
        )
    dropout = cfg.model.generator.noise_predictor.dropout
    if ('generator.fc.4.weight' in released) != (dropout > 0):
        raise CheckpointError(
            f'{source} does not fit its settings: they say diffusion_dropout_value: {dropout}, but '
            f'its layers are numbered {"without" if dropout > 0 else "with"} dropout.{hint}'
        )


def _data_info(state: dict[str, Tensor], source: str) -> dict[str, Any]:
    names = dict(
        head='head.fc.weight',
        generator='generator.noise_predictor.net.1.weight',
        **{m: f'encoders.{m}.net.0.weight' for m in _SECONDS},
    )
    shapes = {part: tuple(state[name].shape) for part, name in names.items()}
    for part, shape in shapes.items():
        if len(shape) != 2:
            raise CheckpointError(
                f"{source}: {names[part]} (avzoo's name) has the shape {shape}; two dimensions were expected."
            )
    num_classes, dim = shapes['head']
    embedding_dim = shapes['generator'][1] - dim - 1  # The noise predictor reads x_t, t and w.
    feature_dims = {m: shapes[m][1] for m in _SECONDS}
    for what, size in {'classes': num_classes, 'wide class vectors': embedding_dim, **feature_dims}.items():
        if not 1 <= size <= _MAX_WIDTH:
            raise CheckpointError(
                f'{source} is no checkpoint of AV-DIFF: by its shapes it has {size} {what}, where '
                f'1 to {_MAX_WIDTH} make sense.'
            )
    return dict(
        feature_dims=feature_dims, seconds_per_step=dict(_SECONDS), num_classes=num_classes, embedding_dim=embedding_dim
    )


def _complete(
    state: dict[str, Tensor], meta: dict[str, Any], cfg: Config, data_root: str | Path | None, gamma: float | None
) -> list[str]:
    """Add what the released checkpoint does not hold; return what stays unknown."""
    info, notes = meta['data_info'], []
    vectors = torch.zeros(info['num_classes'], info['embedding_dim'])
    if data_root is None:
        notes.append(
            'Class names and class vectors are unknown, as no feature store was given (--data-root): the '
            'vectors are zeros. tools/test.py needs neither; tools/predict.py needs the names.'
        )
    else:
        splits = (f'stage{meta["stage"]}_base',)
        data = GFSLDataset(data_root, splits=splits, num_shots=cfg.num_shots)
        if data.data_info != info:
            odd = first_difference(data.data_info, info)
            raise CheckpointError(
                f'{data_root} does not fit the checkpoint: {odd.path} is {odd.before} in the store '
                f'(stage {meta["stage"]}, {cfg.num_shots} shots) and {odd.now} in the checkpoint. '
                'Check --data-root and, where no args.yaml tells them, --stage and --shots.'
            )
        vectors = torch.from_numpy(data.class_embeddings)
        meta.update(classes=data.metainfo['classes'], base_mask=data.metainfo['base_mask'])
    if gamma is None:
        notes.append(
            'The calibration is unknown: gamma is 0. tools/test.py CONFIG CHECKPOINT --split val --gamma '
            'search finds it on validation, with the checkpoint of stage 1; convert again with --gamma.'
        )
    if window_by_seconds(cfg.to_dict(), 'test'):
        notes.append(
            'The released code cuts audio windows shorter than the visual ones beside them. The config cuts '
            'both by seconds; to score what the released code scores, add --cfg-options '
            'test_dataloader.dataset.window.audio_length=released, and with --split val the same of '
            'val_dataloader.'
        )
    state['conditioner.vectors'] = vectors
    state['gamma'] = torch.tensor(gamma or 0.0, dtype=torch.float64)
    return notes


def _check_fit(cfg: Config, info: dict[str, Any], state: dict[str, Tensor], source: str, hint: str) -> None:
    """Check that the config builds the model that the tensors are of."""
    parts = dict(cfg.model.to_dict(), data_info=info, data_preprocessor=cfg.data_preprocessor.to_dict())
    try:
        with torch.device('meta'):  # Shapes without memory: settings may claim any size.
            model = MODELS.build(parts)
    except (AvzooError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f'{source}: its settings describe no model that can be built: {error}{hint}') from error
    try:
        load_weights(model, {key: tensor.to('meta') for key, tensor in state.items()}, source)
    except CheckpointError as error:
        raise CheckpointError(f'{error}{hint}') from error
