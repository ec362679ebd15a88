"""Weights by name and by path, and files that only look like weights."""

import hashlib
import json
import pickle

import pytest
import torch

from avzoo.apis.adapt import adapt
from avzoo.apis.hub import get_model
from avzoo.apis.inferencer import Inferencer
from avzoo.checkpoints.training import TRAINING_FORMAT, load_weights, save_checkpoint
from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import sha256_of
from avzoo.zoo.fetch import DownloadError
from avzoo.zoo.publish import publish_checkpoint
from avzoo.zoo.weights import load_any_checkpoint, resolve_checkpoint

NAME = 'tiny_custom_5shot'


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


@pytest.fixture
def zoo(make_zoo, published, server):
    """The tiny zoo with its weights on the server."""
    content = published[0].read_bytes()
    server.files['/w.safetensors'] = content
    make_zoo(Weights=f'{server.url}/w.safetensors', SHA256=sha256_of(published[0]), Size=len(content))
    return server


def test_a_model_comes_by_name_with_its_weights(zoo, published):
    model = get_model(NAME, pretrained=True)
    wanted = published[1].state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in model.state_dict().items())
    assert not model.training and float(model.gamma) == 0.25 and len(model.meta['classes']) == 11


def test_weights_by_name_are_hashed_once(zoo, published, monkeypatch):
    resolve_checkpoint(NAME)  # Now they lie in the cache.
    hashed, sha256 = [], hashlib.sha256

    class Counting:
        def __init__(self, data=b''):
            self.digest = sha256()
            self.update(data)

        def update(self, data):
            hashed.append(len(data))
            self.digest.update(data)

        def hexdigest(self):
            return self.digest.hexdigest()

    monkeypatch.setattr(hashlib, 'sha256', Counting)
    get_model(NAME, pretrained=True)
    assert sum(hashed) == published[0].stat().st_size


def test_one_flipped_byte_never_becomes_a_model(zoo, home):
    content = bytearray(zoo.files['/w.safetensors'])
    content[-5] ^= 1
    zoo.files['/w.safetensors'] = bytes(content)
    with pytest.raises(DownloadError, match='refused'):
        get_model(NAME, pretrained=True)
    assert not [path for path in home.rglob('*') if path.is_file()]


def test_mirrors_are_tried_after_the_first_address(make_zoo, published, server):
    server.files['/second'] = published[0].read_bytes()
    make_zoo(Weights=f'{server.url}/first', Mirrors=[f'{server.url}/second'], SHA256=sha256_of(published[0]))
    assert resolve_checkpoint(NAME).is_file()


def test_the_error_for_released_weights_names_the_commands_that_import_them():
    with pytest.raises(CheckpointError, match=r'download\.py avdiff_ucf_5shot --data-root STORE.*--dataset ucf makes'):
        resolve_checkpoint('avdiff_ucf_5shot')
    with pytest.raises(CheckpointError, match='There are no weights for'):
        resolve_checkpoint('avdiff_ucf_5shot_released')


def test_weights_inside_the_zoo_need_no_network(make_zoo, published, monkeypatch):
    monkeypatch.setenv('AVZOO_OFFLINE', '1')
    root = make_zoo(Weights='weights/w.safetensors', SHA256=sha256_of(published[0]))
    (root / 'weights').mkdir()
    (root / 'weights' / 'w.safetensors').write_bytes(published[0].read_bytes())
    assert resolve_checkpoint(NAME) == root / 'weights' / 'w.safetensors'


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('tiny_costum_5shot', "Did you mean 'tiny_custom_5shot'"),
        (NAME, 'no weights for'),
        ('no/such/file.pth', 'There is no checkpoint'),
        ('.', 'is a folder'),
        (
            'https://127.0.0.1/w.pth',
            r'^https://127\.0\.0\.1/w\.pth is an address.* Download .*tools/download\.py --list',
        ),
    ],
)
def test_what_cannot_be_resolved_is_explained(make_zoo, name, message):
    make_zoo()
    with pytest.raises(CheckpointError, match=message):
        resolve_checkpoint(name)


