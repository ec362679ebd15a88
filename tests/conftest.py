"""Fixtures that many tests share."""

import copy
import os
import signal
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from avzoo.utils import compat
from tests.forked import ToolServer
from tests.pace import (  # noqa: F401
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_collectstart,
    pytest_configure,
    pytest_runtestloop,
    remember_what_mmengine_asks_again,
)

compat.prepare_process()
# The question whether there is a GPU must not start CUDA: copies of this process could not use the GPU then.
os.environ.setdefault('PYTORCH_NVML_BASED_CUDA_CHECK', '1')

REPO = Path(__file__).resolve().parents[1]
CONFIGS = REPO / 'configs'
AVDIFF = 'avdiff/avdiff_custom_5shot.py'

# Several test processes share the cores; a second thread in each only makes them wait for one another.
os.environ.setdefault('OMP_NUM_THREADS', '1')
# A shell that starts the tests in the background has them, and every process they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope='session')
def repo_dir() -> Path:
    return REPO


@pytest.fixture(scope='session')
def shared_dir() -> Path:
    """The folder of reference data beside the checkout; tests that want it are skipped where it is absent."""
    path = REPO.parent / 'shared'
    if not path.is_dir():
        pytest.skip('no reference data beside the checkout')
    return path


@pytest.fixture(scope='session')
def tool_server():
    """Runs tools in copies of a process that has imported everything."""
    return ToolServer()


@pytest.fixture(autouse=True)
def own_choice_of_kernels():
    """Has each test begin with the kernels of a CPU that a process begins with; phases choose those of their config."""
    yield
    if (kernels := sys.modules.get('avzoo.models.kernels.cpu_kernels')) is not None:
        kernels.choose_cpu_kernels('auto')


@pytest.fixture(autouse=True)
def own_random_numbers():
    """Has each test draw the same numbers, whichever tests ran before it in its process."""
    if (torch := sys.modules.get('torch')) is not None:
        torch.manual_seed(0)


@pytest.fixture
def deterministic():
    """Lets a run ask for deterministic algorithms, which those after it in this process must not have."""
    import torch

    cudnn = torch.backends.cudnn
    before = torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(before[0])
    cudnn.deterministic, cudnn.benchmark = before[1:]


def write_store(
    out: Path,
    *,
    audio: int = 6,
    visual: int = 9,
    embedding_dim: int = 5,
    shots=(2,),
    draws: int = 2,
    novel_videos: int = 8,
    noise: float = 1.0,
) -> Path:
    """Write a store of 6 base, 3 and 2 novel classes, sequences of one to four steps, with its k-shot splits.

    Args:
        out: The store's folder.
        audio: Width of the audio features.
        visual: Width of the visual features.
        embedding_dim: Width of the class vectors.
        shots: The k of the splits.
        draws: Draws of each.
        novel_videos: Videos of a class that is new in stage 2; one that is new in stage 1 has one less in its list.
        noise: Deviation of each step; the class means have one of 1.
    """
    from avzoo.datasets.feature_store_writer import FeatureStoreWriter
    from avzoo.datasets.splits import ZeroShotLists, draw_splits

    rng = np.random.default_rng(0)
    classes = [f'class{i:02}' for i in range(11)]
    dims = {'audio': audio, 'visual': visual}
    centres = {m: rng.normal(size=(11, d)) for m, d in dims.items()}
    lists = {}
    modalities = {m: dict(dim=d, seconds_per_step=s) for (m, d), s in zip(dims.items(), (0.96, 0.64), strict=True)}
    with FeatureStoreWriter(out, name='tiny', modalities=modalities, classes=classes) as writer:
        for i, name in enumerate(classes):
            sizes = (
                {'stage_1_train': 6, 'stage_1_val_seen': 2, 'stage_2_test_seen': 2}
                if i < 6
                else {'stage_1_val_unseen': novel_videos - 1, 'stage_2_test_seen': 2}
                if i < 9
                else {'stage_2_test_unseen': novel_videos}
            )
            for list_name, count in sizes.items():
                ids = [f'{name}_{list_name}_{n}' for n in range(count)]
                lists.setdefault(list_name, {})[name] = ids
                for video in ids:
                    writer.add(
                        video,
                        name,
                        {
                            m: centres[m][i] + noise * rng.normal(size=(int(rng.integers(1, 5)), d))
                            for m, d in dims.items()
                        },
                    )
        writer.write_class_embeddings('text', rng.normal(size=(11, embedding_dim)))
        for k in shots:
            writer.write_splits(k, draw_splits(ZeroShotLists(out, lists), k, draws, 0))
        writer.finish()
    return out


