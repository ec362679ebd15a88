"""Teach a trained model new classes from a few clips: the full sub-stage of the paper on classes of one's own."""

import copy
import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from avzoo.checkpoints.class_rows import carry_class_rows
from avzoo.checkpoints.meta import class_columns, require_meta
from avzoo.checkpoints.trained_config import check_trained_config
from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, save_checkpoint
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.synthetic import ensure_synth
from avzoo.engine.curriculum.evaluate import check_splits
from avzoo.engine.curriculum.plan import Phase, phase_config, phase_epochs
from avzoo.engine.curriculum.progress import Progress
from avzoo.engine.hooks import PhaseHook
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.importers.support_set import SupportSet, open_support_set
from avzoo.utils.arguments import check_positive
from avzoo.utils.errors import AvzooError, CheckpointError, ConfigError, DataError
from avzoo.zoo.build import build_model, config_of, model_name
from avzoo.zoo.publish import stage_one_outcomes
from avzoo.zoo.weights import find_checkpoint, find_zoo_weights


def adapt(
    name_or_config: str | os.PathLike | Config,
    checkpoint: str | os.PathLike | None = None,
    *,
    support: str | os.PathLike,
    shots: int,
    out: str | os.PathLike,
    base_store: str | os.PathLike | None = None,
    draw: int = 0,
    classes: Sequence[str] | None = None,
    epochs: int | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Teach new classes to a model and write a checkpoint that knows its base classes and the new ones.

    The model's base classes keep their rows of the classifier; novel classes that it learned before are dropped. Rows
    of the new classes start anew; after a base sub-stage those that it left unlearned serve them first, as in the
    curriculum. Then one full sub-stage runs (AV-DIFF, sec. 4.3): the fusion is frozen, and batches
    of base videos and of the support take turns. Without base videos it would forget its base classes, so their store
    is needed. Epochs, learning-rate drops and calibration are those that stage 1 chose, where the checkpoint tells.

    Args:
        name_or_config: A name of the index, a config file, or a config.
        checkpoint: A base model: a checkpoint of a base sub-stage, or of a full one; by default the published weights.
        support: Clips of the new classes: a feature store or a folder, see :func:`open_support_set`.
        shots: Clips per new class.
        out: Checkpoint to write, ``.pth``.
        base_store: Feature store with the base classes' training videos; by default the config's ``data_root``.
        draw: Which draw of the support.
        classes: Only these classes of the support.
        epochs: Epochs of training; by default as stage 1 chose, else as the config says.
        seed: Random seed; by default the config's.

    Returns:
        ``checkpoint`` (its path), ``base_classes`` and ``novel_classes``.

    Raises:
        ConfigError: If ``out`` cannot become a checkpoint; that is found before anything is trained.
        CheckpointError: If there is no base model, or it does not fit the config.
        DataError: If the support or the base store does not fit the model.
    """
    out = Path(out)
    _check_arguments(out, shots, epochs)
    cfg = copy.deepcopy(config_of(name_or_config))
    file = find_zoo_weights(model_name(cfg)) if checkpoint is None else find_checkpoint(checkpoint)
    content, path = file.load(), file.path
    meta = content['meta']
    check_trained_config(cfg, meta, str(path))
    base = [name for name, is_base in zip(*class_columns(meta, path), strict=True) if is_base]
    root = _base_root(cfg, base_store)
    if seed is not None:
        cfg.randomness.seed = seed
    MMLogger.get_instance('avzoo', logger_name='avzoo')
    with tempfile.TemporaryDirectory(prefix='avzoo-adapt-') as scratch:
        width = None if cfg.model.get('conditioner') else meta['data_info']['embedding_dim']
        clips = open_support_set(
            support,
            shots=shots,
            known=base,
            scratch=Path(scratch),
            draw=draw,
            classes=classes,
            seconds=meta['data_info']['seconds_per_step'],
            vector_width=width,
            seed=cfg.randomness.seed,
        )
        store = FeatureStore(root)
        shots_of_base = meta.get('num_shots', shots)
        if shots_of_base in store.shots():
            check_splits(meta, store, shots_of_base, str(path), only=f'stage{require_meta(meta, "stage", path)}_base')
        columns = _column_order(base, clips, store)
        cfg.merge_from_dict(dict(data_root=str(root), num_shots=shots))
        config = cfg.to_dict()  # Before the paths of this adaptation, which are gone after it.
        cfg.train_dataloader.dataset = dict(
            cfg.train_dataloader.dataset,
            type='AdaptationDataset',
            support=str(clips.store.root),
            support_ids=clips.video_ids,
            classes=columns,
            base_classes=base,
            base_split=f'stage{require_meta(meta, "stage", path)}_base',
        )
        outcomes = _outcomes(cfg, content, path, epochs)
        try:
            trained = _train(cfg, content, path, Phase(2, 'full', draw), outcomes, Path(scratch) / 'run')
        except AvzooError as error:  # A folder of clips was packed into a store that nobody but us knows of.
            raise type(error)(str(error).replace(str(clips.store.root), str(support))) from error
        out.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(out, dict(trained, meta=dict(trained['meta'], config=config)))
    return dict(checkpoint=out, base_classes=base, novel_classes=list(clips.classes))


def _train(cfg: Config, content: dict, path: Path, phase: Phase, outcomes: dict[str, dict], work_dir: Path) -> dict:
    """Run the full sub-stage and return its last checkpoint."""
    run_cfg = phase_config(cfg, phase, outcomes, work_dir)
    dataset = cfg.train_dataloader.dataset
    info = run_cfg.model.data_info.to_dict()
    _check_widths(content['meta']['data_info'], info, path)
    with torch.random.fork_rng(devices=[]):  # The rows of new classes follow from the seed, as all else does.
        torch.manual_seed(cfg.randomness.seed)
        fresh = build_model(run_cfg, info)
    before, keep = _kept_rows(content['meta'], dataset['base_classes'], dataset['classes'])
    state = carry_class_rows(
        content['state_dict'],
        fresh,
        build_model(run_cfg, dict(info, num_classes=info['num_classes'] + 1)),
        before=before,
        now=dataset['classes'],
        keep=keep,
        source=str(path),
    )
    start = Path(run_cfg.load_from)
    start.parent.mkdir(parents=True)
    save_checkpoint(start, dict(meta=dict(format=TRAINING_FORMAT), state_dict=state))
    runner = PhaseRunner.from_cfg(run_cfg)
    metainfo = runner.train_dataloader.dataset.metainfo
    facts = dict(
        phase=phase.name,
        stage=2,
        substage='full',
        draw=phase.draw,
        num_shots=cfg.num_shots,
        data_info=info,
        classes=metainfo['classes'],
        base_mask=metainfo['base_mask'],
        outcomes=outcomes,
    )
    progress = Progress(cfg, [phase], outcomes)
    runner.register_hook(
        PhaseHook(
            meta=facts,
            monitor=cfg.curriculum.full.monitor,
            keep_gamma=False,
            begin=partial(progress.begin, phase),
            report=progress.report,
        )
    )
    runner.train()
    return load_checkpoint(Path(run_cfg.work_dir) / 'last.pth')


def _kept_rows(meta: dict, base: Sequence[str], now: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the classes by row of the model, as they count from now on, and those whose rows are carried over.

    A base sub-stage has taught the rows of novel classes only that no base video is theirs. They are given to the new
    classes, to those of the same name first.
    """
    before = list(meta['classes'])
    if meta.get('substage') != 'base':
        return before, list(base)
    free = [name for name in before if name not in base and name not in now]
    given = dict(zip(free, (name for name in now if name not in before), strict=False))
    before = [given.get(name, name) for name in before]
    return before, [name for name in now if name in before]


def _check_arguments(out: Path, shots: int, epochs: int | None) -> None:
    check_positive('shots', shots)
    check_positive('epochs', 1 if epochs is None else epochs)
    if out.suffix != '.pth' or out.is_dir():
        raise ConfigError(
            f'{out} cannot be the adapted checkpoint: name a file that ends in .pth. '
            'tools/model_converters/publish_model.py makes .safetensors of it.'
        )
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f'{out} cannot be written: {folder} is no folder with the right to write. Name another file.')


