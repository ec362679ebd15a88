import csv
import json
import re
from html.parser import HTMLParser

import pytest

from avzoo.report.comparison import config_differences, differences_table, labels_of
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
from avzoo.utils.errors import DataError
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


def test_a_page_needs_nothing_else(run_dir, tmp_path):
    text = write_report([run_dir], tmp_path / 'report.html').read_text()
    links = Page(text).links
    assert all(link.startswith(('#', 'data:')) for link in links)
    assert len(text) < 500_000


def test_names_of_classes_are_text(run_dir, tmp_path):
    text = write_report([run_dir], tmp_path / 'report.html').read_text()
    assert '<script>alert' not in text
    assert '&lt;script&gt;alert' in text
    assert Page(text).tags.count('script') == 2


def test_each_tip_belongs_to_a_part_of_a_picture(run_dir, tmp_path):
    text = write_report([run_dir], tmp_path / 'report.html').read_text()
    tips = json.loads(re.search(r'id="tips">(.*?)</script>', text, re.DOTALL)[1])
    assert tips
    assert set(tips) <= set(Page(text).ids)


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


def test_recall_names_each_class_with_its_kind_and_count(run_dir):
    table = next(s for s in sections_of_run(read_run(run_dir)) if s.title == 'Recall by class').tables[
        'Recall, per cent'
    ]
    assert [row[:3] for row in table.rows] == [
        (name, 'base' if place < 2 else 'novel', 10.0) for place, name in enumerate(CLASSES)
    ]


def test_a_run_without_predictions_and_checkpoints_says_what_is_missing(run_dir):
    for path in run_dir.rglob('*'):
        if path.suffix in ('.npz', '.pth'):
            path.unlink()
    sections = {section.title: section for section in sections_of_run(read_run(run_dir))}
    assert 'no predictions' in sections['Predictions'].text[0]
    assert 'gone' in sections['Learning'].text[0]
    assert 'Confusions' not in sections


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
    (row,) = differences_table(runs).rows
    assert (row[0], row[-1]) == ('AVGauss', 'better')
    assert differences_table(runs[::-1]).rows[0][-1] == 'worse'
    assert config_differences(runs).rows == [('model.depth', '2', '3')]
    text = write_report([run_dir, better], tmp_path / 'both.html').read_text()
    assert 'Paired differences' in text


def test_a_run_is_a_tie_with_one_like_it(run_dir, tmp_path):
    twin = write_run(tmp_path / 'twin')
    assert differences_table([read_run(run_dir), read_run(twin)]).rows[0][-1] == 'tie'


def test_runs_of_one_method_are_called_by_as_much_of_their_folder_as_tells_them_apart(tmp_path):
    runs = [read_run(write_run(tmp_path / name / 'seed0')) for name in ('one', 'two')]
    assert labels_of(runs) == ['one/seed0', 'two/seed0']


CHANGES = [
    dict(dataset='other'),
    dict(num_shots=1),
    dict(provenance=dict(store=dict(features={'audio': 'other'}))),
    dict(provenance=dict(store=dict(sha256='other'))),
]


@pytest.mark.parametrize('change', CHANGES)
def test_runs_that_were_tested_otherwise_are_not_compared(tmp_path, change):
    named = dict(store=dict(features={'audio': 'clap'}, sha256='same'))
    first = write_run(tmp_path / 'own', provenance=named)
    other = write_run(tmp_path / 'other', **{'provenance': named} | change)
    with pytest.raises(DataError, match='not tested alike'):
        write_report([first, other], tmp_path / 'x.html')
    assert not (tmp_path / 'x.html').exists()


def test_a_run_named_twice_is_refused(run_dir, tmp_path):
    with pytest.raises(DataError, match='twice'):
        write_report([run_dir, run_dir / 'results.json'], tmp_path / 'x.html')


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(DataError, match=r'results\.json'):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (dict(draws=[]), 'draws'),
        (dict(draws=[5]), r'draws'),
        (dict(draws=[dict(draw=0, B='x')]), r'draws\[0\]'),
        (dict(aggregate=None), 'aggregate'),
        (dict(method=3), 'method'),
        (dict(paired=dict(against='x', draws=dict(HM=3))), 'paired'),
        (dict(references=dict(x=dict(aggregate={}))), 'references'),
        (dict(per_class_recall=['a']), 'per_class_recall'),
        (dict(gamma='low'), 'gamma'),
    ],
)
def test_results_of_another_kind_are_refused_by_the_name_of_the_entry(tmp_path, change, named):
    folder = write_run(tmp_path / 'odd')
    path = folder / 'results.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=named):
        read_run(folder)


@pytest.mark.parametrize('content', [b'', b'[]', b'{', b'\xff', b'null', b'"text"'])
def test_a_damaged_file_of_results_is_refused(run_dir, content):
    (run_dir / 'results.json').write_bytes(content)
    with pytest.raises(DataError, match=r'results\.json'):
        read_run(run_dir)


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
