"""What mmengine's hub gets from the zoo: no code that runs, no download that was not asked for, weights that fit."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.hub import get_model as hub_model

from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.utils.errors import CheckpointError
from avzoo.utils.files import sha256_of
from avzoo.zoo import mmengine_hub

NAME = 'tiny_custom_5shot'
ADDRESS = f'avzoo::tiny/{NAME}.py'


@pytest.fixture(autouse=True)
def patched_hub():
    mmengine_hub.patch_hub()


@pytest.fixture
def publish(make_zoo, published, monkeypatch):
    """A function that puts a zoo with these weights in use; by default the published ones."""

    def make(state=None, meta=None, **entries):
        root = make_zoo(**entries)
        content = read_zoo_weights(published[0])
        path = root / 'weights' / 'w.safetensors'
        write_zoo_weights(path, state or content['state_dict'], content['meta'] | (meta or {}))
        make_zoo(Weights='weights/w.safetensors', SHA256=sha256_of(path), **entries)
        monkeypatch.setattr(mmengine_hub, 'zoo_root', lambda: root)

    return make


@pytest.mark.parametrize('name', ["a': open('canary', 'w'), 'b", '{{$HOME:x}}', '{{{fileDirname}}', '\\{{$HOME:\\"x}}'])
def test_a_name_in_hostile_weights_is_no_code_for_the_hub(publish, tiny_info, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    publish(meta=dict(data_info=dict(tiny_info, feature_dims={name: 6, 'audio': 6, 'visual': 9})))
    assert set(get_config(ADDRESS).model.data_info.feature_dims) == {name, 'audio', 'visual'}
    assert not (tmp_path / 'canary').exists()


def test_a_config_or_a_bare_model_fetches_no_weights(make_zoo, server, monkeypatch):
    root = make_zoo(dataset='UCF-FSL', Weights=f'{server.url}/w.safetensors', SHA256='0' * 64)
    monkeypatch.setattr(mmengine_hub, 'zoo_root', lambda: root)
    assert get_config(ADDRESS).model.data_info.num_classes == 48
    assert hub_model(ADDRESS).encoders['visual'].net[0].in_features == 4096
    assert server.requests == []


def test_a_config_whose_data_is_not_there_yet_is_given_without_its_widths(tiny_info):
    assert 'data_info' not in get_config('avzoo::avdiff/avdiff_custom_5shot.py').model
    assert hub_model('avzoo::avdiff/avdiff_custom_5shot.py', data_info=tiny_info).head.fc.out_features == 11


@pytest.mark.parametrize(
    'change',
    [
        lambda s: s.pop('head.fc.bias'),
        lambda s: s.update(alien=torch.zeros(1)),
        lambda s: s.update({'head.fc.bias': torch.zeros(3)}),
    ],
)
def test_weights_that_do_not_fit_are_an_error_not_a_warning(publish, published, change):
    state = dict(published[1].state_dict())
    change(state)
    publish(state)
    with pytest.raises(CheckpointError, match='does not fit the model of this config'):
        hub_model(ADDRESS, pretrained=True)


def test_weights_of_other_widths_than_the_benchmarks_are_an_error(publish):
    publish(dataset='UCF-FSL')
    with pytest.raises(CheckpointError, match='with another shape'):
        hub_model(ADDRESS, pretrained=True)


def test_the_config_is_the_one_of_the_index(repo_dir):
    from avzoo.config.load import load_config

    cfg = get_config('avzoo::avdiff/avdiff_synth_5shot.py')
    del cfg.model['data_info']
    assert cfg.pretty_text.replace('[', '(').replace(']', ')') == load_config(
        repo_dir / 'configs/avdiff/avdiff_synth_5shot.py'
    ).pretty_text.replace('[', '(').replace(']', ')')


def test_patching_twice_changes_nothing():
    from mmengine.hub import hub

    before = hub._get_cfg_metainfo
    mmengine_hub.patch_hub()
    assert hub._get_cfg_metainfo is before and not isinstance(before.original, type(before))


def test_a_config_may_build_on_one_of_the_zoo(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = 'avzoo::avdiff/avdiff_synth_5shot.py'\nnum_shots = 1\n")
    cfg = Config.fromfile(path)
    assert cfg.num_shots == 1 and cfg.model.fusion.depth > 0


def test_other_packages_are_left_to_mmengine():
    from mmengine.config import utils

    with pytest.raises(FileNotFoundError, match='elsewhere'):
        utils._get_external_cfg_base_path('/elsewhere/other', 'x.py')


def test_a_cache_that_is_read_only_does_not_keep_the_hub_from_its_config(publish, tmp_path, monkeypatch):
    publish()
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('AVZOO_HOME', str(tmp_path / 'file'))  # Nothing can be made below a file, by root neither.
    monkeypatch.setattr(mmengine_hub, 'temporary_folder', lambda: tmp_path / 'mine')
    assert get_config(ADDRESS).model.fusion.depth == 2
    assert (tmp_path / 'mine' / 'configs' / f'{NAME}.json').is_file()