@pytest.mark.parametrize('suffix', ['safetensors', 'pth', 'pt'])
def test_a_pickle_posing_as_weights_is_refused_and_not_run(tmp_path, suffix):
    path, canary = tmp_path / f'weights.{suffix}', tmp_path / 'canary'
    path.write_bytes(pickle.dumps(dict(meta=dict(format=TRAINING_FORMAT), state_dict=Evil(canary))))
    with pytest.raises(CheckpointError):
        load_any_checkpoint(path)
    torch.save(dict(meta=dict(format=TRAINING_FORMAT), state_dict=Evil(canary)), path)
    with pytest.raises(CheckpointError):
        load_any_checkpoint(path)
    assert not canary.exists()


def test_a_pickle_served_as_weights_is_refused_and_not_run(make_zoo, server, tmp_path):
    server.files['/w'] = pickle.dumps(Evil(tmp_path / 'canary'))
    make_zoo(Weights=f'{server.url}/w')  # No checksum: nothing but the format stands in the way.
    with pytest.raises(CheckpointError, match='readable safetensors'):
        get_model(NAME, pretrained=True)
    assert not (tmp_path / 'canary').exists()


def test_a_truncated_file_is_one_clear_error(published, tmp_path):
    path = tmp_path / 'cut.safetensors'
    path.write_bytes(published[0].read_bytes()[:-100])
    with pytest.raises(CheckpointError, match='cut short'):
        read_zoo_weights(path)
    training = tmp_path / 'cut.pth'
    save_checkpoint(training, dict(meta=dict(format=TRAINING_FORMAT), state_dict=published[1].state_dict()))
    training.write_bytes(training.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match='cut short'):
        load_any_checkpoint(training)


def test_weights_that_are_not_those_of_their_json_are_refused(published, tmp_path):
    path = tmp_path / 'w.safetensors'
    path.write_bytes(published[0].read_bytes())
    path.with_suffix('.json').write_text(json.dumps(dict(sha256='0' * 64)))
    with pytest.raises(CheckpointError, match='different SHA-256'):
        read_zoo_weights(path)


def test_safetensors_of_other_people_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file(dict(x=torch.zeros(2)), tmp_path / 'x.safetensors')
    with pytest.raises(CheckpointError, match='not those of an avzoo model'):
        read_zoo_weights(tmp_path / 'x.safetensors')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('head.fc.bias'), '1 missing: head.fc.bias'),
        (lambda s: s.update(alien=torch.zeros(1)), '1 not in the model: alien'),
        (lambda s: s.update({'head.fc.bias': torch.zeros(3)}), r'1 with another shape: head.fc.bias \(3,\)'),
    ],
)
def test_missing_extra_and_misshapen_keys_are_one_error_each(published, tmp_path, make_zoo, change, message):
    make_zoo()
    content = read_zoo_weights(published[0])
    change(content['state_dict'])
    path = write_zoo_weights(tmp_path / 'w.safetensors', content['state_dict'], content['meta'])
    with pytest.raises(CheckpointError, match=message):
        get_model(NAME, pretrained=path)


def test_weights_of_another_config_are_refused(published, repo_dir):
    with pytest.raises(CheckpointError, match=r'another config: model\.encoders\.audio\.hidden_dim was 16'):
        get_model(repo_dir / 'configs/avdiff/avdiff_synth_5shot.py', pretrained=published[0])


def test_private_state_of_a_part_is_not_published_and_not_missed(published, tmp_path):
    model = published[1]
    state = dict(model.state_dict(), **{'generator._extra_state': dict(step=3)})
    path = write_zoo_weights(tmp_path / 'w.safetensors', state, dict(read_zoo_weights(published[0])['meta']))
    assert not [key for key in read_zoo_weights(path)['state_dict'] if '_extra_state' in key]
    load_weights(model, state, 'a training checkpoint')