def _base_root(cfg: Config, base_store: str | os.PathLike | None) -> Path:
    root = Path(base_store or cfg.data_root)
    if base_store is None:
        ensure_synth(cfg)
    if not (root / 'store.json').is_file():
        raise DataError(
            f'There is no feature store {root}. The model must see videos of its base classes again, or it '
            'forgets them: give the store that it was trained on with --base-store.'
        )
    return root


def _column_order(base: Sequence[str], clips: SupportSet, base_store: FeatureStore) -> list[str]:
    """Return the classes in the order of a store that has all of them, so that its test splits fit; else base first."""
    columns = [*base, *clips.classes]
    for store in (clips.store, base_store):
        places = {name: i for i, name in enumerate(store.class_names)}
        if all(name in places for name in columns):
            return sorted(columns, key=places.__getitem__)
    return columns


def _outcomes(cfg: Config, content: dict, path: Path, epochs: int | None) -> dict[str, dict]:
    """Return what stage 1 chose for the full sub-stage, as the curriculum keeps it."""
    meta = content['meta']
    if 'gamma' not in content['state_dict']:
        raise CheckpointError(
            f'{path} lacks the weight gamma, the calibration, which every model of avzoo has. Take a '
            'checkpoint of tools/train.py, or published weights.'
        )
    known = dict((meta.get('outcomes') or stage_one_outcomes(path)).get('stage1_full', {}))
    gamma = float(content['state_dict']['gamma'])
    known.update(gamma=gamma, last_gamma=gamma)
    chosen = epochs or known.get('best_epoch') or phase_epochs(cfg, Phase(1, 'full'), {})
    return dict(stage1_full=dict(known, best_epoch=int(chosen)))


def _check_widths(trained: dict, found: dict, path: Path) -> None:
    for key in ('feature_dims', 'seconds_per_step', 'embedding_dim'):
        if trained[key] != found[key]:
            raise CheckpointError(
                f'{path} was trained with {key} {trained[key]}, but the stores have {found[key]}. '
                'Use features and class vectors of the same networks.'
            )
