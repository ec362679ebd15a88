"""The size of every method in the setting of UCF-FSL, stage 2 (48 classes)."""

import pytest

from avzoo.config.load import load_config
from avzoo.registry import MODELS

UCF = dict(
    feature_dims=dict(audio=128, visual=4096),
    seconds_per_step=dict(audio=0.96, visual=0.64),
    num_classes=48,
    embedding_dim=300,
)


@pytest.mark.parametrize(
    ('config', 'options', 'count'),
    [
        ('attention_fusion/attention_fusion', {}, 3_026_876),
        ('perceiver/perceiver', {}, 4_989_112),
        ('perceiver/perceiver', {'model.fusion.tie': False}, 14_003_376),
        ('mbt/mbt', {}, 8_431_352),
        ('tcaf/tcaf', {}, 7_269_972),
        ('sldg/sldg', {}, 3_741_192),
        ('hip/hip', {}, 7_781_424),
        ('zorro/zorro', {}, 5_660_640),
        ('avca/avca', {}, 3_334_628),
        ('avdiff/avdiff', {}, 5_714_844),
        ('avgauss/avgauss', {}, 196_704),  # Two linear classifiers on 2048 dimensions.
    ],
)
def test_parameters(repo_dir, config, options, count):
    cfg = load_config(repo_dir / 'configs' / f'{config}_ucf_5shot.py')
    cfg.merge_from_dict(options)
    model = MODELS.build(dict(cfg.model, data_info=UCF, data_preprocessor=cfg.data_preprocessor))
    assert sum(p.numel() for p in model.parameters()) == count