@pytest.fixture(scope='session')
def tiny_store(tmp_path_factory) -> Path:
    """A store of 6 base, 3 and 2 novel classes with 8 to 10 videos each, sequences of unequal length, 2-shot splits."""
    return write_store(tmp_path_factory.mktemp('stores') / 'tiny')


@pytest.fixture(scope='session')
def hard_store(tmp_path_factory) -> Path:
    """``tiny_store`` with so much noise that no method classifies all videos correctly."""
    return write_store(tmp_path_factory.mktemp('stores') / 'hard', noise=3.0)


@pytest.fixture(scope='session')
def tiny_configs(tiny_store):
    """A function that reads a config for ``tiny_config``, each once."""
    from avzoo.config.load import load_config

    remember_what_mmengine_asks_again()

    @cache
    def read(config, options):
        return load_config(
            CONFIGS / config,
            [
                f'data_root={tiny_store}',
                'num_shots=2',
                'train_dataloader.batch_size=8',
                'val_dataloader.batch_size=8',
                'test_dataloader.batch_size=8',
                'train_dataloader.batch_sampler.num_batches=3',
                'curriculum.base.max_epochs=3',
                'curriculum.full.max_epochs=3',
                'curriculum.num_draws=2',
                'curriculum.choices=[]',
                "curriculum.references=['nearest_class_mean']",
                'curriculum.keep_optimizer=True',  # To drop it takes an eighth of so short a run.
                'optim_wrapper.optimizer.lr=1e-3',
                *options,
            ],
        )

    return read


@pytest.fixture
def tiny_config(tiny_configs):
    """A function that returns AV-DIFF's config, shrunk to a run of a few seconds on the tiny store."""

    def copied(work_dir, *options, config=AVDIFF):
        cfg = copy.deepcopy(tiny_configs(config, options))
        cfg.work_dir = str(work_dir)
        return cfg

    return copied


def without_provenance(results: dict) -> dict:
    """Return the results that must be equal bit for bit, whoever computes them, and when."""
    return {key: value for key, value in results.items() if key != 'provenance'}


SMALL_AVDIFF = (
    'model.encoders.audio.hidden_dim=16',
    'model.encoders.audio.out_dim=12',
    'model.encoders.visual.hidden_dim=16',
    'model.encoders.visual.out_dim=12',
    'model.fusion.depth=2',
    'model.fusion.switch_after=1',
    'model.fusion.num_heads=2',
    'model.fusion.head_dim=8',
    'model.fusion.mlp_dim=8',
    'model.projector.hidden_dim=16',
    'model.projector.out_dim=8',
    'model.generator.schedule.num_steps=5',
    "curriculum.full.freeze=('encoders','embedding','fusion')",
)


@pytest.fixture
def small_avdiff(tiny_config):
    """``tiny_config`` with a narrow model, two layers and five diffusion steps."""
    return lambda work_dir, *options: tiny_config(work_dir, *SMALL_AVDIFF, *options)


PROTOGAN = 'protogan/protogan_custom_5shot.py'
SMALL_GAN = (
    'model.generator.noise_dim=4',
    'model.generator.generator_hidden=8',
    'model.generator.critic_hidden=8',
    'model.generator.n_critic=2',
)
SMALL_PROTOGAN = (
    *SMALL_GAN,
    'model.generator.condition_width=8',
    'model.head.projector.hidden_dim=16',
    'model.head.projector.out_dim=8',
)


FITTED = 'avgauss/avgauss_custom_5shot.py'
SMALL_FITTED = (
    'curriculum.base.max_epochs=0',
    'curriculum.full.max_epochs=0',
    'curriculum.choices=[]',
    'curriculum.references=[]',
    "model.head.heads=[{'type':'GaussianHead'},{'type':'LogisticHead','max_steps':20}]",
)


@pytest.fixture
def small_fitted(tiny_config):
    """``tiny_config`` of AV-Gauss, whose parts are fitted, without choices."""
    return lambda work_dir, *options: tiny_config(work_dir, *SMALL_FITTED, *options, config=FITTED)
