"""Valid files that hostile ones are made of."""

import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avzoo.checkpoints.training import TRAINING_FORMAT, save_checkpoint
from avzoo.checkpoints.zoo_weights import write_zoo_weights
from avzoo.config.load import load_config
from avzoo.engine.curriculum.state import CurriculumState, deciding_settings
from avzoo.zoo.build import build_model
from tests.conftest import CONFIGS, SMALL_AVDIFF, write_store

INFO = dict(
    feature_dims=dict(audio=6, visual=9),
    seconds_per_step=dict(audio=0.96, visual=0.64),
    num_classes=11,
    embedding_dim=5,
)
CLASSES = [f'class{i:02}' for i in range(11)]
# Name of the config; predictions look for weights of this name.
_OPTIONS = ('num_shots=2', 'curriculum.choices=[]', 'curriculum.references=[]', 'curriculum.num_draws=2', *SMALL_AVDIFF)


@dataclass(frozen=True)
class Material:
    """A folder of valid files, which nothing may change.

    Args:
        root: The folder.
    """

    root: Path

    @property
    def store(self) -> Path:
        """A feature store."""
        return self.root / 'store'

    @property
    def config(self) -> Path:
        """A config of a small AV-DIFF on the store."""
        return self.root / 'tiny.py'

    @property
    def checkpoint(self) -> Path:
        """A training checkpoint of a full sub-stage."""
        return self.root / 'model.pth'

    @property
    def weights(self) -> Path:
        """Zoo weights, with their JSON."""
        return self.root / 'model.safetensors'

    @property
    def clip(self) -> Path:
        """The features of one clip."""
        return self.root / 'clip.npz'

    @property
    def work_dir(self) -> Path:
        """The state of a run whose stage 1 is finished."""
        return self.root / 'work_dir'

    @property
    def support(self) -> Path:
        """A folder of clips of two new classes."""
        return self.root / 'support'

    @property
    def lists(self) -> Path:
        """Zero-shot lists, features and class vectors of six videos."""
        return self.root / 'lists'

    def content(self) -> dict[str, Any]:
        """Return the content of the checkpoint, to be changed."""
        return torch.load(io.BytesIO(self.checkpoint.read_bytes()), weights_only=True)

    def copy_store(self, folder: Path) -> Path:
        """Return a copy of the store, to be changed."""
        return Path(shutil.copytree(self.store, folder / 'store'))

    def copy_weights(self, folder: Path) -> Path:
        """Return a copy of the zoo weights and their JSON, to be changed."""
        for suffix in ('.safetensors', '.json'):
            shutil.copy(self.weights.with_suffix(suffix), folder)
        return folder / self.weights.name


def make_material(root: Path) -> Material:
    """Write the valid files."""
    material = Material(root)
    write_store(material.store)
    _write_config(material)
    cfg = load_config(material.config)
    torch.manual_seed(0)
    model = build_model(cfg, INFO).eval()
    model.gamma.fill_(0.25)
    meta = dict(
        phase='stage2_full_draw0',
        stage=2,
        substage='full',
        draw=0,
        num_shots=2,
        epoch=1,
        seed=0,
        classes=CLASSES,
        base_mask=[i < 9 for i in range(11)],
        data_info=INFO,
        config=json.loads(json.dumps(cfg.to_dict())),
        outcomes=dict(stage1_full=dict(best_epoch=1)),
    )
    save_checkpoint(
        material.checkpoint, dict(meta=dict(meta, format=TRAINING_FORMAT), state_dict=dict(model.state_dict()))
    )
    write_zoo_weights(material.weights, model.state_dict(), dict(meta, name='model', gamma=0.25))
    rng = np.random.default_rng(0)
    np.savez(material.clip, audio=rng.normal(size=(2, 6)), visual=rng.normal(size=(3, 9)))
    _write_work_dir(material, cfg)
    _write_support(material.support, rng)
    _write_lists(material.lists, rng)
    return material


def _write_config(material: Material) -> None:
    options = [*_OPTIONS, f'data_root={material.store}', 'train_dataloader.batch_size=8']
    cfg = load_config(CONFIGS / 'avdiff' / 'avdiff_custom_5shot.py', options)
    cfg.dump(str(material.config))


def _write_work_dir(material: Material, cfg: Any) -> None:
    material.work_dir.mkdir()
    state = CurriculumState(material.work_dir, deciding_settings(cfg), processes=1)
    outcome = dict(best_epoch=1, gamma=0.25, scale=1.0, last_gamma=0.25, last_scale=1.0)
    state.phases = dict(stage1_base={}, stage1_full=outcome, stage2_base={}, stage2_full_draw0={}, stage2_full_draw1={})
    state.write()
    for name in state.phases:
        (material.work_dir / name).mkdir()
        shutil.copy(material.checkpoint, material.work_dir / name / 'last.pth')


def _write_support(folder: Path, rng: np.random.Generator) -> None:
    for name in ('blowing glass', 'tap dance'):
        (folder / name).mkdir(parents=True)
        for i in range(2):
            np.savez(folder / name / f'{i}.npz', audio=rng.normal(size=(2, 6)), visual=rng.normal(size=(3, 9)))
    np.save(folder / 'class_embeddings.npy', rng.normal(size=(2, 5)).astype(np.float32))


def _write_lists(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir()
    classes = dict(
        stage_1_train='aa',
        stage_1_val_seen='aa',
        stage_1_val_unseen='bb',
        stage_2_test_seen='aa',
        stage_2_test_unseen='cc',
    )
    videos = [(name, f'{name}_{i}', label) for name, label in classes.items() for i in range(4)]
    for name in classes:
        rows = [f'{video},{label}' for list_name, video, label in videos if list_name == name]
        (folder / f'{name}.csv').write_text('\n'.join(['filename,label', *rows]) + '\n')
    np.savez(
        folder / 'features.npz',
        video_id=np.array([video for _, video, _ in videos]),
        audio=rng.normal(size=(len(videos), 6)),
        visual=rng.normal(size=(len(videos), 9)),
    )
    np.save(folder / 'vectors.npy', rng.normal(size=(3, 5)))
    (folder / 'classes.csv').write_text('label,text\naa,aa\nbb,bb\ncc,cc\n')
