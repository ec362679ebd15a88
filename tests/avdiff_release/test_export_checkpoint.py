"""Avzoo's AV-DIFF checkpoints in the released format, with the settings that build their model there."""

import functools

import pytest
import torch
import yaml

from avzoo.avdiff_release.export_checkpoint import export_checkpoint
from avzoo.avdiff_release.import_checkpoint import import_checkpoint
from avzoo.checkpoints.training import TRAINING_FORMAT, save_checkpoint
from avzoo.config.load import load_config
from avzoo.registry import MODELS
from avzoo.utils.errors import CheckpointError
from tests.conftest import CONFIGS

INFO = dict(
    feature_dims=dict(audio=5, visual=7), seconds_per_step=dict(audio=0.96, visual=0.64), num_classes=4, embedding_dim=6
)


@functools.cache
def trained(name, *options):
    """A checkpoint as training writes it, of a model with a config's own sizes."""
    cfg = load_config(CONFIGS / f'avdiff/{name}.py', options)
    model = MODELS.build(dict(cfg.model.to_dict(), data_info=INFO, data_preprocessor=cfg.data_preprocessor.to_dict()))
    cfg.model.data_info, cfg.model.data_preprocessor = INFO, cfg.pop('data_preprocessor')
    cfg.model.gamma, cfg.model.frozen = 0.3, ('encoders', 'embedding', 'fusion')
    cfg.pop('curriculum')
    cfg.val_dataloader = cfg.test_dataloader = None
    meta = dict(
        format=TRAINING_FORMAT,
        config=cfg.to_dict(),
        stage=2,
        substage='full',
        draw=0,
        num_shots=cfg.num_shots,
        epoch=4,
        data_info=INFO,
    )
    return dict(meta=meta, state_dict=model.state_dict())


def small(name, *options):
    """A checkpoint of a model of two narrow layers, where sizes do not matter."""
    layers = 'model.fusion.depth=2', 'model.fusion.switch_after=1', 'model.fusion.mlp_dim=8'
    return trained(name, *layers, *(f'model.encoders.{m}.hidden_dim=8' for m in ('audio', 'visual')), *options)


def saved(tmp_path, checkpoint, **meta):
    path = tmp_path / 'last.pth'
    save_checkpoint(path, dict(checkpoint, meta=dict(checkpoint['meta'], **meta)))
    return path


def there_and_back(tmp_path, done, **choice):
    torch.save(done.checkpoint, tmp_path / 'AVDiff_score.pt')
    (tmp_path / 'args.yaml').write_text(yaml.safe_dump(done.settings))
    (tmp_path / 'config.py').write_text(import_checkpoint(tmp_path / 'AVDiff_score.pt', **choice).config)
    return load_config(tmp_path / 'config.py')


@pytest.mark.parametrize(
    'name, last',
    [('avdiff_ucf_20shot', 4), ('avdiff_activitynet_1shot', 4), ('avdiff_ucf_5shot', 3), ('avdiff_vgg_1shot', 3)],
)
def test_the_config_inside_names_the_last_layer_of_the_noise_predictor(tmp_path, name, last):
    state = export_checkpoint(saved(tmp_path, trained(name))).checkpoint['model']
    assert [key for key in state if key.startswith('generator')] == [
        f'generator.fc.{layer}.{leaf}' for layer in (1, last) for leaf in ('weight', 'bias')
    ]


@pytest.mark.parametrize('name', ['avdiff_ucf_20shot', 'avdiff_activitynet_1shot', 'avdiff_vgg_5shot'])
def test_there_and_back_the_config_is_the_same(tmp_path, name):
    cfg = there_and_back(tmp_path, export_checkpoint(saved(tmp_path, trained(name))))
    own = load_config(CONFIGS / f'avdiff/{name}.py')
    for part in (
        'model',
        'data_preprocessor',
        'num_shots',
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        'optim_wrapper',
        'param_scheduler',
        'curriculum',
        'randomness',
    ):
        assert cfg[part] == own[part], part


def test_windows_that_the_released_code_cuts_otherwise_are_noted(tmp_path):
    assert 'audio windows' in export_checkpoint(saved(tmp_path, trained('avdiff_activitynet_5shot'))).notes[0]
    released = 'train_dataloader.dataset.window.audio_length=released'
    assert export_checkpoint(saved(tmp_path, trained('avdiff_activitynet_5shot', released))).notes == []


def test_settings_name_the_run(tmp_path):
    settings = export_checkpoint(saved(tmp_path, trained('avdiff_ucf_20shot'))).settings
    assert {
        key: settings[key]
        for key in ('dataset_name', 'zero_shot_split', 'retrain_all', 'input_size_audio', 'input_size_video')
    } == dict(dataset_name='UCF', zero_shot_split='20-shot', retrain_all=True, input_size_audio=5, input_size_video=7)


