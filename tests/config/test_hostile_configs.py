"""A config file is Python and is run; nothing that looks like data is, and what a config lacks is said."""

import os

import pytest

from avzoo.apis.register import register_all_modules
from avzoo.config.load import load_config
from avzoo.registry import FUSIONS
from avzoo.utils.errors import ConfigError
from avzoo.zoo.index import zoo_root

YAML = "a: !!python/object/apply:os.system ['touch {canary}']\n"
JSON = '{{"_base_": "./evil.py", "custom_imports": {{"imports": ["evil"]}}, "data_root": "{{{{$HOME}}}}"}}'


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """The path of a file that a hostile config makes when it runs; the test fails if it is there."""
    path = tmp_path / 'canary'
    (tmp_path / 'evil.py').write_text(f'open({str(path)!r}, "w").close()\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield path
    assert not path.exists()


@pytest.fixture
def config(repo_dir, tmp_path):
    """A function that reads a config which changes AV-DIFF's by some lines."""

    def read(lines, *options):
        (tmp_path / 'mine.py').write_text(
            f'_base_ = [{str(repo_dir / "configs/avdiff/avdiff_custom_5shot.py")!r}]\n{lines}\n'
        )
        return load_config(tmp_path / 'mine.py', options)

    return read


@pytest.mark.parametrize('name', ['c.yaml', 'c.yml', 'c.json', 'c.txt', 'c.PY', 'c'])
@pytest.mark.parametrize('text', [YAML, JSON, '{{$HOME}}', ''])
def test_a_config_of_another_language_is_not_read(canary, tmp_path, name, text):
    (tmp_path / name).write_text(text.format(canary=canary) if text in (YAML, JSON) else text)
    with pytest.raises(ConfigError, match=rf'{name} is not a config: configs are Python files'):
        load_config(tmp_path / name)


@pytest.mark.parametrize('name', ['mine.py', 'other.py'])
def test_a_config_that_is_its_own_base_is_refused_before_it_is_read(tmp_path, name, monkeypatch):
    (tmp_path / 'mine.py').write_text(f"_base_ = ['./base.py', './{name}']\n")
    (tmp_path / 'other.py').write_text("_base_ = ['./base.py', './mine.py']\n")  # To have a base twice is well.
    (tmp_path / 'base.py').write_text('')
    monkeypatch.setattr('avzoo.config.load.Config.fromfile', lambda path: pytest.fail('it was read'))
    with pytest.raises(ConfigError, match=rf'{name}: mine\.py in _base_ leads back'):
        load_config(tmp_path / 'mine.py')


@pytest.mark.parametrize('name', ['c.yaml', 'c.json'])
@pytest.mark.parametrize('line', ['_base_ = {!r}', '_base_ = [{!r}]', '_base_ = ({!r},)'])
def test_a_base_of_another_language_is_not_read(canary, tmp_path, name, line):
    (tmp_path / name).write_text((YAML if name == 'c.yaml' else JSON).format(canary=canary))
    (tmp_path / 'between.py').write_text(line.format(name))
    (tmp_path / 'mine.py').write_text("_base_ = ['./between.py', 'avzoo::avdiff/avdiff_synth_5shot.py']\n")
    with pytest.raises(ConfigError, match=rf'{name} is not a config: configs are Python files'):
        load_config(tmp_path / 'mine.py')


@pytest.mark.parametrize(
    'line',
    [
        "_base_ = 'c.' + 'yaml'",
        "_base_ = [name for name in ['c.yaml']]",
        "_base_ = x = ['c.yaml']",
        "_base_, x = ['c.yaml'], 1",
        "if True:\n    _base_ = ['c.yaml']",
        "_base_: list = ['c.yaml']",
        "_base_ = ['{{ fileDirname }}/c.py']",
        '_base_ = [5]',
        '_base_ = 5',
        '_base_ = dict(a=1)',
    ],
)
def test_a_base_that_is_not_written_out_is_not_read(canary, tmp_path, line):
    (tmp_path / 'c.yaml').write_text(YAML.format(canary=canary))
    (tmp_path / 'mine.py').write_text(f'{line}\n')
    with pytest.raises(ConfigError, match=r'mine\.py: _base_ is not a literal name or list of names'):
        load_config(tmp_path / 'mine.py')


@pytest.mark.parametrize('name', ['avzoo::c.yaml', 'mmengine::c.json'])
def test_a_base_of_a_package_is_python_too(tmp_path, name):
    (tmp_path / 'mine.py').write_text(f'_base_ = [{name!r}]\n')
    with pytest.raises(ConfigError, match=f'{name} is not a config: configs are Python files'):
        load_config(tmp_path / 'mine.py')


def test_a_base_of_the_zoo_is_not_outside_of_it(canary, tmp_path):
    outside = os.path.relpath(tmp_path / 'evil.py', zoo_root() / 'configs/avdiff')
    (tmp_path / 'mine.py').write_text(f"_base_ = ['avzoo::avdiff/{outside}']\n")
    register_all_modules()
    with pytest.raises(ConfigError, match='avzoo has no config'):
        load_config(tmp_path / 'mine.py')


def test_a_config_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / 'c.py').open('wb') as file:
        file.truncate(1 << 34)
    with pytest.raises(ConfigError, match='a config has at most'):
        load_config(tmp_path / 'c.py')


