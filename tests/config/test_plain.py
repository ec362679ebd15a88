"""The text of a config of plain values."""

import copy

import pytest
from mmengine.config import Config, config

from avzoo.config.as_data import plain_config

VALUES = dict(
    model=dict(type='A', widths=[64, 32], nested=dict(rate=0.5, names=('audio', 'visual'), text='a\nb "c"')),
    hooks=[dict(type='B', every=1), dict(type='C')],
    empty={},
    odd={'with-dash': 1, 'x.y': dict(z=None)},
    path='/a/very/long/path/' * 8,
    flag=True,
)


@pytest.mark.parametrize('values', [VALUES, {'not-a-name': VALUES['model']}, {}])
def test_the_text_is_that_of_mmengine(values):
    assert plain_config(Config(values)).pretty_text == Config(values).pretty_text


def test_the_text_follows_each_change(tmp_path):
    cfg = plain_config(Config(VALUES))
    before = cfg.pretty_text
    cfg.model.nested.rate = 1
    cfg.flag = 1
    assert cfg.pretty_text == Config(cfg.to_dict()).pretty_text != before
    cfg.dump(tmp_path / 'config.py')
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == cfg.to_dict()


def test_a_section_is_formatted_once(monkeypatch):
    formatted = []
    real = config.FormatCode
    monkeypatch.setattr(config, 'FormatCode', lambda text, **kwargs: formatted.append(text) or real(text, **kwargs))
    cfg = plain_config(Config(dict(VALUES, seed='of this test alone')))
    text = cfg.pretty_text
    formatted.clear()
    assert cfg.pretty_text == copy.deepcopy(cfg).pretty_text == text
    cfg.path = 'elsewhere, in this test alone'
    assert cfg.pretty_text != text
    assert [line.split('=')[0] for line in formatted] == ['path']
