"""Batches of one video are refused where a part cannot be trained on them."""

import pytest
from torch import nn

from avzoo.engine.curriculum.batch_size import check_batch_size
from avzoo.engine.curriculum.plan import Phase
from avzoo.engine.curriculum.preflight import preflight
from avzoo.utils.errors import ConfigError

NORMED, PLAIN = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), nn.Sequential(nn.Linear(2, 2))


def test_before_anything_is_trained(small_avdiff, tmp_path):
    with pytest.raises(ConfigError, match=r'train_dataloader\.batch_size=1 .*BatchNorm'):
        preflight(small_avdiff(tmp_path, 'train_dataloader.batch_size=1'), [Phase(1, 'base')])


@pytest.mark.parametrize(
    ('size', 'epochs', 'model', 'refused'),
    [(1, 3, NORMED, True), (2, 3, NORMED, False), (1, 0, NORMED, False), (1, 3, PLAIN, False)],
)
def test_only_where_batch_norm_is_trained(tiny_config, tmp_path, size, epochs, model, refused):
    cfg = tiny_config(tmp_path, f'train_dataloader.batch_size={size}')
    cfg.curriculum.base.max_epochs = epochs
    if refused:
        with pytest.raises(ConfigError, match=r'model\.1 \(BatchNorm\)'):
            check_batch_size(cfg, Phase(1, 'base'), model)
    else:
        check_batch_size(cfg, Phase(1, 'base'), model)
