"""The index and its metafiles: readable, and true to the configs and the papers."""

import json
from pathlib import Path

import pytest
import yaml

from avzoo.config.load import load_config
from avzoo.evaluation.report import results_rows, results_table
from avzoo.zoo.index import find_model, read_index
from tests.test_leaf_configs import METHODS

REPO = Path(__file__).resolve().parents[2]
OWN = {'avgauss'}  # Methods of no paper.
METAFILES = sorted((REPO / 'configs').glob('*/metafile.yml'))
WEIGHTS = sorted((REPO / 'weights').glob('*.safetensors'))


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding='utf-8'))


def test_every_import_of_the_index_exists_and_so_do_its_configs():
    imported = load(REPO / 'model-index.yml')['Import']
    assert sorted(imported) == [path.relative_to(REPO).as_posix() for path in METAFILES]
    assert {path.parent.name for path in METAFILES} == set(METHODS)
    for name in imported:
        assert load(REPO / name)['Models']
        for model in load(REPO / name)['Models']:
            assert (REPO / model['Config']).is_file(), model['Config']


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_a_model_is_named_by_its_config_and_belongs_to_a_collection(path):
    meta = load(path)
    collections = {collection['Name'] for collection in meta['Collections']}
    for model in meta['Models']:
        assert model['Name'] == Path(model['Config']).stem
        assert model['In Collection'] in collections
    for collection in meta['Collections']:
        assert (REPO / collection['README']).is_file()


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_paper_values_agree_with_each_other(path):
    values = [result['Paper'] for model in load(path)['Models'] for result in model['Results'] if 'Paper' in result]
    assert bool(values) == (path.parent.name not in OWN)
    for value in values:
        assert {'Table', 'HM', 'FSL'} <= set(value)
        if 'B' in value:
            harmonic_mean = 2 * value['B'] * value['N'] / (value['B'] + value['N'])
            assert value['HM'] == pytest.approx(harmonic_mean, abs=0.02)


def test_the_shipped_weights_are_those_that_the_index_names():
    named = {name for name, entry in read_index(REPO).items() if entry.weights and '://' not in entry.weights[0]}
    assert {path.stem for path in WEIGHTS} == named >= {'avdiff_synth_5shot'}


@pytest.mark.parametrize('path', WEIGHTS, ids=lambda path: path.stem)
def test_shipped_weights_were_trained_by_the_recipe_of_their_config(path):
    facts = json.loads(path.with_suffix('.json').read_text(encoding='utf-8'))
    cfg = load_config(find_model(path.stem).config)
    for substage in ('base', 'full'):
        assert facts['outcomes'][f'stage1_{substage}']['epochs'] == cfg.curriculum[substage].max_epochs
    results = json.loads(path.with_suffix('.results.json').read_text(encoding='utf-8'))
    row = results_table(results_rows(results)).splitlines()[2]
    assert row in path.with_suffix('.log').read_text(encoding='utf-8') and results['seed'] == facts['seed']
