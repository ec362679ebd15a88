"""Settings of a released run are lines of plain values in range; anything else is refused with one clear error."""

import time

import pytest
import yaml
from mmengine.config import Config

from avzoo.avdiff_release.config import config_text, zoo_config
from avzoo.avdiff_release.import_checkpoint import import_checkpoint
from avzoo.config.load import load_config
from avzoo.utils.errors import CheckpointError
from tests.avdiff_release.conftest import ARGS

FIXED = dict(
    batch_seqlen_train='fixed',
    batch_seqlen_test='fixed',
    batch_seqlen_train_maxlen=60,
    batch_seqlen_val_maxlen=30,
    batch_seqlen_test_maxlen=300,
    batch_seqlen_train_trim='random',
    batch_seqlen_test_trim='center',
)


def write_settings(folder, text):
    (folder / 'args.yaml').write_text(text)
    return folder


def test_the_config_of_hostile_settings_is_never_written(run_folder):
    code = {"a': __import__('os').system('true'), 'b": 1}
    for name in ('batch_seqlen_train_maxlen', 'batch_seqlen_test_trim', 'bs', 'seed', 'dataset_name', 'unread'):
        with pytest.raises(CheckpointError, match='not plain YAML'):
            import_checkpoint(run_folder(**{**FIXED, name: code}))


def test_a_config_that_would_not_be_read_back_as_itself_is_refused():
    cfg = zoo_config('ucf', 5)
    read = Config.fromstring(config_text(cfg, 'it'), '.py')
    assert read.to_dict() == cfg.to_dict()
    code = {"a': __import__('os').system('true'), 'b": 1}
    cfg.env_cfg.dist_cfg.timeout = code
    with pytest.raises(CheckpointError, match='plain values'):
        config_text(cfg, 'it')


@pytest.mark.parametrize(
    'name, value',
    [
        ('lr', 'abc'),
        ('lr', -1),
        ('lr', 0),
        ('lr', float('nan')),
        ('lr', True),
        ('seed', None),
        ('seed', 'x'),
        ('seed', -1),
        ('seed', 1 << 32),
        ('batch_seqlen_train_trim', 'weird'),
        ('batch_seqlen_test', 'some'),
        ('batch_seqlen_train_maxlen', 0),
        ('batch_seqlen_val_maxlen', '30'),
        ('retrain_all', 'False'),
        ('retrain_all', 1),
        ('lr_scheduler', 'true'),
        ('embedding_dropout', 1),
        ('embedding_dropout', -0.1),
        ('transformer_dim', 10.0),
        ('transformer_dim', 10**9),
        ('bs', 0),
        ('epochs', True),
        ('transformer_embedding_fourier_scale', float('inf')),
        ('layer_change_attention', -1),
        ('dataset_name', 'AudioSet'),
        ('dataset_name', 7),
        ('zero_shot_split', 'all'),
        ('number_layers_diffusion', True),
        ('audio_only', True),
        ('use_diffusion_model', False),
    ],
)
def test_values_of_the_wrong_kind_or_out_of_range_are_refused(run_folder, name, value):
    with pytest.raises(CheckpointError, match=rf'args.yaml says {name}: .*only with {name}: '):
        import_checkpoint(run_folder(**{**FIXED, name: value}))


@pytest.mark.parametrize(
    'name',
    [
        'batch_seqlen_train_maxlen',
        'batch_seqlen_val_maxlen',
        'batch_seqlen_test_maxlen',
        'batch_seqlen_train_trim',
        'batch_seqlen_test_trim',
    ],
)
def test_windows_need_their_length_and_place(run_folder, name):
    with pytest.raises(CheckpointError, match=f'lacks 1 setting of AV-DIFF, such as {name}'):
        import_checkpoint(run_folder(**{key: value for key, value in FIXED.items() if key != name}))


@pytest.mark.parametrize(
    'text',
    [
        '{}',
        'x: 2020-13-45',
        'x: ' + '[' * 3000,
        'a: &a 1\nb: *a',
        'dataset_name: [UCF]',
        'transformer_dim: {a: 1}',
        'x: !!timestamp soon',
        'x: ' + '1' * 5000,
        'a: 1\n<<: {b: 2}',
        '- 1',
        'plain',
        'a: "',
        '\x00',
        'x: ' + '1:' * 400 + '1.5',
    ],
)
def test_what_is_no_list_of_plain_values_is_refused(run_folder, text):
    with pytest.raises(CheckpointError, match=r'args.yaml (is not plain YAML|holds no settings)') as caught:
        import_checkpoint(write_settings(run_folder(), text))
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 500


def test_settings_of_any_size_are_refused_quickly(run_folder):
    start = time.monotonic()
    with pytest.raises(CheckpointError, match='too large for settings'):
        import_checkpoint(write_settings(run_folder(), 'x: ' + '1:' * 400_000 + '1'))
    assert time.monotonic() - start < 5


def test_an_option_that_was_not_given_means_stage_one(run_folder):
    assert import_checkpoint(run_folder(retrain_all=None)).checkpoint['meta']['stage'] == 1


def test_a_switch_beyond_the_last_layer_is_no_switch(run_folder, tmp_path):
    (tmp_path / 'config.py').write_text(import_checkpoint(run_folder(layer_change_attention=7)).config)
    assert load_config(tmp_path / 'config.py').model.fusion.switch_after == ARGS['transformer_depth']


def test_runs_of_other_data_sets_do_not_hinder(run_folder, tmp_path):
    run_folder('runs/one')
    other = run_folder('runs/other')
    write_settings(other, yaml.safe_dump(dict(dataset_name='AudioSetZSL', zero_shot_split='')))
    assert import_checkpoint(tmp_path / 'runs', dataset='ucf').checkpoint['meta']['num_shots'] == 5


@pytest.mark.parametrize('text', ['lr_steps: [1, 2]', 'zero_shot_split: 5', '# ' + 'x' * (1 << 21)])
def test_a_run_whose_settings_cannot_be_read_does_not_hinder_others(run_folder, tmp_path, text):
    run_folder('runs/one')
    other = run_folder('runs/other')
    write_settings(other, text)
    done = import_checkpoint(tmp_path / 'runs', dataset='ucf')
    assert done.checkpoint['meta']['num_shots'] == 5 and 'A run was skipped: ' in done.notes[-1]
    with pytest.raises(CheckpointError, match=r'other/args.yaml .* no run fits'):
        import_checkpoint(tmp_path / 'runs', dataset='vgg')
