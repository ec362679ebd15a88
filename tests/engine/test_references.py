"""The plain references at the end of a run."""

import json

import pytest

from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum import references

REFERENCES = "curriculum.references=['nearest_class_mean']"


@pytest.fixture
def broken(monkeypatch):
    """References that cannot be evaluated."""

    def fail(*args, **kwargs):
        raise MemoryError('too large')

    monkeypatch.setattr(references, 'evaluate_references', fail)
    return monkeypatch


def test_references_that_fail_do_not_cost_a_run_its_results(broken, small_fitted, tmp_path):
    CurriculumRunner(small_fitted(tmp_path, REFERENCES)).train()
    results = json.loads((tmp_path / 'results.json').read_text())
    assert results['aggregate']['num_draws'] == 2 and results['references'] == {} and results['paired'] is None
    assert 'MemoryError: too large' in (tmp_path / 'curriculum.log').read_text()
    broken.undo()
    again = CurriculumRunner(small_fitted(tmp_path, REFERENCES), resume=True).train()
    assert set(again['references']) == {'nearest_class_mean'} and again['aggregate'] == results['aggregate']


def test_results_are_written_before_the_references_are_evaluated(small_fitted, tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(references, 'evaluate_references', stop)
    with pytest.raises(KeyboardInterrupt):
        CurriculumRunner(small_fitted(tmp_path, REFERENCES)).train()
    assert len(json.loads((tmp_path / 'results.json').read_text())['draws']) == 2


def test_a_damaged_file_of_references_is_replaced(small_fitted, tmp_path):
    before = CurriculumRunner(small_fitted(tmp_path, REFERENCES)).train()
    (tmp_path / 'references.json').write_text('{"key": ')
    assert CurriculumRunner(small_fitted(tmp_path, REFERENCES), resume=True).train()['paired'] == before['paired']
