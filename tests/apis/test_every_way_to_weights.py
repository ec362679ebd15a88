"""Every function that takes weights verifies them, and believes nothing that they claim."""

import shutil
import sys

import pytest
import torch
from mmengine.hub import get_config
from mmengine.hub import get_model as hub_model

from avzoo.apis.adapt import adapt
from avzoo.apis.hub import get_model
from avzoo.apis.inferencer import Inferencer
from avzoo.checkpoints.training import TRAINING_FORMAT, save_checkpoint
from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.config.load import load_config
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.curriculum.plan import Phase
from avzoo.engine.phase_runner import PhaseRunner
from avzoo.utils.errors import CheckpointError, ConfigError
from avzoo.zoo import mmengine_hub
from avzoo.zoo.publish import publish_checkpoint
from tests.checkpoints.test_hostile_files import peak_megabytes

NAME = 'tiny_custom_5shot'
WAYS = ('get_model', 'predict', 'test', 'adapt', 'publish', 'resume from a path', 'resume', 'carry on', 'hub')


@pytest.fixture
def content(published):
    found = read_zoo_weights(published[0])
    meta = dict(found['meta'], num_shots=5, substage='full', phase='stage1_base', format=TRAINING_FORMAT)
    return dict(found, meta=meta)


@pytest.fixture
def write(tmp_path, content):
    """A function that writes the weights with changes, as a training checkpoint or as zoo weights without a JSON."""

    def write(suffix, state=(), **meta):
        path = tmp_path / f'w{suffix}'
        state, meta = content['state_dict'] | dict(state), content['meta'] | meta
        if suffix == '.pth':
            save_checkpoint(path, dict(meta=meta, state_dict=state, optimizer={}))
        else:
            write_zoo_weights(path, state, meta).with_suffix('.json').unlink()
        return path

    return write


@pytest.fixture
def use(make_zoo, tiny_store, tmp_path, monkeypatch):
    """A function that takes weights in one of the ways."""
    root = make_zoo()
    cfg = load_config(root / 'configs' / 'tiny' / f'{NAME}.py', [f'data_root={tiny_store}'])
    cfg.work_dir = str(tmp_path / 'run')

    def from_hub(path):
        make_zoo(Weights='w.safetensors')  # No checksum: nothing but the file itself tells of the damage.
        shutil.copy(path, root / 'w.safetensors')
        monkeypatch.setattr(mmengine_hub, 'zoo_root', lambda: root)
        mmengine_hub.patch_hub()
        return hub_model(f'avzoo::tiny/{NAME}.py', pretrained=True)

    ways = {
        'get_model': lambda path: get_model(NAME, pretrained=path),
        'predict': lambda path: Inferencer(NAME, path, device='cpu'),
        'test': lambda path: evaluate_checkpoint(cfg, path, split='test', draw=0, work_dir=tmp_path / 'test'),
        'adapt': lambda path: adapt(cfg, path, support=tiny_store, shots=1, out=tmp_path / 'out.pth'),
        'publish': lambda path: publish_checkpoint(path, tmp_path / 'out', name='mine'),
        'resume from a path': lambda path: CurriculumRunner(cfg, resume=path)._checkpoint_to_resume(Phase(1, 'base')),
        'resume': lambda path: PhaseRunner.load_checkpoint(object(), path),
        'carry on': lambda path: PhaseRunner.load_optimizer(object(), path),
        'hub': from_hub,
    }
    return lambda way, path: ways[way](path)


@pytest.mark.parametrize(
    ('way', 'suffix'), [(way, '.safetensors') for way in WAYS] + [(way, '.pth') for way in WAYS[:-1]]
)
def test_a_flipped_bit_is_found(write, use, way, suffix):
    path = write(suffix)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match='is damaged or cut short: its content does not match'):
        use(way, path)


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize(
    'state', [{'gamma': torch.tensor(float('nan'))}, {'head.fc.bias': torch.full((11,), torch.inf)}]
)
def test_weights_that_are_not_finite_are_refused(write, use, way, state):
    with pytest.raises(CheckpointError, match=f'NaN or infinity in {next(iter(state))}'):
        use(way, write('.safetensors', state))


