"""What the released AV-DIFF code computed, and the same model imported."""

import runpy
import zipfile
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from avzoo.engine.hooks import ExtraForwardHook


@pytest.fixture(scope='session')
def golden_dir(shared_dir):
    folder = shared_dir / 'golden' / 'avdiff_ucf'
    if not folder.is_dir():
        pytest.skip('no golden values beside the checkout')
    return folder


@pytest.fixture(scope='session')
def golden(golden_dir):
    """The arrays: golden.inputs, golden.outputs, golden.train_step, golden.metrics."""
    names = ('inputs', 'outputs', 'train_step', 'metrics')
    return SimpleNamespace(**{name: dict(np.load(golden_dir / f'{name}.npz', allow_pickle=False)) for name in names})


@pytest.fixture(scope='session')
def golden_store(golden_dir, tmp_path_factory):
    """The feature store imported from the golden data set."""
    from avzoo.avdiff_release.features import import_released_features

    root, out = tmp_path_factory.mktemp('released'), tmp_path_factory.mktemp('stores') / 'ucf'
    with zipfile.ZipFile(golden_dir / 'dataset_small_ucf.zip') as archive:
        archive.extractall(root)
    return import_released_features(root, out)


@pytest.fixture(scope='session')
def conversion(golden_dir, golden_store):
    from avzoo.avdiff_release.import_checkpoint import import_checkpoint

    return import_checkpoint(golden_dir / 'AVDiff_score.pt', data_root=golden_store)


@pytest.fixture
def build(conversion, tmp_path):
    """A function that builds the imported model, with changes of its config and of what a phase sets."""
    from avzoo.config.load import load_config
    from avzoo.registry import MODELS

    def make(*options, strict=True, **of_phase):
        path = tmp_path / 'config.py'
        path.write_text(conversion.config)
        cfg = load_config(path, options)
        model = MODELS.build(
            dict(
                cfg.model.to_dict(),
                data_preprocessor=cfg.data_preprocessor.to_dict(),
                data_info=conversion.checkpoint['meta']['data_info'],
                **of_phase,
            )
        )
        model.load_state_dict(conversion.checkpoint['state_dict'], strict=strict)
        return model.eval()

    return make


@pytest.fixture
def batch(golden):
    """A function that gives a golden batch as the data set would: '' (validation), 'novel_' or 'base_'."""

    def make(prefix=''):
        features = {}
        for ours, theirs in (('audio', 'audio'), ('visual', 'video')):
            mask = golden.inputs[f'{prefix}{theirs}_mask']
            features[ours] = dict(
                x=torch.tensor(golden.inputs[f'{prefix}{theirs}']),
                lengths=torch.tensor(mask.sum(1)).long(),
                starts=torch.zeros(len(mask), dtype=torch.long),
            )
        return dict(features=features, label=torch.tensor(golden.inputs[f'{prefix}target']))

    return make


def without_dropout(model):
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return model


@pytest.fixture(scope='session')
def recorder(repo_dir):
    """The names in ``tools/misc/parity_records.py``."""
    return runpy.run_path(str(repo_dir / 'tools/misc/parity_records.py'))


@pytest.fixture
def fixed_noise(recorder):
    """A function that makes the diffusion model draw given steps and noises, in this order, to the test's end."""
    with ExitStack() as stack:
        yield lambda noises, t=None: stack.enter_context(recorder['fixed_draws'](noises, t))


def second_forward(model, *turn):
    """Let ``ExtraForwardHook`` see the batches of one turn, each after its step."""
    runner = SimpleNamespace(
        plain_model=model, train_dataloader=SimpleNamespace(batch_sampler=SimpleNamespace(subsets=turn))
    )
    hook = ExtraForwardHook()
    for i, batch in enumerate(turn):
        hook.after_train_iter(runner, i, batch)
