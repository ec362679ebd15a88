"""The data of pictures that need a trained model."""

import copy
import runpy
import shutil

import numpy as np
import pytest
import torch

from avzoo.engine import CurriculumRunner
from avzoo.evaluation.attention_shares import attention_shares
from avzoo.evaluation.feature_samples import feature_samples
from avzoo.evaluation.predictions import read_predictions
from avzoo.report import model_pictures
from avzoo.report.trained_draw import open_draw
from avzoo.utils.errors import CheckpointError, DataError
from tests.conftest import SMALL_AVDIFF, write_store

QUICK = (
    *SMALL_AVDIFF,
    'curriculum.base.max_epochs=1',
    'curriculum.full.max_epochs=1',
    'curriculum.num_draws=1',
    'curriculum.references=[]',
    'train_dataloader.batch_sampler.num_batches=1',
)


@pytest.fixture(scope='module')
def run(tmp_path_factory, tiny_configs):
    cfg = copy.deepcopy(tiny_configs('avdiff/avdiff_custom_5shot.py', QUICK))
    cfg.work_dir = str(tmp_path_factory.mktemp('pictures'))
    CurriculumRunner(cfg).train()
    return cfg


@pytest.fixture
def opened(run):
    return open_draw(run.work_dir)


def test_an_opened_draw_predicts_what_its_test_predicted(run, opened):
    kept = read_predictions(f'{run.work_dir}/stage2_full_draw0/predictions.npz')
    batch = opened.model.data_preprocessor(opened.test.__getitems__(list(range(len(opened.test)))))
    with torch.no_grad():
        scores = opened.model(batch['inputs'], mode='predict')[0]['scores']
    np.testing.assert_allclose(scores.cpu(), kept['scores'], rtol=1e-4, atol=1e-5)
    assert np.array_equal(opened.test.labels, kept['label'])


def test_rows_are_real_features_shots_and_as_many_synthetic_ones_of_each_class(opened):
    found = feature_samples(opened.model, opened.test, opened.shots, per_class=3)
    counts = {kind: np.bincount(found.labels[found.kinds == kind], minlength=11) for kind in set(found.kinds)}
    held_out = np.bincount(opened.test.labels, minlength=11)
    assert counts['real'].tolist() == np.minimum(held_out, 3).tolist()
    assert counts['synthetic'].tolist() == (3 * (held_out > 0)).tolist()
    assert counts['shot'].tolist() == np.bincount(opened.shots.labels, minlength=11).tolist()
    assert not found.base[found.kinds == 'shot'].any()
    assert np.array_equal(found.base, opened.test.base_mask[found.labels])
    assert len(found.x) == len(found.labels) and len(found.classes) == 11


def test_rows_are_the_same_each_time_and_numbers_by_class_are_of_all_held_out_videos(opened):
    one, other = (feature_samples(opened.model, opened.test, opened.shots, per_class=4) for _ in range(2))
    assert np.array_equal(one.x, other.x) and one.by_class == other.by_class
    numbers = {row.column: row for row in one.by_class}
    assert {c: row.num_real for c, row in numbers.items()} == {
        c: n for c, n in enumerate(np.bincount(opened.test.labels, minlength=11)) if n
    }
    real, labels = (part.cpu().numpy() for part in opened.model.generator_data(opened.test))
    for column, row in numbers.items():
        x = real[labels == column]
        assert row.real_spread == pytest.approx(np.sqrt(x.var(0, ddof=1).mean()), rel=1e-4)
        assert row.distance > 0 and row.spread > 0


def test_a_model_without_a_generator_has_real_rows_only(opened):
    opened.model.generator = opened.model.conditioner = None
    found = feature_samples(opened.model, opened.test, opened.shots)
    assert set(found.kinds) == {'real', 'shot'} and found.by_class == []


def test_attention_is_that_of_the_test_videos(opened):
    found = attention_shares(opened.model, opened.test, bins=4)
    assert found.shares.shape == (2, 3, 3) and found.over_time.shape == (2, 2, 4)
    assert found.num_videos == len(opened.test)
    np.testing.assert_allclose(found.shares[0].sum(1), 1, rtol=1e-5)
    assert found.shares[0, 1, 2] == found.shares[0, 2, 1] == 0  # The first layer is one of self-attention.
    assert attention_shares(opened.model, opened.test, most=5).num_videos == 5


def test_a_store_may_have_moved_but_not_changed(run, tmp_path, tiny_store):
    shutil.copytree(tiny_store, tmp_path / 'moved')
    assert len(open_draw(run.work_dir, data_root=tmp_path / 'moved').test)
    write_store(tmp_path / 'other', novel_videos=9)
    with pytest.raises((CheckpointError, DataError)):
        open_draw(run.work_dir, data_root=tmp_path / 'other')


@pytest.mark.parametrize('draw', [0, 5])
def test_what_is_not_there_is_named(run, tmp_path, draw):
    with pytest.raises((CheckpointError, DataError), match=r'holds no run' if draw == 0 else 'draw5'):
        open_draw(tmp_path if draw == 0 else run.work_dir, draw)


@pytest.mark.parametrize(
    ('tool', 'options', 'name'),
    [
        ('embedding', [], 'embedding_pca_draw0'),
        ('embedding', ['--method', 'tsne'], 'embedding_tsne_draw0'),
        ('attention', [], 'attention_draw0'),
    ],
)
def test_the_tools_write_a_picture_and_its_data(run, tmp_path, repo_dir, tool, options, name):
    main = runpy.run_path(str(repo_dir / f'tools/analysis_tools/{tool}.py'))['main']
    assert main([run.work_dir, '-o', str(tmp_path), '--format', 'png', *options]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {f'{name}.png', f'{name}.csv'}


def test_the_page_of_a_run_shows_what_is_inside_its_model(run, tmp_path, repo_dir):
    main = runpy.run_path(str(repo_dir / 'tools/report.py'))['main']
    assert main([run.work_dir, '-o', str(tmp_path / 'page.html'), '--with-model', '--draw', '0']) == 0
    text = (tmp_path / 'page.html').read_text()
    for title in ('principal components', 't-SNE'):
        assert f'<strong>Real and synthetic features, {title}.</strong>' in text
    assert '<strong>Where attention goes.</strong>' in text
    assert '<h2>Inside the model of draw 0</h2>' in text
    assert 'squared distance of means' in text


def test_of_a_model_without_generator_or_attention_the_page_says_so(run, monkeypatch):
    opened = open_draw(run.work_dir)
    opened.model.generator = opened.model.conditioner = None
    monkeypatch.setattr(model_pictures, 'open_draw', lambda *_, **__: opened)
    monkeypatch.setattr(model_pictures, 'attends', lambda fusion: False)
    section = model_pictures.model_section(run.work_dir, 0)
    assert len(section.text) == 2 and not section.tables
    assert [picture.name for picture in section.pictures] == ['embedding_pca_draw0', 'embedding_tsne_draw0']