def test_publishing_keeps_the_facts_and_drops_the_rest(published, tmp_path, tiny_info):
    training = tmp_path / 'run' / 'stage2_full_draw0' / 'last.pth'
    training.parent.mkdir(parents=True)
    (tmp_path / 'run' / 'curriculum.json').write_text(
        json.dumps(dict(phases=dict(stage1_full=dict(best_epoch=4), stage2_base=dict(epochs=3))))
    )
    config = dict(
        data_root='/home/me/data/ucf_fsl',
        work_dir='/home/me/run',
        load_from='/home/me/x.pth',
        model=dict(a=1, b=[-1.5, (2, None)], train=dict(data_root='/home/me/data/ucf_fsl')),
    )
    save_checkpoint(
        training,
        dict(
            meta=dict(
                format=TRAINING_FORMAT,
                classes=list('abcdefghijk'),
                base_mask=[True] * 6 + [False] * 5,
                data_info=tiny_info,
                stage=2,
                seed=1,
                draw=0,
                config=config,
                history=[dict(epoch=1)],
            ),
            state_dict=published[1].state_dict(),
            optimizer=dict(state=torch.zeros(100)),
            param_schedulers=[],
        ),
    )
    path = publish_checkpoint(training, tmp_path / 'out', name='mine', features='noise')
    facts = json.loads(path.with_suffix('.json').read_text())
    assert facts['sha256'] == sha256_of(path) and facts['size'] == path.stat().st_size
    assert facts['classes'] == list('abcdefghijk') and facts['gamma'] == 0.25 and facts['features'] == 'noise'
    assert facts['config'] == dict(
        data_root='ucf_fsl', model=dict(a=1, b=[-1.5, [2, None]], train=dict(data_root='ucf_fsl'))
    )
    assert facts['outcomes'] == dict(stage1_full=dict(best_epoch=4)) and 'history' not in facts
    assert b'/home/me' not in path.read_bytes()
    content = load_any_checkpoint(path)
    assert 'optimizer' not in content and content['state_dict'].keys() == published[1].state_dict().keys()


def test_the_config_inside_a_checkpoint_is_never_run(tmp_path, published, tiny_info):
    training = tmp_path / 'last.pth'
    text = f"x = open({str(tmp_path / 'canary')!r}, 'w')\n"
    save_checkpoint(
        training,
        dict(
            state_dict=published[1].state_dict(),
            meta=dict(
                format=TRAINING_FORMAT,
                classes=list('abcdefghijk'),
                base_mask=[True] * 11,
                data_info=tiny_info,
                config=text,
            ),
        ),
    )
    with pytest.raises(CheckpointError, match=r'meta\.config='):
        publish_checkpoint(training, tmp_path / 'out.safetensors')
    assert not (tmp_path / 'canary').exists()


def test_half_precision_halves_the_file_and_reads_as_single(published, tmp_path):
    content = read_zoo_weights(published[0])
    path = write_zoo_weights(tmp_path / 'w.safetensors', content['state_dict'], content['meta'], half=True)
    numbers = sum(value.nbytes for value in content['state_dict'].values())  # Beside them, texts that are as long.
    assert published[0].stat().st_size - path.stat().st_size > 0.45 * numbers
    state = read_zoo_weights(path)['state_dict']
    for key, value in content['state_dict'].items():
        assert state[key].dtype == value.dtype and torch.allclose(state[key], value, atol=1e-3), key


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('classes', None, 'does not record its classes.*--data-root'),
        ('base_mask', None, 'does not record its base_mask'),
        ('classes', ['one'], 'names 1 class .* but scores 11'),
    ],
)
def test_a_checkpoint_that_cannot_name_its_columns_is_refused(zoo, published, tmp_path, key, value, message):
    content = read_zoo_weights(published[0])
    meta = {k: v for k, v in content['meta'].items() if k != key} | ({key: value} if value else {})
    path = write_zoo_weights(tmp_path / 'nameless.safetensors', content['state_dict'], meta)
    for use in (
        lambda: Inferencer(NAME, path),
        lambda: publish_checkpoint(path, tmp_path / 'again.safetensors'),
        lambda: adapt(NAME, path, support=tmp_path, out=tmp_path / 'taught.pth', shots=1),
    ):
        with pytest.raises(CheckpointError, match=message):
            use()
