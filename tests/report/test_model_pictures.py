"""Pictures that need the model of a run: drawn from known numbers, and from a run that was trained for it."""

import numpy as np
import pytest

from avzoo.evaluation.attention_shares import AttentionShares
from avzoo.evaluation.feature_samples import ClassDistances, FeatureSamples
from avzoo.evaluation.projections import Projection
from avzoo.report.model_pictures import attention_picture, distances_table, embedding_picture
from avzoo.report.run_files import read_run
from avzoo.report.run_sections import sections_of_run
from avzoo.report.section import Section


@pytest.fixture
def samples():
    kinds = np.array(['real', 'real', 'synthetic', 'shot', 'real'])
    labels = np.array([0, 1, 1, 1, 2])
    return FeatureSamples(
        x=np.arange(10, dtype=np.float32).reshape(5, 2),
        labels=labels,
        base=labels == 0,
        kinds=kinds,
        by_class=[ClassDistances(1, 1, 2.5, 1.0, 1.0)],
        classes=['base', 'novel', 'other'],
    )


def drawn(samples):
    xy = np.arange(10, dtype=np.float32).reshape(5, 2)
    return embedding_picture(Projection(samples, xy, ('first', 'second'), 'How to read it.'), 'pca', 0)


def test_every_feature_is_in_the_data_with_its_kind_and_class(samples):
    data = drawn(samples).data
    assert [row[:3] for row in data.rows] == [
        ('real', 'base', True),
        ('real', 'novel', False),
        ('synthetic', 'novel', False),
        ('shot', 'novel', False),
        ('real', 'other', False),
    ]
    assert data.rows[2][3:] == (4.0, 5.0)


def test_each_novel_class_says_how_far_its_synthetic_mean_is(samples):
    tips = drawn(samples).tips.values()
    assert sum('novel, ' in tip and '2.5' in tip for tip in tips) == 3
    assert 'other, real' in tips


def test_without_a_generator_the_real_features_are_drawn(samples):
    samples.kinds[:] = 'real'
    assert all('real' in tip for tip in drawn(samples).tips.values())


def test_shares_of_attention_are_in_the_data_by_layer_beside_even_ones():
    shares, even = np.full((2, 3, 3), 0.25), np.full((2, 3, 3), 1 / 3)
    shares[1, 0, 2] = 0.5
    shares[0, 1] = np.nan
    over_time = np.full((2, 2, 4), np.nan)
    over_time[0] = [[0.1, 0.2, 0.3, 0.4]] * 2
    picture = attention_picture(AttentionShares(shares, even, over_time, 7), 0)
    assert (1, 'summary', 'visual', 0.5, pytest.approx(1 / 3)) in picture.data.rows
    assert len(picture.data.rows) == 2 * 9
    assert any('10.0, 20.0, 30.0, 40.0' in tip for tip in picture.tips.values())
    assert '7 test videos' in picture.text


def test_the_page_says_how_to_draw_what_is_left_out(run_dir):
    inside = next(s for s in sections_of_run(read_run(run_dir)) if s.title == 'Inside the model')
    assert '--with-model' in inside.text[0]
    given = sections_of_run(read_run(run_dir), [Section('Inside the model of draw 1')])
    assert [s.title for s in given if 'Inside' in s.title] == ['Inside the model of draw 1']


def test_distances_between_means_and_spreads_stand_by_class(samples):
    assert distances_table(samples).rows == [('novel', 'novel', 1, 2.5, 1.0, 1.0)]
