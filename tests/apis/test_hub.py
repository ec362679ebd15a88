"""Models by name: listing, building, and mmengine's hub."""

import doctest
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config

import avzoo
from avzoo.apis.hub import get_model
from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.config.load import load_config
from avzoo.config.parts import refuse_unregistered
from avzoo.utils.errors import CheckpointError, ConfigError
from avzoo.zoo import mmengine_hub
from avzoo.zoo.build import config_of
from avzoo.zoo.index import find_model, read_index
from avzoo.zoo.listing import list_models
from avzoo.zoo.weights import load_any_checkpoint

NAME = 'tiny_custom_5shot'


def test_listing_brings_in_no_torch(repo_dir):
    code = 'import sys, avzoo; avzoo.list_models(); print("torch" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=repo_dir, timeout=120)
    assert done.stdout.strip() == 'False', done.stderr


@pytest.mark.parametrize(
    ('conditions', 'found'),
    [
        ({}, True),
        ({'pattern': 'tiny*'}, True),
        ({'pattern': 'CUSTOM'}, True),
        ({'pattern': 'custom_?shot'}, False),
        ({'pattern': 'custom_[45]shot'}, False),
        ({'pattern': 'avdiff*'}, False),
        ({'dataset': 'Custom'}, True),
        ({'method': 'tiny'}, True),
        ({'shots': 5}, True),
        ({'pretrained': True}, False),
        ({'dataset': 'custom', 'shots': 5, 'pretrained': True}, False),
        ({'pretrained': False}, True),
    ],
)
def test_every_condition_narrows_the_list(make_zoo, conditions, found):
    make_zoo()
    assert list_models(**conditions) == ([NAME] if found else [])


@pytest.mark.parametrize(
    ('condition', 'message'),
    [
        ({'dataset': 'cutsom'}, r"dataset='cutsom'\. Known: ActivityNet-FSL, .*synth\. Did you mean 'custom'"),
        ({'method': 'AV-DIF'}, r"method='AV-DIF'\. Known: AV-DIFF, .*Did you mean 'av-diff'"),
        ({'method': 3}, 'method=3'),
        ({'shots': 7}, r'shots=7\. Known: 1, 5, 10, 20\.$'),
        ({'shots': '5'}, "shots='5'; give a whole number"),
        ({'pretrained': 'yes'}, "pretrained='yes'"),
    ],
)
def test_a_value_that_no_model_has_is_not_an_empty_list(condition, message):
    with pytest.raises(ConfigError, match=message):
        list_models(**condition)


def test_an_incomplete_entry_is_named(make_zoo):
    root = make_zoo()
    path = root / 'configs/tiny/metafile.yml'
    path.write_text(path.read_text().replace('Shots: 5', 'Shoots: 5'))
    with pytest.raises(ConfigError, match=f"the entry '{NAME}' is incomplete"):
        read_index(root)


def test_an_unknown_name_brings_the_nearest(make_zoo):
    make_zoo()
    with pytest.raises(ConfigError, match=f"Did you mean '{NAME}'"):
        find_model('tiny_custom_4shot')
    with pytest.raises(ConfigError, match='no model'):
        avzoo.get_model('nothing_like_it')


def test_without_weights_widths_come_from_info_store_or_benchmark(make_zoo, tiny_info, tiny_store, repo_dir):
    make_zoo()
    assert get_model(NAME, data_info=tiny_info).head.fc.out_features == 11
    cfg_path = find_model(NAME).config
    cfg_path.write_text(cfg_path.read_text() + 'num_shots = 2\n')
    assert get_model(NAME, data_root=tiny_store).head.fc.out_features == 11
    with pytest.raises(ConfigError, match=r'in Python, pass data_root, data_info or pretrained'):
        get_model(NAME)
    model = get_model(repo_dir / 'configs/avdiff/avdiff_ucf_5shot.py')
    assert model.head.fc.out_features == 48 and model.encoders['visual'].net[0].in_features == 4096


def test_mmengine_hub_gives_the_pretrained_model(pretrained_zoo, published, monkeypatch):
    monkeypatch.setattr(mmengine_hub, 'zoo_root', lambda: pretrained_zoo)
    from mmengine.hub import get_model as hub_model

    model = hub_model(f'avzoo::tiny/{NAME}.py', pretrained=True)
    wanted = published[1].state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in model.state_dict().items())


