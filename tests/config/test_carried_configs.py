"""A config that comes inside a file of weights is data: no name in it imports anything."""

import json
import sys

import pytest
from mmengine.hub import get_model as hub_model

from avzoo import registry
from avzoo.apis.adapt import adapt
from avzoo.apis.hub import get_model
from avzoo.apis.inferencer import Inferencer
from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, load_weights, save_checkpoint
from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.config.load import load_config
from avzoo.config.parts import find_registered_class, refuse_unregistered
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.utils.errors import CheckpointError, ConfigError
from avzoo.zoo import mmengine_hub
from avzoo.zoo.build import build_model
from avzoo.zoo.publish import publish_checkpoint

NAME = 'tiny_custom_5shot'
HOSTILE = ('evil_mod.X', 'evil_mod', 'evil_mod::X', '../evil', 'lib2to3.__main__.X', 'torch.nn.Linear')


@pytest.fixture
def evil_folder(tmp_path, monkeypatch):
    """The current folder holds modules that leave a file when they are imported; the test fails if one was."""
    folder = tmp_path / 'evil'
    folder.mkdir()
    for name in ('evil_mod', 'evil'):
        (folder / f'{name}.py').write_text(f"open({str(tmp_path / 'canary')!r}, 'w').close()\nclass X: pass\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    assert not (tmp_path / 'canary').exists()
    assert not {'evil', 'evil_mod', 'lib2to3', 'lib2to3.__main__'} & sys.modules.keys()


@pytest.mark.parametrize('name', HOSTILE)
def test_a_lookup_for_a_carried_config_imports_nothing(evil_folder, name):
    for path in ('model', 'model.fusion', 'data_preprocessor', 'model.fusion.unknown'):
        with pytest.raises(ConfigError, match=f'{path}.type='):
            find_registered_class(name, path)


def test_a_plain_name_never_imports_a_module(evil_folder, read):
    for refused in (
        lambda: read('model.fusion.type=evil_mod'),
        lambda: registry.FUSIONS.build(dict(type='evil_mod')),
        lambda: registry.MODELS.build(dict(type='evil')),
    ):
        with pytest.raises(ConfigError, match=r"'evil(_mod)?' is not a registered (fusion|model)"):
            refused()


def test_a_package_that_a_config_file_names_is_imported_and_known_from_then_on(read, tmp_path, monkeypatch):
    (tmp_path / 'named_by_file.py').write_text('class Fusion:\n    def __init__(self, dim: int) -> None: ...\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match='named_by_file'):
        find_registered_class('named_by_file.Fusion', 'model.fusion')
    read("model.fusion={'_delete_': True, 'type': 'named_by_file.Fusion'}")
    assert find_registered_class('named_by_file.Fusion', 'model.fusion').__module__ == 'named_by_file'


def test_a_package_that_fails_to_import_is_one_error(read, tmp_path, monkeypatch):
    (tmp_path / 'broken_part.py').write_text('1 / 0\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"'broken_part\.Fusion' cannot be imported: division by zero"):
        read("model.fusion={'_delete_': True, 'type': 'broken_part.Fusion'}")


def change(model: dict, part: str, hostile: str) -> dict:
    """Return the config of a model with a hostile type in one place."""
    parts = dict(model, data_preprocessor=dict(type='AVPreprocessor'))
    if part == 'model':
        return dict(parts, type=hostile)
    if part == 'scope':
        return dict(parts, _scope_=hostile)
    return dict(parts, **{part: dict(parts[part], type=hostile)})


@pytest.mark.parametrize('part', ['model', 'fusion', 'data_preprocessor', 'scope'])
@pytest.mark.parametrize('hostile', HOSTILE)
def test_a_carried_config_is_refused_before_it_is_built(evil_folder, read, tiny_info, part, hostile):
    model = change(read().model.to_dict(), part, hostile)
    with pytest.raises(ConfigError, match='model'):
        build_model(dict(model=model), tiny_info)
    with pytest.raises(ConfigError, match='model'):
        refuse_unregistered([model], 'model')


@pytest.mark.parametrize('suffix', ['.safetensors', '.pth'])
@pytest.mark.parametrize(
    ('part', 'hostile'),
    [('fusion', name) for name in HOSTILE] + [(part, 'evil_mod.X') for part in ('model', 'data_preprocessor', 'scope')],
)
def test_weights_whose_config_names_code_are_refused_in_one_line(
    evil_folder,
    pretrained_zoo,
    published,
    tiny_store,
    tmp_path,
    suffix,
    part,
    hostile,
):
    content = read_zoo_weights(published[0])
    meta = dict(content['meta'], num_shots=5, substage='full')
    meta['config'] = dict(model=change(meta['config']['model'], part, hostile), data_root='data')
    path = tmp_path / f'w{suffix}'
    if suffix == '.pth':
        save_checkpoint(path, dict(content, meta=dict(meta, format=TRAINING_FORMAT)))
    else:
        write_zoo_weights(path, content['state_dict'], json.loads(json.dumps(meta)))
    config = pretrained_zoo / 'configs' / 'tiny' / f'{NAME}.py'
    cfg = load_config(config, [f'data_root={tiny_store}'])
    for use in (
        lambda: get_model(NAME, pretrained=path),
        lambda: Inferencer(NAME, path, device='cpu'),
        lambda: evaluate_checkpoint(cfg, path, split='test', draw=0, work_dir=tmp_path / 'test'),
        lambda: adapt(cfg, path, support=tiny_store, shots=1, out=tmp_path / 'out.pth'),
        lambda: publish_checkpoint(path, tmp_path, name=NAME),
    ):
        with pytest.raises(CheckpointError) as refused:
            use()
        assert '\n' not in str(refused.value) and repr(hostile) in str(refused.value)


@pytest.mark.parametrize('hostile', HOSTILE)
def test_the_hub_refuses_such_weights_and_resuming_does_not_look(
    evil_folder, make_zoo, published, monkeypatch, tmp_path, hostile
):
    content = read_zoo_weights(published[0])
    meta = dict(content['meta'], config=dict(model=change(content['meta']['config']['model'], 'fusion', hostile)))
    root = make_zoo(Weights='w.safetensors')
    monkeypatch.setattr(mmengine_hub, 'zoo_root', lambda: root)
    mmengine_hub.patch_hub()
    write_zoo_weights(root / 'w.safetensors', content['state_dict'], json.loads(json.dumps(meta)))
    with pytest.raises(CheckpointError, match=r'model\.fusion\.type='):
        hub_model(f'avzoo::tiny/{NAME}.py', pretrained=True)
    save_checkpoint(tmp_path / 'last.pth', dict(content, meta=dict(meta, format=TRAINING_FORMAT)))
    model = build_model(load_config(root / 'configs' / 'tiny' / f'{NAME}.py'), meta['data_info'])
    load_weights(model, load_checkpoint(tmp_path / 'last.pth')['state_dict'], 'last.pth')


@pytest.mark.parametrize('odd', [5, None, ['MaskedTransformer'], {'a': 1}, 'x' * 1_000_000])
def test_a_carried_type_that_is_not_a_name_is_one_short_line(odd):
    with pytest.raises(ConfigError, match=r'model\.fusion\.type=.* is not the name of a part') as refused:
        refuse_unregistered({'fusion': {'type': odd}}, 'model')
    assert len(str(refused.value)) < 300


def test_a_config_that_is_nested_too_deeply_is_one_error():
    section: dict = {}
    for _ in range(5000):
        section = {'inner': section}
    with pytest.raises(ConfigError, match='nested too deeply'):
        refuse_unregistered({'model': section}, '')
