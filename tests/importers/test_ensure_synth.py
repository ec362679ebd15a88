"""The synthetic data set is generated where a config asks for it."""

import pytest
from mmengine.config import Config

from avzoo.importers import synthetic


@pytest.mark.parametrize(('synthesize', 'there', 'made'), [(True, False, 1), (True, True, 0), (False, False, 0)])
def test_made_only_when_asked_for_and_missing(tmp_path, monkeypatch, synthesize, there, made):
    calls = []
    monkeypatch.setattr(synthetic, 'make_synth', calls.append)
    root = tmp_path / 'synth'
    if there:
        root.mkdir()
    synthetic.ensure_synth(Config(dict(data_root=str(root), synthesize=synthesize)))
    assert calls == [str(root)] * made


def test_only_the_main_process_makes_it_and_all_wait(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(synthetic, 'make_synth', lambda root: calls.append('made'))
    monkeypatch.setattr(synthetic, 'is_main_process', lambda: False)
    monkeypatch.setattr(synthetic, 'barrier', lambda: calls.append('waited'))
    synthetic.ensure_synth(Config(dict(data_root=str(tmp_path / 'synth'), synthesize=True)))
    assert calls == ['waited']
