"""Runs of tools/train.py and tools/test.py on a tiny store, as fixtures."""

import pytest

from tests.conftest import SMALL_AVDIFF

CONFIG = 'configs/avdiff/avdiff_custom_5shot.py'
SMALL = (
    'num_shots=2',
    'train_dataloader.batch_size=8',
    'val_dataloader.batch_size=4',
    'test_dataloader.batch_size=4',
    'train_dataloader.batch_sampler.num_batches=2',
    'curriculum.base.max_epochs=2',
    'curriculum.full.max_epochs=2',
    'curriculum.num_draws=2',
    'curriculum.choices=[]',
    "curriculum.references=['nearest_class_mean']",
    'optim_wrapper.optimizer.lr=1e-3',
    *SMALL_AVDIFF,
)


@pytest.fixture(scope='session')
def run(repo_dir, tool_server):
    """Run a tool in a process of its own; returns exit code, standard output and standard error."""
    return lambda tool, *arguments: tool_server.run(repo_dir / f'tools/{tool}.py', *arguments, cwd=repo_dir)


@pytest.fixture(scope='session')
def options(tiny_store):
    return ('--cfg-options', f'data_root={tiny_store}', *SMALL)


@pytest.fixture(scope='session')
def trained(run, options, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('trained')
    code, out, err = run('train', CONFIG, '--work-dir', work_dir, *options)
    assert code == 0, err
    return work_dir, out + err
