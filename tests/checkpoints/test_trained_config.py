"""A checkpoint is only scored by a config that computes what it was trained to compute."""

import pytest

from avzoo.checkpoints.trained_config import check_trained_config
from avzoo.utils.errors import CheckpointError, ConfigError


@pytest.fixture
def carried(small_avdiff, tmp_path):
    """The ``meta`` of a checkpoint that the small AV-DIFF was trained to."""
    return dict(config=small_avdiff(tmp_path).to_dict())


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('model.fusion.pattern=cross', "model.fusion.pattern was 'hybrid' and is now 'cross'"),
        ('model.fusion.shared_norm=False', 'model.fusion.shared_norm was True'),
        ('data_preprocessor.norm.audio=None', "data_preprocessor.norm.audio was 'l2_feature'"),
        ('model.embedding.use_time=False', 'use_time'),
    ],
)
def test_another_computation_is_refused(carried, small_avdiff, tmp_path, option, words):
    with pytest.raises(CheckpointError, match=f'x.pth was trained with another config: .*{words}'):
        check_trained_config(small_avdiff(tmp_path, option), carried, 'x.pth')


@pytest.mark.parametrize(
    'option',
    [
        'model.fusion.dropout=0.5',
        'model.head.loss_weight=2.0',
        'model.synthetic_weight=0',
        'model.fusion.num_summary_tokens=1',
        'optim_wrapper.optimizer.lr=1',
        'data_root=elsewhere',
    ],
)
def test_what_matters_to_training_alone_or_only_spells_out_a_default_is_accepted(
    carried, small_avdiff, tmp_path, option
):
    check_trained_config(small_avdiff(tmp_path, option), carried, 'x.pth')


def test_a_checkpoint_without_a_config_is_accepted(small_avdiff, tmp_path):
    check_trained_config(small_avdiff(tmp_path), {}, 'x.pth')


def test_a_config_that_is_text_is_refused_and_not_run(small_avdiff, tmp_path):
    with pytest.raises(CheckpointError, match=r'x.pth: its config is of type str'):
        check_trained_config(small_avdiff(tmp_path), dict(config='model = __import__("os")'), 'x.pth')


@pytest.fixture
def own_fusion(tmp_path, monkeypatch):
    """A module of the user with a fusion, which no checkpoint may import."""
    (tmp_path / 'own_fusion_module.py').write_text(
        'from avzoo.models.fusions import MaskedTransformer\nclass Fusion(MaskedTransformer): pass\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return 'own_fusion_module.Fusion'


def test_a_part_of_the_users_own_module_is_imported_for_his_config_alone(small_avdiff, tmp_path, own_fusion):
    cfg, other = small_avdiff(tmp_path), small_avdiff(tmp_path)
    cfg.model.fusion.type = own_fusion
    with pytest.raises(CheckpointError, match=rf"x.pth holds .*model.fusion.type='{own_fusion}'"):
        check_trained_config(other, dict(config=cfg.to_dict()), 'x.pth')
    check_trained_config(cfg, dict(config=cfg.to_dict()), 'x.pth')


def test_an_unknown_part_of_the_users_config_is_not_blamed_on_the_checkpoint(carried, small_avdiff, tmp_path):
    cfg = small_avdiff(tmp_path)
    cfg.model.fusion.type = 'MaskedTransformr'
    with pytest.raises(ConfigError, match=r'model\.fusion.*Did you mean'):
        check_trained_config(cfg, carried, 'x.pth')
