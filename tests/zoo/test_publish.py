"""Publishing: under the right name, all of the model, nothing of the machine; and reading what was published."""

import json

import pytest
import torch

from avzoo.checkpoints.training import TRAINING_FORMAT, save_checkpoint
from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.config.as_data import portable_config
from avzoo.utils.errors import CheckpointError
from avzoo.zoo.publish import publish_checkpoint, stage_one_outcomes


@pytest.fixture
def shipped(repo_dir):
    return repo_dir / 'weights' / 'avdiff_synth_5shot.safetensors'


def test_the_right_weights_are_published_under_a_name_of_the_zoo(shipped, tmp_path):
    path = publish_checkpoint(shipped, tmp_path, name='avdiff_synth_5shot')
    wanted, found = read_zoo_weights(shipped)['state_dict'], read_zoo_weights(path)['state_dict']
    assert all(torch.equal(found[key], value) for key, value in wanted.items())


def test_a_model_of_one_modality_is_published_under_its_name(tmp_path, shipped):
    from avzoo.zoo.build import build_model, config_of

    cfg, meta = config_of('avdiff-audio_synth_5shot'), read_zoo_weights(shipped)['meta']
    info = dict(meta['data_info'], feature_dims=dict(audio=64), seconds_per_step=dict(audio=0.96))
    meta = dict(meta, data_info=info, config=cfg.to_dict())
    path = write_zoo_weights(tmp_path / 'trained.safetensors', build_model(cfg, info).state_dict(), meta)
    assert publish_checkpoint(path, tmp_path / 'out', name='avdiff-audio_synth_5shot').is_file()


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('avdiff_ucf_5shot', 'embedding_dim is 64, that of avdiff_ucf_5shot is 300'),
        ('avdiff_synth_10shot', 'num_shots is 5, that of avdiff_synth_10shot is 10'),
        ('avdiff-cross_synth_5shot', "model.fusion.pattern was 'hybrid' and is now 'cross'"),
        ('attention_fusion_synth_5shot', 'data_preprocessor.pool_time was False and is now True'),
    ],
)
def test_weights_of_another_model_are_not_published_under_its_name(shipped, tmp_path, name, message):
    with pytest.raises(CheckpointError, match=message):
        publish_checkpoint(shipped, tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('section', ['model', 'data_preprocessor'])
def test_a_config_with_foreign_parts_is_not_published(published, tmp_path, section):
    content = read_zoo_weights(published[0])
    meta = content['meta'] | dict(config={section: dict(type='os.system')})
    path = write_zoo_weights(tmp_path / 'odd.safetensors', content['state_dict'], meta)
    with pytest.raises(CheckpointError, match=rf'odd\.safetensors holds a config .*{section}'):
        publish_checkpoint(path, tmp_path / 'out', name='mine')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('content', ['[]', '3', 'null', '{"phases": []}', '[' * 100_000])
def test_a_damaged_state_of_the_run_is_named(tmp_path, content):
    (tmp_path / 'curriculum.json').write_text(content)
    with pytest.raises(CheckpointError, match=r'curriculum\.json.* is damaged'):
        stage_one_outcomes(tmp_path / 'stage2_full_draw0' / 'last.pth')


def test_weights_that_do_not_fit_the_named_config_are_refused_where_they_bring_none(make_zoo, published, tmp_path):
    make_zoo()
    content = read_zoo_weights(published[0])
    content['state_dict']['alien'] = torch.zeros(1)
    path = write_zoo_weights(
        tmp_path / 'odd.safetensors', content['state_dict'], content['meta'] | dict(config={}, num_shots=5)
    )
    with pytest.raises(CheckpointError, match='1 not in the model: alien'):
        publish_checkpoint(path, tmp_path / 'out', name='tiny_custom_5shot')


def test_a_checkpoint_without_calibration_is_refused(published, tmp_path, tiny_info):
    state = {key: value for key, value in published[1].state_dict().items() if key != 'gamma'}
    save_checkpoint(
        tmp_path / 'last.pth',
        dict(
            state_dict=state,
            meta=dict(format=TRAINING_FORMAT, classes=list('abcdefghijk'), base_mask=[True] * 11, data_info=tiny_info),
        ),
    )
    with pytest.raises(CheckpointError, match=r'holds no calibration \(gamma\)'):
        publish_checkpoint(tmp_path / 'last.pth', tmp_path / 'mine.safetensors')


def test_weights_that_hold_nan_are_refused(shipped, tmp_path):
    content = read_zoo_weights(shipped)
    name = next(key for key, value in content['state_dict'].items() if value.dim() > 1)
    content['state_dict'][name][0] = float('nan')
    path = write_zoo_weights(tmp_path / 'nan.safetensors', content['state_dict'], content['meta'])
    with pytest.raises(CheckpointError, match=f'NaN or infinity in {name}'):
        publish_checkpoint(path, tmp_path / 'out.safetensors')


def test_absolute_paths_are_dropped_wherever_they_stand():
    config = dict(
        data_root='/home/me/data/ucf_fsl',
        work_dir='run',
        model=dict(init_cfg=dict(checkpoint='C:\\me\\x.pth'), a=1),
        loader=[dict(support='/tmp/avzoo-adapt-1/support', data_root='/home/me/data/mine', ids=['a/b', '/home/me/c'])],
        log='file:///home/me/log',
        home='~/x',
        relative='data/x',
    )
    assert portable_config(config) == dict(
        data_root='ucf_fsl',
        model=dict(init_cfg={}, a=1),
        loader=[dict(data_root='mine', ids=['a/b'])],
        relative='data/x',
    )


@pytest.fixture
def copy(published, tmp_path):
    content = read_zoo_weights(published[0])
    return write_zoo_weights(tmp_path / 'w.safetensors', content['state_dict'], content['meta'])


@pytest.mark.parametrize('text', ['{"cut', '[]', '{}', '\udcff'])
def test_a_damaged_json_beside_weights_is_refused(copy, text):
    copy.with_suffix('.json').write_text(text, errors='surrogateescape')
    with pytest.raises(CheckpointError, match=r'w.json does not describe the weights next to it'):
        read_zoo_weights(copy)


@pytest.mark.parametrize(('key', 'value'), [('classes', ['cat'] * 11), ('gamma', 0.9), ('data_info', {})])
def test_a_json_that_contradicts_the_weights_is_refused(copy, key, value):
    path = copy.with_suffix('.json')
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(CheckpointError, match=f'w.json and w.safetensors differ in {key}'):
        read_zoo_weights(copy)


def test_weights_are_read_without_their_json_or_with_a_longer_one(copy):
    path = copy.with_suffix('.json')
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(comment='mine')))
    assert read_zoo_weights(copy)['meta']['gamma'] == 0.25
    path.unlink()
    assert read_zoo_weights(copy)['meta']['gamma'] == 0.25