@pytest.mark.parametrize('kind', [torch.int64, torch.float64, torch.bfloat16, torch.bool])
def test_weights_of_another_kind_are_refused_and_not_rounded(write, use, content, kind):
    state = {'head.fc.bias': content['state_dict']['head.fc.bias'].to(kind)}
    with pytest.raises(
        CheckpointError, match=rf'1 with another dtype: head\.fc\.bias {str(kind)[6:]} where .* float32'
    ):
        use('get_model', write('.pth', state))


def test_complex_weights_are_refused(write, use):
    with pytest.raises(CheckpointError, match='no state_dict of tensors'):
        use('get_model', write('.pth', {'head.fc.bias': torch.zeros(11, dtype=torch.complex64)}))


@pytest.mark.parametrize(
    'claim',
    [
        dict(embedding_dim=30_000_000),
        dict(num_classes=30_000_000),
        dict(feature_dims=dict(audio=6, visual=300_000_000)),
        dict(feature_dims=dict(audio=2**31 - 1, visual=2**31 - 1)),
    ],
)
@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc and forks')
def test_widths_that_the_weights_do_not_have_take_no_memory(write, use, content, tmp_path, claim):
    path = write('.pth', data_info=content['meta']['data_info'] | claim)

    def refused():
        with pytest.raises(CheckpointError, match='does not fit the model of this config'):
            use('get_model', path)
        (tmp_path / 'done').touch()

    peak, seconds = peak_megabytes(refused)
    assert (tmp_path / 'done').exists() and peak < 200 and seconds < 20


def test_loading_leaves_the_random_numbers_as_building_does(write, use, content):
    path = write('.pth')
    torch.manual_seed(0)
    get_model(NAME, data_info=content['meta']['data_info'])
    wanted = torch.rand(3)
    torch.manual_seed(0)
    use('get_model', path)
    assert torch.equal(torch.rand(3), wanted)


def test_a_part_that_computes_while_it_is_built_is_loaded(write, use, monkeypatch):
    from avzoo.zoo import build

    path, building = write('.pth'), build.build_model

    def not_on_meta(cfg, info):
        if torch.empty(0).is_meta:
            raise ConfigError('Cannot copy out of meta tensor')
        return building(cfg, info)

    monkeypatch.setattr(build, 'build_model', not_on_meta)
    assert float(use('get_model', path).gamma) == 0.25


@pytest.mark.parametrize('device', ['meta', 'cuda:99', 'quantum'])
def test_a_device_that_cannot_compute_is_refused(write, use, device):
    path = write('.pth')
    with pytest.raises(ConfigError, match=f"device='{device}' cannot be used"):
        get_model(NAME, pretrained=path, device=device)


def test_a_checkpoint_without_base_classes_is_not_adapted(write, use):
    with pytest.raises(CheckpointError, match='has no base class'):
        use('adapt', write('.pth', base_mask=[False] * 11))


def test_an_adaptation_does_not_overwrite_its_base(write, tiny_store, make_zoo):
    root, path = make_zoo(), write('.pth')
    before = path.read_bytes()
    with pytest.raises(ConfigError, match='is the checkpoint to start from'):
        adapt(root / 'configs' / 'tiny' / f'{NAME}.py', path, support=tiny_store, shots=1, out=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize('name', ['../x', '../../x', 'a/b', 'a\\b', '', '.hidden', '-x', 'a\nb', 'a b', 'x' * 300])
def test_a_name_that_is_not_one_of_a_file_is_not_published(write, tmp_path, name):
    path = write('.pth')
    for out in (tmp_path / 'out', tmp_path / 'out' / 'w.safetensors'):
        with pytest.raises(ConfigError, match='cannot be the name of a model'):
            publish_checkpoint(path, out, name=name)
    assert not (tmp_path / 'out').exists()


def test_the_hub_refuses_weights_of_another_computation(write, use, content):
    config = content['meta']['config']
    changed = dict(config, model=dict(config['model'], fusion=dict(config['model']['fusion'], pattern='cross')))
    with pytest.raises(CheckpointError, match=r'model\.fusion\.pattern was .cross.'):
        use('hub', write('.safetensors', config=changed))


def test_the_hub_says_that_weights_are_damaged_and_not_that_a_width_is_missing(write, use, content):
    path = write('.safetensors')
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match='damaged, cut short'):
        use('hub', path)
    with pytest.raises(CheckpointError, match='damaged, cut short'):
        get_config(f'avzoo::tiny/{NAME}.py')