@pytest.mark.parametrize('pattern', ['cross', 'alternate', 'full', 'self'])
def test_attention_that_the_released_code_has_not_is_refused(tmp_path, pattern):
    path = saved(tmp_path, trained(f'avdiff-{pattern}_ucf_5shot'))
    with pytest.raises(CheckpointError, match=f"model.fusion.pattern='{pattern}', the released code has only 'hybrid'"):
        export_checkpoint(path)


@pytest.mark.parametrize(
    'option, match',
    [
        ('model.encoders.visual.dropout=0.5', 'one embedding_dropout, this model has both 0.2 and 0.5'),
        ('model.generator.schedule.beta_end=0.03', 'beta_end=0.03'),
    ],
)
def test_models_that_no_settings_describe_are_refused(tmp_path, option, match):
    path = saved(tmp_path, small('avdiff_ucf_5shot', option))
    with pytest.raises(CheckpointError, match=match):
        export_checkpoint(path)


def test_an_unknown_data_set_is_named_by_hand(tmp_path):
    path = saved(tmp_path, small('avdiff_synth_5shot'))
    done = export_checkpoint(path)
    assert 'dataset_name' not in done.settings and 'give --dataset' in done.notes[0]
    assert 'data_preprocessor' in done.notes[1]
    done = export_checkpoint(path, dataset='vgg')
    assert done.settings['dataset_name'] == 'VGGSound' and len(done.notes) == 1


def test_a_data_set_that_the_config_contradicts_is_refused(tmp_path):
    path = saved(tmp_path, small('avdiff_ucf_5shot'))
    assert export_checkpoint(path, dataset='ucf').settings == export_checkpoint(path).settings
    with pytest.raises(CheckpointError, match=r"trained on ucf, as its config .*'data/ucf_fsl'.*, not on vgg; leave"):
        export_checkpoint(path, dataset='vgg')


@pytest.mark.parametrize('shots, noted', [(5, False), (7, True)])
def test_shots_without_released_settings_take_those_of_five(tmp_path, shots, noted):
    torch.save(export_checkpoint(saved(tmp_path, trained('avdiff_ucf_5shot'))).checkpoint, tmp_path / 'alone.pt')
    done = import_checkpoint(tmp_path / 'alone.pt', dataset='ucf', shots=shots, stage=1)
    assert any('no settings for 7 shots: those for 5' in note for note in done.notes) == noted
    assert done.checkpoint['meta']['num_shots'] == shots


def test_an_import_notes_the_data_set_wherever_the_store_lies(run_folder, tmp_path):
    checkpoint = import_checkpoint(run_folder()).checkpoint
    checkpoint['meta']['config']['data_root'] = 'data/mine'
    save_checkpoint(tmp_path / 'converted.pth', checkpoint)
    assert export_checkpoint(tmp_path / 'converted.pth').settings['dataset_name'] == 'UCF'
    with pytest.raises(CheckpointError, match='trained on ucf, as its import says, not on vgg'):
        export_checkpoint(tmp_path / 'converted.pth', dataset='vgg')


@pytest.mark.parametrize(
    'change, match',
    [
        (dict(config=None), 'carries no config'),
        (dict(config='model = print(1)'), 'meta.config='),
        (dict(config=dict(model={})), 'args.yaml says'),
        (dict(num_shots='../5'), 'meta.num_shots='),
    ],
)
def test_what_does_not_describe_itself_is_refused(tmp_path, change, match):
    path = saved(tmp_path, small('avdiff_ucf_5shot'), **change)
    with pytest.raises(CheckpointError, match=match):
        export_checkpoint(path)


@pytest.mark.parametrize(
    'kept',
    [
        [1],
        {'keys': []},
        {'unused': {}, 'keys': ['a']},
        {'unused': {1: 2}},
        {'unused': {'a': torch.zeros(1, dtype=torch.int64)}},
    ],
)
def test_damaged_notes_of_an_import_are_refused(tmp_path, kept):
    path = saved(tmp_path, dict(small('avdiff_ucf_5shot'), released=kept))
    with pytest.raises(CheckpointError):
        export_checkpoint(path)


@pytest.mark.parametrize(
    'name, tensor',
    [
        ('fusion.layers.999999999.norm.weight', torch.zeros(1)),
        (3, torch.zeros(1)),
        ('head.fc.weight', torch.zeros(4, 64).long()),
        ('encoders.audio.net.0.weight', 'text'),
    ],
)
def test_hostile_tensors_are_refused(tmp_path, name, tensor):
    checkpoint = small('avdiff_ucf_5shot')
    path = saved(tmp_path, dict(checkpoint, state_dict={**checkpoint['state_dict'], name: tensor}))
    with pytest.raises(CheckpointError):
        export_checkpoint(path)
