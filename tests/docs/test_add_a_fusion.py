"""docs/add_a_fusion.md does what it says."""

import json
import re

import pytest

import avzoo
from avzoo.config.build import build_part
from avzoo.models.classifiers import part_checks

OPTIONS = (
    'num_shots=2',
    'train_dataloader.batch_size=8',
    'train_dataloader.batch_sampler.num_batches=1',
    'curriculum.base.max_epochs=1',
    'curriculum.full.max_epochs=1',
    'curriculum.num_draws=1',
    'curriculum.references=()',
    'model.generator.schedule.num_steps=3',
)


@pytest.fixture(scope='module')
def folder(repo_dir, tmp_path_factory):
    """A folder with the files of the page, and its check as ``check.py``."""
    page = (repo_dir / 'docs/add_a_fusion.md').read_text(encoding='utf-8')
    out = tmp_path_factory.mktemp('page')
    files = dict(re.findall(r'<!-- file: (\S+) -->\n```python\n(.*?)```', page, re.DOTALL))
    assert sorted(files) == ['weighted_mean.py', 'weighted_mean_synth_5shot.py']
    check = re.search(r'<!-- check -->\n```python\n(.*?)```', page, re.DOTALL).group(1)
    for name, text in dict(files, **{'check.py': check}).items():
        (out / name).write_text(text, encoding='utf-8')
    return out


@pytest.fixture
def run(folder, tool_server):
    return lambda path, *arguments: tool_server.run(path, *arguments, cwd=folder, PYTHONPATH=str(folder))


def test_its_check_passes(run, folder):
    code, _, err = run(folder / 'check.py')
    assert code == 0, err


def test_its_config_trains_the_new_fusion_and_finds_a_typo_in_its_arguments(run, repo_dir, tiny_store, tmp_path):
    train = (
        repo_dir / 'tools/train.py',
        'weighted_mean_synth_5shot.py',
        '--work-dir',
        tmp_path / 'w',
        '--cfg-options',
        f'data_root={tiny_store}',
        *OPTIONS,
    )
    code, _, err = run(*train, 'model.fusion.dropuot=0.1')
    assert code == 2 and "Did you mean 'dropout'" in err
    code, _, err = run(*train)
    assert code == 0, err
    assert json.loads((tmp_path / 'w/results.json').read_text())['method'] == 'AV-DIFF with weighted mean'


def test_its_facts_are_those_that_each_kind_of_part_gets(repo_dir, monkeypatch):
    page = (repo_dir / 'docs/add_a_fusion.md').read_text(encoding='utf-8')
    found = {}

    def recording(registry, cfg, path, **facts):
        found[registry.name] = set(facts)
        return build_part(registry, cfg, path, **facts)

    monkeypatch.setattr(part_checks, 'build_part', recording)
    avzoo.get_model('avdiff_synth_5shot')
    of_fusion = re.search(r'Facts for a fusion are (.*?)\. All other', page, re.DOTALL)[1]
    assert set(re.findall(r'`(\w+)`', of_fusion)) == found['fusion']
    assert found['encoder'] == {'in_dim'}
    for kind, more in {
        'head': {'in_dim', 'num_readouts'},
        'conditioner': {'in_dim', 'num_readouts', 'preprocessor'},
        'generator': {'in_dim', 'num_readouts', 'cond_dim'},
    }.items():
        assert found[kind] - found['fusion'] == more
        row = next(line for line in page.splitlines() if f'`{kind.upper()}S`' in line)
        assert all(f'`{fact}`' in row for fact in more - {'in_dim', 'num_readouts'})
