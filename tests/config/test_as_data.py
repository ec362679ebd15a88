"""A config becomes plain data before a checkpoint carries it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from avzoo.config.as_data import as_plain, plain_config
from avzoo.utils.errors import ConfigError


def test_numpy_scalars_become_what_they_stand_for():
    cfg = Config(dict(lr=np.float64(0.5), model=dict(sizes=(np.int64(2), [np.bool_(True), np.str_('x')], None))))
    plain = as_plain(cfg)
    assert plain == dict(lr=0.5, model=dict(sizes=(2, [True, 'x'], None)))
    kept = [plain['lr'], plain['model']['sizes'][0], *plain['model']['sizes'][1]]
    assert [type(value) for value in kept] == [float, int, bool, str]


@pytest.mark.parametrize('value', [np.zeros(2), torch.zeros(()), Path('x'), {1}, len, np.datetime64('2020-01-01')])
def test_another_object_is_refused_by_its_path(value):
    with pytest.raises(ConfigError, match=r'model\.sizes\.1\.b='):
        as_plain(Config(dict(model=dict(sizes=[1, dict(b=value)]))))


def test_a_plain_config_is_a_copy_and_keeps_its_file(repo_dir):
    cfg = Config.fromfile(repo_dir / 'configs' / 'avdiff' / 'avdiff_custom_5shot.py')
    plain = plain_config(cfg)
    plain.model.fusion.depth = 77
    assert plain.filename == cfg.filename and plain.text == cfg.text and cfg.model.fusion.depth != 77
