import json
import os

import numpy as np
import pytest

from avzoo.evaluation.functional import aggregate_draws
from avzoo.evaluation.report import interval_line, paired_text, results_rows, results_table, write_results
from avzoo.utils.files import atomic_write_text, sha256_of
from avzoo.utils.tables import markdown_table

TEXT_TABLE = """\
method / draw                  B      N     HM    FSL  AUSUC
-------------------------  -----  -----  -----  -----  -----
avdiff / draw 0            60.00  20.00  30.00  50.00  10.00
avdiff / draw 1            50.00  30.00  37.50  54.00  14.00
avdiff / mean              55.00  25.00  34.38  52.00  12.00
nearest class mean / mean  40.00  10.00  16.00  33.33      -"""


@pytest.fixture
def results():
    draws = [
        dict(draw=0, B=60.0, N=20.0, HM=30.0, FSL=50.0, AUSUC=np.float32(10.0)),
        dict(draw=1, B=50.0, N=30.0, HM=37.5, FSL=54.0, AUSUC=14.0),
    ]
    reference = dict(B=40.0, N=10.0, HM=16.0, FSL=100 / 3, AUSUC=float('nan'))
    return dict(
        method='avdiff',
        dataset='synth',
        num_shots=5,
        seed=0,
        gamma=0.2,
        draws=draws,
        gamma_source='chosen on validation',
        aggregate=aggregate_draws(draws),
        references=dict(nearest_class_mean=dict(aggregate=reference)),
        per_class_recall={'playing piano': 75.0, 'écran': np.float64(12.5)},
    )


def test_text_table_is_aligned_and_in_per_cent(results):
    assert results_table(results_rows(results)) == TEXT_TABLE


def test_markdown_table_has_one_row_per_line_of_text(results):
    lines = results_table(results_rows(results), markdown_table).splitlines()
    assert len(lines) == len(TEXT_TABLE.splitlines())
    assert [cell.strip() for cell in lines[2].strip('|').split('|')] == [
        'avdiff / draw 0',
        '60.00',
        '20.00',
        '30.00',
        '50.00',
        '10.00',
    ]
    assert set(lines[1]) == set('|- :')


def test_interval_is_named_and_absent_for_one_draw(results):
    assert interval_line(results['aggregate']) == (
        'HM of mean B and mean N: 34.38. Mean HM of 2 draws: 33.75 ± 47.65 (95%).'
    )
    assert interval_line(aggregate_draws(results['draws'][:1])).endswith('(one draw, no interval).')


def test_results_are_written_as_json_and_markdown(results, tmp_path):
    json_path, markdown_path = write_results(tmp_path / 'new', results)
    assert (json_path.name, markdown_path.name) == ('results.json', 'results.md')
    read = json.loads(json_path.read_text('utf-8'))
    assert read['aggregate']['HM'] == results['aggregate']['HM']
    assert read['references']['nearest_class_mean']['aggregate']['AUSUC'] is None
    assert read['per_class_recall']['écran'] == 12.5
    text = markdown_path.read_text('utf-8')
    assert text.startswith('# avdiff on synth, 5 shots\n')
    assert 'gamma 0.2' in text
    assert '| playing piano | 75.00 |' in text
    assert sorted(os.listdir(tmp_path / 'new')) == ['results.json', 'results.md']


def test_differences_to_the_strongest_reference_have_both_intervals(results, tmp_path):
    paired = dict(
        against='tuned_logistic_regression',
        draws=dict(HM=dict(mean=4.654, ci95=0.94), AUSUC=dict(mean=-0.5, ci95=None)),
        bootstrap=dict(HM=dict(mean=4.7, low=3.1, high=6.02)),
    )
    text = paired_text(paired)
    assert text.startswith('minus tuned logistic regression')
    assert '- HM +4.65 ± 0.94 (draws), [+3.10, +6.02] (bootstrap over videos)\n' in text
    assert '- AUSUC -0.50 (one draw)\n' in text
    assert text.strip() in write_results(tmp_path, dict(results, paired=paired))[1].read_text('utf-8')
    assert '+3.10' not in paired_text(dict(paired, bootstrap=None))
    del paired['bootstrap']
    assert '- HM +4.65 ± 0.94 (draws)\n' in paired_text(paired)
    assert paired_text(None) == ''


def test_results_without_references_recall_and_check_are_fine(results, tmp_path):
    del results['references'], results['per_class_recall']
    results['draws'][0]['generator_check'] = None
    text = write_results(tmp_path, results)[1].read_text('utf-8')
    assert 'nearest' not in text and 'Recall' not in text


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = atomic_write_text(tmp_path / 'file.txt', 'old')
    with monkeypatch.context() as patch, pytest.raises(OSError, match='disk full'):
        patch.setattr(os, 'fsync', lambda _: (_ for _ in ()).throw(OSError('disk full')))
        atomic_write_text(path, 'new')
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['file.txt']
    assert atomic_write_text(path, 'new').read_text() == 'new'


def test_sha256_of_a_file_longer_than_a_chunk(tmp_path):
    path = tmp_path / 'file'
    path.write_bytes(b'abc')
    known = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    assert sha256_of(path) == sha256_of(path, chunk_bytes=1) == known


def test_names_of_elsewhere_forge_no_line_of_the_markdown_and_stay_themselves_in_json(results, tmp_path):
    name = 'dog\n| forged | 99.99 |\x1b[2J'
    results.update(dataset=f'{name}s', per_class_recall={name: 1.0})
    json_path, markdown_path = write_results(tmp_path, results)
    text = markdown_path.read_text('utf-8')
    assert '\x1b' not in text and not any(line.startswith('| forged') for line in text.splitlines())
    assert list(json.loads(json_path.read_text('utf-8'))['per_class_recall']) == [name]
