"""Adapt a trained model to new classes from a few clips: the paper's full sub-stage, on your own classes."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from avzoo.apis.base_checkpoint import BaseCheckpoint
from avzoo.apis.hub import NameOrConfig
from avzoo.apis.support_videos import prepare_support, vectors_of_names
from avzoo.checkpoints.trained_config import as_trained
from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, save_checkpoint
from avzoo.config.as_data import as_plain, plain_config
from avzoo.config.load import check_config
from avzoo.datasets.feature_set import FeatureSet, compare_feature_sets
from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine.curriculum.plan import Phase, phase_config
from avzoo.engine.curriculum.progress import Progress
from avzoo.engine.curriculum.train_phase import train_phase
from avzoo.engine.log import log_line, run_logger
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.importers.support_set import MakeVectors, SupportSet, open_support_set, zero_vectors
from avzoo.importers.synthetic import ensure_synth
from avzoo.utils.arguments import check_natural, check_positive
from avzoo.utils.errors import AvzooError, ConfigError, DataError
from avzoo.utils.files import check_out
from avzoo.utils.in_progress import scratch_folder
from avzoo.zoo.build import config_of, weights_of
from avzoo.zoo.weights import find_checkpoint


def adapt(
    name_or_config: NameOrConfig,
    checkpoint: str | os.PathLike[str] | None = None,
    *,
    support: str | os.PathLike[str],
    shots: int,
    out: str | os.PathLike[str],
    base_store: str | os.PathLike[str] | None = None,
    draw: int = 0,
    classes: Sequence[str] | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    device: str = 'cpu',
) -> dict[str, Any]:
    """Adapt a model to new classes, and write a checkpoint that has its base classes and the new ones.

    Base classes keep their rows of the classifier; novel classes learned before are dropped. New classes get new rows;
    after a base sub-stage they first get the rows that it left unlearned, as in the curriculum. Then one full sub-stage
    runs (AV-DIFF, sec. 4.3): the fusion is frozen, and batches of base videos and of support clips alternate. The store
    of the base videos is required because the model would otherwise forget its base classes. Epochs, learning-rate
    drops and calibration are those chosen in stage 1, if the checkpoint has them.

    Args:
        name_or_config: A zoo model name, a config file, the folder of a run, or a config.
        checkpoint: A checkpoint of a base or full sub-stage; by default the weights of the named model, or the base
            model of the run's stage 2.
        support: Clips of the new classes: a feature store or a folder, see :func:`open_support_set`; or videos or
            extracted features, see :func:`prepare_support`.
        shots: Clips per new class.
        out: Checkpoint to write, ``.pth``.
        base_store: Feature store with the base classes' training videos; by default the config's ``data_root``.
        draw: Which draw of the support clips.
        classes: Use only these classes of the support clips.
        epochs: Epochs of training; by default as chosen in stage 1, or else as in the config.
        seed: Random seed; by default the config's.
        device: Device for extracting the features of videos.

    Returns:
        ``checkpoint`` (its path), ``base_classes``, ``novel_classes``, and ``dropped_classes``: novel classes that the
        model had learned before and no longer knows.

    Raises:
        ConfigError: If ``out`` cannot be written; this is checked before training.
        CheckpointError: If the checkpoint does not exist or does not fit the config.
        DataError: If the support clips or the base store do not fit the model.
    """
    out = Path(out)
    shots, draw = check_positive('shots', shots), check_natural('draw', draw)
    epochs = None if epochs is None else check_positive('epochs', epochs)
    _check_out(out)
    cfg = plain_config(config_of(name_or_config))
    if epochs is not None and not cfg.curriculum.full.max_epochs:
        raise ConfigError(f'epochs={epochs} has no effect with curriculum.full.max_epochs=0. Leave it out.')
    cfg, model = _open_model(cfg, checkpoint)
    if out.exists() and out.samefile(model.path):
        raise ConfigError(f'{out} is the checkpoint to start from and cannot be overwritten. Choose another file.')
    base = model.base_classes
    store = FeatureStore(_base_root(cfg, base_store))
    if seed is not None:
        cfg.randomness.seed = check_natural('seed', seed)
        check_config(cfg)
    run_logger()
    cfg.merge_from_dict(dict(data_root=str(store.root), num_shots=shots))
    config = as_plain(cfg)  # Before the temporary paths of this adaptation enter it.
    with scratch_folder('avzoo-adapt') as scratch:
        clips = _open_clips(cfg, model, store, Path(support), scratch, draw=draw, classes=classes, device=device)
        cfg.train_dataloader.dataset.update(_train_data(model, clips, store))
        with _naming(support, clips.store.root):
            trained = _train(cfg, model, Phase(2, 'full', draw), model.outcomes(cfg, epochs), scratch / 'run')
        out.parent.mkdir(parents=True, exist_ok=True)
        features = {**model.feature_set.texts, **trained['meta'].get('feature_set', {})}
        kept = dict(config=config, **({'feature_set': features} if features else {}))
        trained.pop('optimizer')  # Nothing resumes from it.
        save_checkpoint(out, dict(trained, meta=trained['meta'] | kept))
    novel = list(clips.classes)
    dropped = [name for name in model.novel_classes if name not in novel]
    return dict(checkpoint=out, base_classes=base, novel_classes=novel, dropped_classes=dropped)


def _open_model(cfg: Config, checkpoint: str | os.PathLike[str] | None) -> tuple[Config, BaseCheckpoint]:
    """Load the base model; return it with the config as it was trained, and refuse one trained with another config."""
    file = weights_of(cfg, 'base') if checkpoint is None else find_checkpoint(checkpoint)
    model = BaseCheckpoint(file.path, file.load())
    return as_trained(cfg, model.meta, str(file.path)), model


def _open_clips(
    cfg: Config,
    model: BaseCheckpoint,
    store: FeatureStore,
    support: Path,
    scratch: Path,
    *,
    draw: int,
    classes: Sequence[str] | None,
    device: str,
) -> SupportSet:
    """Open the support clips, and refuse them or base videos if they do not fit the model."""
    info = model.meta['data_info']
    ready = prepare_support(
        support,
        model=model.feature_set,
        modalities=tuple(cfg.model.encoders),
        scratch=scratch,
        device=device,
    )
    missing_vectors: MakeVectors = partial(zero_vectors, width=info['embedding_dim'])
    if cfg.model.get('conditioner'):
        embedding = cfg.train_dataloader.dataset.get('embedding')
        missing_vectors = partial(vectors_of_names, store=store, embedding=embedding, scratch=scratch)
    with _naming(support, ready.folder):
        clips = open_support_set(
            ready.folder,
            shots=cfg.num_shots,
            known=model.base_classes,
            scratch=scratch,
            draw=draw,
            classes=classes,
            seconds=info['seconds_per_step'],
            missing_vectors=missing_vectors,
            seed=cfg.randomness.seed,
        )
    model.check_base_videos(store, cfg.num_shots)
    features = FeatureSet(str(support), ready.features or clips.store.feature_set.texts)
    _compare_features(model, (store.feature_set, features), cfg.model.encoders)
    return clips


def _compare_features(model: BaseCheckpoint, others: Sequence[FeatureSet], modalities: Collection[str]) -> None:
    """Refuse stores whose features are not the model's, and warn if this cannot be determined."""
    for other in {one.owner: one for one in others}.values():
        if doubt := compare_feature_sets(model.feature_set, other, modalities):
            log_line(f'WARNING: {doubt}')


