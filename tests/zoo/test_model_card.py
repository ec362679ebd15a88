"""Model cards for the Hugging Face Hub."""

import importlib.util

import pytest
import yaml

from avzoo.protocol import TABLE_METRICS
from avzoo.utils.errors import ConfigError
from avzoo.zoo.index import find_model, read_collections
from avzoo.zoo.model_card import model_card
from tests.conftest import REPO

ALL = [(entry, collection) for collection in read_collections() for entry in collection.models]


def parts(text):
    """Return the front matter and the Markdown of a card."""
    before, front, body = text.split('---\n', 2)
    assert before == ''
    return yaml.safe_load(front), body


def values(facts):
    return [{one['name']: one['value'] for one in result['metrics']} for result in facts['model-index'][0]['results']]


def test_its_metrics_are_those_of_the_metafile():
    with_results = [(e, c) for e, c in ALL if e.results[0].get('Metrics')]
    assert len(with_results) > 20
    for entry, collection in with_results:
        facts, body = parts(model_card(entry, collection))
        ours = [{key: result['Metrics'][key] for key in TABLE_METRICS} for result in entry.results]
        assert values(facts) == ours
        assert all(f'{value:.2f}' in body for value in ours[0].values())


def test_the_papers_numbers_are_in_its_table_and_never_claimed_as_results_of_the_weights():
    entry = find_model('avdiff_ucf_5shot')
    assert 'Metrics' not in entry.results[0]
    facts, body = parts(model_card(entry, next(c for e, c in ALL if e == entry)))
    assert 'model-index' not in facts
    assert '| UCF-FSL, reported in the AV-DIFF paper | 74.11 | 50.35 | 59.96 | 51.45 |' in body


def test_its_facts_are_those_of_the_model():
    entry, collection = next((e, c) for e, c in ALL if e.name == 'avdiff_synth_5shot')
    facts, body = parts(model_card(entry, collection))
    assert facts['license'] == 'apache-2.0' and facts['library_name'] == 'avzoo' and facts['datasets'] == ['synth']
    assert {'audio-visual', 'few-shot-learning', 'av-diff'} <= set(facts['tags'])
    assert entry.sha256 in body and 'Seeds: 42, 43, 44.' in body and collection.meta['Paper']['URL'] in body
    assert "get_model('avdiff_synth_5shot', pretrained=True)" in body


def test_a_model_without_weights_promises_none():
    entry, collection = next((e, c) for e, c in ALL if not e.weights and not e.released_url)
    facts, body = parts(model_card(entry, collection))
    assert facts['license'] == 'unknown' and 'pretrained=True' not in body and 'No weights' in body


def test_the_hub_reads_the_results():
    hub = pytest.importorskip('huggingface_hub', reason="the extra 'text' brings it")
    entry, collection = next((e, c) for e, c in ALL if e.name == 'avdiff_synth_5shot')
    data = hub.ModelCard(model_card(entry, collection), ignore_metadata_errors=False).data
    found = {one.metric_name: one.metric_value for one in data.eval_results}
    assert found == {key: entry.results[0]['Metrics'][key] for key in TABLE_METRICS}
    assert data.model_name == entry.name and data.eval_results[0].dataset_name == 'synth'


def test_the_tool_writes_or_prints_the_card(tmp_path, capsys):
    path = REPO / 'tools/model_converters/model_card.py'
    spec = importlib.util.spec_from_file_location('model_card_tool', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.main(['avdiff_synth_5shot', '-o', str(tmp_path / 'README.md')]) == 0
    capsys.readouterr()
    assert tool.main(['avdiff_synth_5shot']) == 0
    assert (tmp_path / 'README.md').read_text('utf-8').strip() == capsys.readouterr().out.strip()
    with pytest.raises(ConfigError, match='avdiff_synth_5shot'):
        tool.main(['avdiff_synth_5shott'])