def test_mmengine_hub_works_after_registration(tool_server, home, tmp_path):
    (tmp_path / 'child.py').write_text("_base_ = ['avzoo::_base_/models/avdiff.py']\n")
    (tmp_path / 'user.py').write_text(
        'import avzoo\navzoo.register_all_modules()\n'
        'from mmengine.hub import get_config, get_model\nfrom mmengine.config import Config\n'
        "cfg = Config.fromfile('child.py')\nprint(cfg.model.fusion.type)\n"
        "print(type(get_model('avzoo::avdiff/avdiff_ucf_5shot.py')).__name__)\n"
    )
    code, out, err = tool_server.run(tmp_path / 'user.py', cwd=tmp_path, AVZOO_HOME=str(home))
    assert code == 0 and out.split() == ['MaskedTransformer', 'AVClassifier'], err


def test_the_example_of_the_list_is_what_it_gives():
    example = doctest.DocTestFinder().find(list_models, 'list_models', globs=dict(list_models=list_models))[0]
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0


@pytest.mark.parametrize('pretrained', [False, None])
def test_no_weights_are_asked_for_in_two_ways(make_zoo, tiny_info, pretrained):
    make_zoo()
    assert get_model(NAME, pretrained=pretrained, data_info=tiny_info).head.fc.out_features == 11


@pytest.mark.parametrize('kind', ['folder', 'file'])
def test_nothing_in_the_current_folder_stands_in_for_a_name(pretrained_zoo, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    if kind == 'folder':
        (tmp_path / NAME).mkdir()
    else:
        (tmp_path / NAME).write_text('no weights')
    assert get_model(NAME, pretrained=True).meta['name'] == NAME
    assert get_model(NAME, pretrained=NAME).meta['name'] == NAME
    assert load_any_checkpoint(NAME)['meta']['name'] == NAME  # As mmengine's hub asks.
    with pytest.raises(CheckpointError, match=rf'{NAME} (is a folder|is not a readable checkpoint)'):
        get_model(NAME, pretrained=f'./{NAME}')


def test_weights_of_a_config_go_by_the_name_of_its_file(pretrained_zoo, tmp_path):
    config = find_model(NAME).config
    assert get_model(config, pretrained=True).meta['name'] == NAME
    other = tmp_path / 'mine.py'
    other.write_text(f"_base_ = ['{config}']\n")
    with pytest.raises(CheckpointError, match="no model 'mine'"):
        get_model(other, pretrained=True)


def test_names_that_are_none_are_explained(pretrained_zoo):
    with pytest.raises(ConfigError, match='model name is empty'):
        get_model('')
    with pytest.raises(CheckpointError, match='checkpoint name is empty'):
        get_model(NAME, pretrained='')
    nameless = Config(config_of(NAME).to_dict())
    with pytest.raises(ConfigError, match='made in memory, so it has no name'):
        get_model(nameless, pretrained=True)


def test_a_checkpoint_that_does_not_say_its_data_is_refused(pretrained_zoo, published, tmp_path):
    content = read_zoo_weights(published[0])
    meta = {key: value for key, value in content['meta'].items() if key != 'data_info'}
    path = write_zoo_weights(tmp_path / 'w.safetensors', content['state_dict'], meta)
    with pytest.raises(CheckpointError, match='does not record its data_info'):
        get_model(NAME, pretrained=path)


def test_weights_of_a_fusion_in_your_own_module_load_into_your_config(
    pretrained_zoo, published, tmp_path, monkeypatch, tiny_info
):
    (tmp_path / 'mymod.py').write_text(
        'from avzoo.models.fusions import MaskedTransformer\nclass Fusion(MaskedTransformer): pass\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg, content = config_of(NAME), read_zoo_weights(published[0])
    cfg.model.fusion.type = 'mymod.Fusion'
    with pytest.raises(CheckpointError, match=r"model\.fusion\.type was 'MaskedTransformer'"):
        get_model(cfg, pretrained=published[0])
    meta = dict(content['meta'], config=cfg.to_dict())
    path = write_zoo_weights(tmp_path / 'w.safetensors', content['state_dict'], meta)
    assert type(get_model(cfg, pretrained=path).fusion).__module__ == 'mymod'


@pytest.mark.parametrize('device', ['foo', 'cuda:99'])
def test_a_device_that_is_not_there_is_one_error(make_zoo, tiny_info, device):
    make_zoo()
    with pytest.raises(ConfigError, match=f"device='{device}' cannot be used"):
        get_model(NAME, data_info=tiny_info, device=device)


def test_a_base_of_the_zoo_leaves_no_package_name_in_a_config(tmp_path):
    # mmengine notes the package in each section of such a base; a file of weights that names one is refused.
    config = tmp_path / 'mine.py'
    config.write_text("_base_ = ['avzoo::avdiff/avdiff_custom_5shot.py']\n")
    cfg = load_config(config)
    assert cfg.model.fusion.type == 'MaskedTransformer' and '_scope_' not in cfg.pretty_text
    refuse_unregistered(cfg.to_dict(), '')