@contextmanager
def _naming(support: str | os.PathLike[str], temporary: Path) -> Iterator[None]:
    """Name the user's folder in errors, not the temporary one made from it."""
    try:
        yield
    except AvzooError as error:
        message, *details = (line.replace(str(temporary), str(support)) for line in error.lines)
        raise type(error)(message, details=details) from error


def _train_data(model: BaseCheckpoint, clips: SupportSet, base_store: FeatureStore) -> dict[str, Any]:
    """Return the training data's config for an adaptation: base videos and support clips."""
    return dict(
        type='AdaptationDataset',
        support=str(clips.store.root),
        support_ids=clips.video_ids,
        classes=_column_order(model.base_classes, clips, base_store),
        base_classes=model.base_classes,
        base_split=model.base_split,
    )


def _train(
    cfg: Config, model: BaseCheckpoint, phase: Phase, outcomes: dict[str, dict[str, Any]], work_dir: Path
) -> dict[str, Any]:
    """Run the full sub-stage and return its last checkpoint."""
    run_cfg = phase_config(cfg, phase, outcomes, work_dir)
    state = model.adapted_state(run_cfg, cfg.train_dataloader.dataset['classes'], cfg.randomness.seed)
    start = Path(run_cfg.load_from)
    start.parent.mkdir(parents=True)
    save_checkpoint(start, dict(meta=dict(format=TRAINING_FORMAT), state_dict=state))
    train_phase(
        PhaseRunner.from_cfg(run_cfg),
        phase,
        Progress(cfg, [phase], outcomes),
        monitor=cfg.curriculum.full.monitor,
        outcomes=outcomes,
        choices=list(model.meta.get('choices') or []),
    )
    return load_checkpoint(Path(run_cfg.work_dir) / 'last.pth')


def _check_out(out: Path) -> None:
    if out.suffix != '.pth' or out.is_dir():
        raise ConfigError(
            f'{out} cannot be the adapted checkpoint: choose a file name that ends in .pth. '
            'tools/model_converters/publish_model.py converts it to .safetensors.'
        )
    check_out(out)


def _base_root(cfg: Config, base_store: str | os.PathLike[str] | None) -> Path:
    root = Path(base_store or cfg.data_root)
    if base_store is None:
        ensure_synth(cfg)
    if not (root / 'store.json').is_file():
        raise DataError(
            f'There is no feature store {root}. Without videos of its base classes, the model forgets '
            'them: give the store that it was trained on as base_store (--base-store).'
        )
    return root


def _column_order(base: Sequence[str], clips: SupportSet, base_store: FeatureStore) -> list[str]:
    """Return the classes in the order of a store with all of them, whose test splits then fit; else base first."""
    columns = [*base, *clips.classes]
    for store in (clips.store, base_store):
        places = {name: i for i, name in enumerate(store.class_names)}
        if all(name in places for name in columns):
            return sorted(columns, key=places.__getitem__)
    return columns
