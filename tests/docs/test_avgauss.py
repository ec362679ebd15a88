"""The configs in docs/avgauss.md can be trained as they stand."""

import json
import re
from inspect import signature

import pytest

from avzoo.config.load import load_config
from avzoo.engine import CurriculumRunner
from avzoo.models.heads import EnsembleHead, LogisticHead
from tests.conftest import CONFIGS, REPO, SMALL_AVDIFF

BLOCKS = dict(
    re.findall(r'<!-- config: (\w+) -->\n```python\n(.*?)```', (REPO / 'docs/avgauss.md').read_text('utf-8'), re.DOTALL)
)
SHORT = (
    'num_shots=2',
    'train_dataloader.batch_size=8',
    'train_dataloader.batch_sampler.num_batches=2',
    'val_dataloader.batch_size=8',
)


def test_the_page_shows_how_parts_are_exchanged():
    assert BLOCKS.keys() == {'without_text', 'logistic_alone', 'generated_features', 'logits'}


@pytest.mark.parametrize('name', BLOCKS)
def test_a_config_of_the_page_trains(name, tiny_store, tmp_path):
    text = re.sub(r"_base_ = '(\S+)'", lambda m: f"_base_ = '{(CONFIGS / 'avgauss' / m[1]).resolve()}'", BLOCKS[name])
    path = tmp_path / f'{name}.py'
    path.write_text(text)
    options = [*SHORT, f'data_root={tiny_store}']
    options += [*SMALL_AVDIFF, 'curriculum.base.max_epochs=1'] if 'avdiff' in text else []
    options += ['curriculum.choices=[]'] if name == 'without_text' else []  # Twelve runs of stage 1.
    cfg = load_config(path, options)
    cfg.work_dir = str(tmp_path / 'run')
    CurriculumRunner(cfg, stage=1).train()
    stage_one = json.loads((tmp_path / 'run' / 'curriculum.json').read_text())['phases']['stage1_full']
    assert stage_one['metrics']['FSL'] > 0 and stage_one['scale'] > 0


def test_the_readme_names_the_settings():
    model = load_config(CONFIGS / 'avgauss/avgauss_custom_5shot.py').model
    readme = ' '.join((CONFIGS / 'avgauss/README.md').read_text('utf-8').split())
    metric, ridge = model.projector, model.generator.text_ridge
    logistic, ensemble = (signature(kind).parameters for kind in (LogisticHead, EnsembleHead))
    for setting in (
        f'a = {metric.within_shrinkage}, b = {metric.between_shape} and at most {metric.max_dim:,} dimensions',
        f'r = {ridge} (',
        f'power {model.head.heads[1].power}, {logistic["num_dims"].default} dimensions',
        f'C = {logistic["inverse_penalty"].default}',
        f'sharpness {ensemble["sharpness"].default:g} (',
    ):
        assert setting in readme
