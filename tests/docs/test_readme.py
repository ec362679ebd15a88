"""The README lists what there is."""

import pytest

from avzoo import registry

KINDS = ('ENCODERS', 'EMBEDDINGS', 'FUSIONS', 'PROJECTORS', 'HEADS', 'CONDITIONERS', 'GENERATORS')


@pytest.fixture(scope='module')
def readme(repo_dir):
    return (repo_dir / 'README.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('kind', KINDS)
def test_every_registered_part_is_listed(readme, kind):
    assert [name for name in getattr(registry, kind).names() if f'`{name}`' not in readme] == []


def test_every_method_and_ablation_is_listed(readme, repo_dir):
    folders = [p.name for p in (repo_dir / 'configs').iterdir() if p.is_dir() and not p.name.startswith('_')]
    assert [name for name in folders if f'(configs/{name}/README.md)' not in readme] == []
    variants = {p.stem.split('_')[0].partition('-')[2] for p in (repo_dir / 'configs/avdiff').glob('avdiff-*.py')}
    assert [name for name in variants if f'`-{name}`' not in readme] == []


def test_every_tool_is_listed(readme, repo_dir):
    tools = [p for p in (repo_dir / 'tools').rglob('*.py') if p.parent.name != 'misc']
    assert [p.stem for p in tools if p.stem not in readme] == []
