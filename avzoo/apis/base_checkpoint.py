"""The checkpoint that an adaptation starts from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from avzoo.checkpoints.class_rows import carry_class_rows
from avzoo.checkpoints.meta import class_columns, feature_set_of, require_meta
from avzoo.datasets.feature_set import FeatureSet
from avzoo.datasets.feature_store import FeatureStore
from avzoo.engine.curriculum.evaluate import check_splits
from avzoo.engine.curriculum.plan import Phase, phase_epochs
from avzoo.protocol import base_split
from avzoo.utils.errors import CheckpointError
from avzoo.zoo.build import build_model
from avzoo.zoo.publish import stage_one_outcomes


@dataclass(frozen=True)
class BaseCheckpoint:
    """A trained model that keeps its base classes while it learns new ones.

    Args:
        path: Its file.
        content: What the file holds.
    """

    path: Path
    content: Mapping[str, Any]

    @property
    def meta(self) -> dict[str, Any]:
        """The checkpoint's own metadata."""
        return self.content['meta']

    @property
    def base_classes(self) -> list[str]:
        """Its base classes, in the order of its columns."""
        names = [name for name, is_base in zip(*class_columns(self.meta, self.path), strict=True) if is_base]
        if not names:
            raise CheckpointError(f'{self.path} has no base classes to keep. Use another checkpoint.')
        return names

    @property
    def novel_classes(self) -> list[str]:
        """The novel classes that it has learned; none after a base sub-stage, which sees no videos of them."""
        if self.meta.get('substage') == 'base':
            return []
        return [name for name, is_base in zip(*class_columns(self.meta, self.path), strict=True) if not is_base]

    @property
    def base_split(self) -> str:
        """The split that its base classes were trained on."""
        return base_split(require_meta(self.meta, 'stage', self.path))

    @property
    def feature_set(self) -> FeatureSet:
        """Its record of the features that it was trained on."""
        return feature_set_of(self.meta, self.path)

    def check_base_videos(self, store: FeatureStore, shots: int) -> None:
        """Refuse a store whose base split does not hold the videos that the checkpoint was trained on.

        Args:
            store: The store of the base classes.
            shots: K of the split, if the checkpoint does not give it.
        """
        shots = self.meta.get('num_shots', shots)
        if shots in store.shots():
            check_splits(self.meta, store, shots, str(self.path), only=self.base_split)

    def check_data(self, data_info: Mapping[str, Any]) -> None:
        """Refuse data whose widths or step lengths are not those that the checkpoint was trained on."""
        trained = self.meta['data_info']
        for key in ('feature_dims', 'seconds_per_step', 'embedding_dim'):
            if trained[key] != data_info[key]:
                raise CheckpointError(
                    f'{self.path} was trained with {key} {trained[key]}, but the stores have {data_info[key]}. '
                    'Use features and class vectors from the same networks.'
                )

    def outcomes(self, cfg: Config, epochs: int | None) -> dict[str, dict[str, Any]]:
        """Return what stage 1 chose for the full sub-stage, in the form that the curriculum keeps.

        Args:
            cfg: The config, for the number of epochs if stage 1 is unknown.
            epochs: Epochs to train instead.
        """
        state = self.content['state_dict']
        if 'gamma' not in state:
            raise CheckpointError(
                f'{self.path} lacks the weight gamma (the calibration), which every avzoo model has. Use a '
                'checkpoint from tools/train.py, or zoo weights.'
            )
        known = dict((self.meta.get('outcomes') or stage_one_outcomes(self.path)).get('stage1_full', {}))
        for name in ('gamma', 'scale'):
            if name in state:
                known.update({name: float(state[name]), f'last_{name}': float(state[name])})
        chosen = epochs or known.get('best_epoch') or phase_epochs(cfg, Phase(1, 'full'), {})
        return dict(stage1_full=dict(known, best_epoch=int(chosen)))

    def adapted_state(self, cfg: Config, classes: Sequence[str], seed: int) -> dict[str, Tensor]:
        """Return the weights to start from: those of the checkpoint, with new rows for the new classes.

        Args:
            cfg: Config of the run, with the ``data_info`` of the new classes.
            classes: All classes by column, base and new.
            seed: Seed of the new rows.
        """
        info = cfg.model.data_info.to_dict()
        self.check_data(info)
        with torch.random.fork_rng(devices=[]):  # New rows depend on the seed alone.
            torch.manual_seed(seed)
            fresh = build_model(cfg, info)
        wider = build_model(cfg, dict(info, num_classes=info['num_classes'] + 1))
        before, keep = self.kept_rows(classes)
        return carry_class_rows(
            self.content['state_dict'], fresh, wider, before=before, now=classes, keep=keep, source=str(self.path)
        )

    def kept_rows(self, classes: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the new class of each row of the checkpoint, and the classes whose rows are carried over.

        A base sub-stage sees no videos of novel classes, so their rows have only learned to score base videos low.
        The new classes take over these rows, those of the same name first.

        Args:
            classes: All classes of the adapted model.
        """
        before = list(self.meta['classes'])
        base = self.base_classes
        if self.meta.get('substage') != 'base':
            return before, base
        free = [name for name in before if name not in base and name not in classes]
        given = dict(zip(free, (name for name in classes if name not in before), strict=False))
        before = [given.get(name, name) for name in before]
        return before, [name for name in classes if name in before]
