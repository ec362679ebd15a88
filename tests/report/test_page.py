import csv
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from avzoo.evaluation.functional import aggregate_draws
from avzoo.report.comparison import config_differences, differences_table, labels_of
from avzoo.report.comparison_sections import sections_of_comparison
from avzoo.report.page import render
from avzoo.report.pictures import (
    confusion_picture,
    generator_picture,
    learning_picture,
    reliability_picture,
    seen_unseen_picture,
)
from avzoo.report.report import write_report
from avzoo.report.run_files import read_run
from avzoo.report.run_sections import sections_of_run
from tests.report.conftest import CLASSES, write_run


class Page(HTMLParser):
    """Collects what a page links to, its identifiers and its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for key, value in attrs:
            if key == 'id':
                self.ids.append(value)
            if key in ('src', 'href', 'xlink:href'):
                self.links.append(value)


@pytest.fixture(scope='module')
def page(tmp_path_factory) -> str:
    """The page of one run."""
    folder = tmp_path_factory.mktemp('page')
    return write_report([write_run(folder / 'first')], folder / 'report.html').read_text()


def test_a_page_needs_nothing_else(page):
    links = Page(page).links
    assert all(link.startswith(('#', 'data:')) for link in links)
    assert len(page) < 500_000


def test_names_of_classes_are_text(page):
    assert '<script>alert' not in page
    assert '&lt;script&gt;alert' in page
    assert Page(page).tags.count('script') == 2


def test_each_tip_belongs_to_a_part_of_a_picture(page):
    tips = json.loads(re.search(r'id="tips">(.*?)</script>', page, re.DOTALL)[1])
    assert tips
    assert set(tips) <= set(Page(page).ids)


def test_the_results_stand_beside_the_reference_and_the_paper(run_dir):
    results = sections_of_run(read_run(run_dir))[0].tables['Accuracies, per cent']
    names = [row[0] for row in results.rows]
    assert names == [
        *(f'AV-DIFF / draw {draw}' for draw in range(3)),
        'AV-DIFF / mean',
        'logistic regression / mean',
        'the paper',
    ]
    assert results.rows[-1][3] == 31.19  # avdiff_vgg_5shot, table 3.


def test_the_difference_to_the_reference_says_of_what_it_is(run_dir):
    setting, *_, difference = sections_of_run(read_run(run_dir))[0].text
    assert setting == 'tiny, 5 shots. Seed 0.'
    assert difference.startswith('AV-DIFF minus logistic regression')


def test_recall_names_each_class_with_its_kind_and_count(run_dir):
    table = next(s for s in sections_of_run(read_run(run_dir)) if s.title == 'Recall by class').tables[
        'Recall, per cent'
    ]
    assert [row[:4] for row in table.rows] == [
        (name, place, 'base' if place < 2 else 'novel', 10) for place, name in enumerate(CLASSES)
    ]


def test_a_run_without_predictions_and_checkpoints_says_what_is_missing(run_dir):
    for path in run_dir.rglob('*'):
        if path.suffix in ('.npz', '.pth'):
            path.unlink()
    sections = {section.title: section for section in sections_of_run(read_run(run_dir))}
    assert 'predictions.npz' in sections['Predictions'].text[0]
    assert 'history.jsonl' in sections['Learning'].text[0]
    assert 'Confusions' not in sections


def test_one_checkpoint_that_is_gone_leaves_out_the_calibration_and_says_so(run_dir):
    (run_dir / 'stage2_full_draw1/last.pth').unlink()
    sections = {section.title: section for section in sections_of_run(read_run(run_dir))}
    assert not sections['Calibration of probabilities'].pictures
    assert 'checkpoint' in sections['Calibration of probabilities'].text[0]


def test_learning_is_read_from_the_history_where_the_checkpoint_is_gone(run_dir):
    lines = [
        dict(kind='epoch', phase='stage1_base', epoch=e, step=e, loss=3.0 - e, seconds=2.0, memory_mb=100.0 * e)
        for e in (1, 2)
    ]
    (run_dir / 'stage1_base/history.jsonl').write_text('\n'.join(map(json.dumps, lines)) + '\n{"torn')
    (run_dir / 'stage1_base/last.pth').unlink()
    section = next(s for s in sections_of_run(read_run(run_dir)) if s.title == 'Learning')
    row = dict(zip(section.tables['Phases'].header, section.tables['Phases'].rows[0], strict=True))
    assert (row['phase'], row['epochs'], row['last loss'], row['seconds'], row['peak MB']) == (
        'stage1_base',
        2,
        1.0,
        4.0,
        200.0,
    )
    assert [row[2] for row in section.pictures[0].data.rows] == [2.0, 1.0]


def test_reference_predictions_that_are_gone_are_said_to_be(run_dir):
    assert 'gone' not in seen_unseen_picture(read_run(run_dir)).text
    (run_dir / 'references/logistic_regression_draw1.npz').unlink()
    picture = seen_unseen_picture(read_run(run_dir))
    assert 'logistic regression are missing' in picture.text
    assert {row[0] for row in picture.data.rows} == {'AV-DIFF'}


def test_each_row_of_a_table_has_a_cell_for_each_heading(run_dir, tmp_path):
    runs = [read_run(run_dir), read_run(write_run(tmp_path / 'second', method='other', depth=3))]
    tables = [t for s in (*sections_of_run(runs[0]), *sections_of_comparison(runs)) for t in s.tables.values()]
    assert len(tables) > 8
    assert all(len(row) == len(table.header) for table in tables for row in table.rows)


def test_classes_without_test_videos_are_counted_and_not_drawn(run_dir):
    run = read_run(run_dir)
    for one in run.predictions:
        kept = one['label'] != 2
        one |= {key: one[key][kept] for key in ('video_id', 'label', 'scores')}
    section = next(s for s in sections_of_run(run) if s.title == 'Recall by class')
    assert [row[:2] for row in section.tables['Recall, per cent'].rows] == [
        (CLASSES[0], 0),
        (CLASSES[1], 1),
        (CLASSES[3], 2),
    ]
    assert section.text[-1].endswith(': 1.')


def test_the_page_of_many_videos_and_classes_stays_small(tmp_path):
    """271 classes; pictures and tables do not grow with the videos."""
    names, labels = np.array([f'class number {i}' for i in range(271)]), np.arange(4_000) % 271
    scores = np.random.default_rng(0).normal(size=(len(labels), 271)).astype(np.float32)
    videos = np.array([f'video{i}' for i in range(len(labels))])
    one = dict(scores=scores, label=labels, video_id=videos, classes=names, base_mask=np.arange(271) < 200)
    one['gamma'] = np.float64(0.0)
    run = read_run(write_run(tmp_path / 'run'))
    run.__dict__['predictions'] = [one] * 3
    run.results['paired'] = None
    text = render('many', sections_of_run(run))
    assert len(text) < 1_000_000
    assert text.count('class number') > 271


def test_parts_of_pictures_have_names_of_their_own(page):
    ids = Page(page).ids
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize('draw', [seen_unseen_picture, confusion_picture, reliability_picture])
def test_each_picture_has_its_data_beside_it(run_dir, tmp_path, draw):
    picture = draw(read_run(run_dir))
    image, table = picture.save(tmp_path)
    assert image.read_text().lstrip().startswith('<?xml')
    rows = list(csv.reader(table.open()))
    assert tuple(rows[0]) == picture.data.header
    assert len(rows) - 1 == len(picture.data.rows) > 3


def test_learning_curves_have_every_loss_and_metric_of_the_history():
    history = [dict(epoch=1, lr=0.1, loss=2.0, loss_ce=1.0), dict(epoch=2, lr=0.1, loss=1.0, loss_ce=0.5, HM=3.0)]
    data = learning_picture('stage1_base', history).data
    assert data.header == ('epoch', 'lr', 'loss', 'loss_ce', 'HM')
    assert data.rows == [(1, 0.1, 2.0, 1.0, None), (2, 0.1, 1.0, 0.5, 3.0)]


def test_pictures_of_one_run_are_drawn_alike_each_time(run_dir):
    first, again = (seen_unseen_picture(read_run(run_dir)).svg() for _ in range(2))
    assert first == again


def test_several_runs_are_compared_draw_by_draw(run_dir, tmp_path):
    better = write_run(tmp_path / 'second', method='AVGauss', skill=8.0, depth=3)
    runs = [read_run(run_dir), read_run(better)]
    table = differences_table(runs)
    assert table.header[1:] == ('HM', 'HM, over videos', 'FSL', 'FSL, over videos', 'AUSUC', 'by HM')
    (row,) = table.rows
    assert (row[0], row[-1]) == ('AVGauss', 'better')
    assert [cell[0] for cell in row[1:-1]] == ['+', '[', '+', '[', '+']
    assert differences_table(runs[::-1]).rows[0][-1] == 'worse'
    assert config_differences(runs).rows == [('model.depth', '2', '3')]
    text = write_report([run_dir, better], tmp_path / 'both.html').read_text()
    assert 'Points, minus AV-DIFF' in text


def test_settings_are_compared_as_validation_chose_them(tmp_path):
    chosen = {'model.depth': 5, 'data_preprocessor.norm': {'audio': 'z_score'}, 'model.head.heads': [1]}
    choices = [dict(chosen=chosen, scores=[]), dict(chosen={}, scores=[])]
    runs = [read_run(write_run(tmp_path / 'plain')), read_run(write_run(tmp_path / 'other', choices=choices))]
    assert config_differences(runs).rows == [
        ('data_preprocessor.norm.audio', '-', 'z_score'),
        ('model.depth', '2', '5'),
        ('model.head.heads', '-', '[1]'),
    ]
    assert runs[1].configured['model.depth'] == 2


def test_settings_that_do_not_fit_what_was_chosen_are_said_to_be_unknown(run_dir, tmp_path):
    other = write_run(tmp_path / 'other', choices=[dict(chosen={'model.depth.deeper': 1}, scores=[])])
    sections = sections_of_comparison([read_run(run_dir), read_run(other)])
    (section,) = [section for section in sections if section.title == 'Configuration']
    assert 'are unknown' in section.text[0] and not section.tables


def test_the_page_of_several_runs_names_size_time_seed_and_device(run_dir, tmp_path):
    told = dict(parameters=1_500_000, training_seconds=90.5, device='a chip', commit='abc')
    other = write_run(tmp_path / 'other', method='AVGauss', seed=7, provenance=told)
    runs = [read_run(run_dir), read_run(other)]
    sections = {section.title: section for section in sections_of_comparison(runs)}
    table = sections['Runs'].tables['Where they come from']
    assert table.rows[1] == ('AVGauss', 'other', 1_500_000, 90, 'a chip', 'abc')
    assert [row[-2] for row in sections['Results'].tables['Means over the draws, per cent'].rows] == ['0', '7']
    hm = [run.results['aggregate']['HM'] for run in runs]
    picture = sections['Cost'].pictures[0]
    assert picture.data.rows == [('AV-DIFF', None, None, hm[0]), ('AVGauss', 1_500_000, 90.5, hm[1])]
    assert any('1,500,000 parameters' in tip for tip in picture.tips.values())


def test_a_short_training_is_not_called_none_and_its_seconds_have_no_prefix(tmp_path):
    runs = []
    for name, seconds in (('one', 0.042), ('two', 0.31)):
        told = dict(parameters=10, training_seconds=seconds)
        runs.append(read_run(write_run(tmp_path / name, method=name, provenance=told)))
    sections = {section.title: section for section in sections_of_comparison(runs)}
    assert [row[3] for row in sections['Runs'].tables['Where they come from'].rows] == [0.042, 0.31]
    (picture,) = sections['Cost'].pictures
    assert 'curriculum.choices' in picture.text
    assert any('0.31 seconds' in tip for tip in picture.tips.values())
    assert '>0.05<' in picture.svg() and 'm<' not in picture.svg()


def test_of_one_draw_without_predictions_nothing_is_called_a_tie(run_dir, tmp_path):
    folders = [run_dir, write_run(tmp_path / 'second', method='other')]
    for folder in folders:
        results = json.loads((folder / 'results.json').read_text())
        row = results['draws'][0]
        results |= dict(draws=[row], aggregate=aggregate_draws([row]), references=None, paired=None)
        (folder / 'results.json').write_text(json.dumps(results))
        (folder / 'stage2_full_draw0/predictions.npz').unlink()
    (row,) = differences_table([read_run(folder) for folder in folders]).rows
    assert row[-1].startswith('unknown')


def test_a_run_is_a_tie_with_one_like_it(run_dir, tmp_path):
    twin = write_run(tmp_path / 'twin')
    assert differences_table([read_run(run_dir), read_run(twin)]).rows[0][-1] == 'tie'


def test_runs_of_one_method_are_called_by_as_much_of_their_folder_as_tells_them_apart(tmp_path):
    runs = [read_run(write_run(tmp_path / name / 'seed0')) for name in ('one', 'two')]
    assert labels_of(runs) == ['one/seed0', 'two/seed0']


def test_the_generator_is_drawn_along_its_chain_where_it_has_a_loss(run_dir):
    check = read_run(run_dir).results['draws'][0]['generator_check']
    assert generator_picture(dict(one=check)) is None
    quarters = dict(
        loss_quarters=[0.1, 0.2, 0.3, 0.4], loss_shuffled_quarters=[0.2, 0.3, 0.4, 0.5], loss_zero_quarters=[1.0] * 4
    )
    data = generator_picture(dict(one=check | quarters, old=check)).data
    assert [row[0] for row in data.rows] == ['one'] * 3
    assert data.rows[0][2:] == (0.1, 0.2, 0.3, 0.4)


def test_where_results_come_from_is_laid_out_by_dotted_keys(tmp_path):
    run = read_run(write_run(tmp_path / 'one', provenance=dict(versions=dict(torch='2.13'), store=dict(sha256='ab'))))
    facts = dict(sections_of_run(run)[-1].tables['Facts'].rows)
    assert (facts['versions.torch'], facts['store.sha256']) == ('2.13', 'ab')