@pytest.mark.parametrize('line', ['raise SystemExit(0)', 'exit()', 'import sys\nsys.exit(3)'])
def test_a_config_does_not_end_the_process(tmp_path, line):
    (tmp_path / 'c.py').write_text(f'{line}\n')
    with pytest.raises(ConfigError, match=r'c\.py cannot be read: it ends the process'):
        load_config(tmp_path / 'c.py')


def test_a_pipe_or_a_device_is_not_read(tmp_path):
    os.mkfifo(tmp_path / 'c.py')
    for path in (tmp_path / 'c.py', '/dev/zero'):
        with pytest.raises(ConfigError, match='There is no config'):
            load_config(path)


@pytest.mark.parametrize(
    ('lines', 'fact'),
    [
        ('model = {1: 2}', 'model has the key 1, which is not a string'),
        ('model = dict(fusion={None: 2})', r'model\.fusion has the key None, which is not a string'),
        ('model = dict(fusion=dict(type=5))', r'model\.fusion\.type=5 is not possible'),
        ('model = dict(fusion=dict(type=None))', r'model\.fusion\.type=None is not possible'),
        ("model = dict(fusion=dict(type='os.sep'))", "'os.sep' is not a part but a value"),
        ('model = dict(fusion=None)', "'model' has no 'fusion'"),
        ("model = dict(_delete_=True, type='AVClassifier', fusion=dict(type='ConcatFusion'))", "no 'encoders'"),
        ('param_scheduler = [5]', 'param_scheduler=.5. is not possible'),
        ('custom_hooks = [5]', 'custom_hooks=.5. is not possible'),
        ('test_dataloader = dict(dataset=dict(window=dict(steps=10**9)))', 'must be at most 100,000'),
        ("custom_imports = dict(imports=['no_such_module'])", 'found if it is installed, or if PYTHONPATH'),
    ],
)
def test_what_a_config_says_wrongly_is_one_error(config, lines, fact):
    with pytest.raises(ConfigError, match=fact):
        config(lines)


@pytest.mark.parametrize(
    ('option', 'fact'),
    [
        ('optim_wrapper.optimizer.betas.²=1', "'²' is not an index"),
        ('curriculum.base={1: 2}', r'curriculum\.base has the key 1'),
        ("custom_imports.imports=['os']", 'Set custom_imports in the file'),
        ("custom_imports={'imports': ['os']}", 'Set custom_imports in the file'),
    ],
)
def test_an_option_that_cannot_be_is_one_error(config, option, fact):
    with pytest.raises(ConfigError, match=fact):
        config('', option)


def test_a_delete_without_a_base_to_act_on_is_dropped(config):
    cfg = config("model = dict(fusion=dict(_delete_=True, type='ConcatFusion'), projector=None, embedding=None)")
    assert cfg.model.fusion == dict(type='ConcatFusion')
    cfg = config('optim_wrapper = dict(clip_grad=dict(_delete_=True, max_norm=1.0))')
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=1.0)


def test_a_config_without_schedulers_is_complete(config):
    cfg = config('', 'param_scheduler=none')
    assert cfg.param_scheduler is None


def test_a_value_is_not_a_part():
    with pytest.raises(ConfigError, match='is not a part but a value'):
        FUSIONS.build(dict(type='os.sep'))


def test_the_documentation_says_what_is_run(repo_dir):
    for page in ('README.md', 'docs/getting_started.md'):
        text = ' '.join((repo_dir / page).read_text(encoding='utf-8').split())
        assert 'A config file is code: trust it like code. Weights and stores are data and are never run.' in text
