"""The table beside the paper's numbers."""

import pytest

from avzoo.reproduction import TABLES, gather, tables_markdown, tables_text
from avzoo.utils.errors import AvzooError
from avzoo.zoo.index import paper_results
from tests.reproduction.runs import finish, plan


def test_the_table_gives_mean_interval_paper_and_what_was_not_run(tmp_path):
    runs = plan(tmp_path)
    rows = {row: [one for one in runs if one.row == row] for row in TABLES[4]}
    for one, hm in zip(rows['avdiff-wgan'], (50.0, 52.0), strict=True):
        finish(one, hm)
    finish(
        rows['avdiff'][0],
        60.0,
        references={'nearest_class_mean': dict(aggregate=dict(B=41.0, N=39.0, HM=40.0, FSL=30.0, ci95=1.5))},
    )
    (table,) = gather(runs)
    wgan, nogen, avdiff, reference = table['rows']
    assert wgan['mean']['HM'] == 51.0 and wgan['ci95']['HM'] == pytest.approx(12.706, abs=1e-3)
    assert wgan['paper'] == dict(B=83.79, N=36.20, HM=50.56, FSL=37.33) and wgan['draws_ci95'] == 2.0
    assert nogen['mean'] == {} and nogen['paper'] == {} and nogen['status'] == {0: 'not run', 1: 'not run'}
    assert avdiff['ci95']['HM'] is None and avdiff['paper']['HM'] == 59.96
    assert reference['method'] == 'nearest class mean' and reference['mean']['HM'] == 40.0
    text = tables_text(4, [table])
    lines = {line.split('  ')[0]: line for line in text.splitlines()}
    assert '51.00 ± 12.71' in lines['AV-GAN'] and lines['AV-GAN'].split()[-2:] == ['37.33', '2']
    assert lines['AV-DIFF (no generator)'].endswith('not run') and lines['AV-DIFF'].endswith('1 of 2')
    assert 'A dash marks what was not run' in text
    markdown = tables_markdown(4, [table]).splitlines()
    assert len({line.count('|') for line in markdown if line.startswith('|')}) == 1


def test_references_of_a_single_modality_are_not_shown_as_those_of_both(tmp_path):
    audio = plan(tmp_path, 5)[0]
    finish(audio, 40.0, references={'nearest_class_mean': dict(aggregate=dict(B=1.0, N=1.0, HM=1.0, FSL=1.0))})
    assert [row['name'] for row in gather(plan(tmp_path, 5))[0]['rows']][-1] == 'avdiff_ucf_5shot'


def compared(hm, width, low=None, high=None, against='tuned_logistic_regression'):
    """Return differences to a reference as a run writes them."""
    bootstrap = None if low is None else {key: dict(mean=hm, low=low, high=high) for key in ('HM', 'FSL')}
    draws = {key: dict(mean=hm, ci95=width) for key in ('HM', 'FSL', 'AUSUC')}
    return dict(against=against, draws=draws, bootstrap=bootstrap)


def test_differences_to_the_strongest_reference_are_averaged_over_seeds(tmp_path):
    runs = plan(tmp_path)
    rows = {row: [one for one in runs if one.row == row] for row in TABLES[4]}
    finish(rows['avdiff-wgan'][0], 50.0, paired=compared(-3.0, 1.0, -5.0, -1.0))
    finish(rows['avdiff-wgan'][1], 52.0, paired=compared(-1.0, 2.0, -4.0, 1.5))
    finish(rows['avdiff-nogen'][0], 52.0, paired=compared(4.0, None))
    finish(rows['avdiff'][0], 60.0)
    (table,) = gather(runs)
    assert table['against'] == 'tuned_logistic_regression'
    wgan, nogen, avdiff = table['rows']
    assert wgan['paired']['HM'] == dict(mean=-2.0, ci95=1.5, low=-4.5, high=0.25)
    assert nogen['paired']['FSL'] == dict(mean=4.0, ci95=None, low=None, high=None)
    assert avdiff['paired'] == {}
    text = tables_text(4, [table])
    assert text.count('-2.00 ± 1.50 [-4.50, +0.25]') == 2  # HM and FSL
    assert text.count('tuned logistic regression') == 1
    lines = {line.split('  ')[0]: line for line in text.splitlines()}
    assert '+4.00' in lines['AV-DIFF (no generator)'] and '[' not in lines['AV-DIFF (no generator)']


def test_runs_of_one_modality_are_not_compared_with_references_of_both(tmp_path):
    audio, _, visual, _, both, _ = plan(tmp_path, 5)
    finish(audio, 40.0, paired=compared(9.0, 1.0, against='tuned_nearest_class_mean'))
    assert gather([audio])[0]['against'] is None and 'Δ' not in tables_text(5, gather([audio]))
    finish(visual, 40.0, paired=compared(9.0, 1.0))
    finish(both, 40.0, paired=compared(2.0, 1.0))
    (table,) = gather([audio, visual, both])
    assert table['against'] == 'tuned_logistic_regression'
    assert [bool(row['paired']) for row in table['rows']] == [False, False, True]


@pytest.mark.parametrize(
    'text',
    [
        '{',
        '{}',
        '[]',
        '{"aggregate": {"B": 1, "N": 1, "HM": 1}}',
        '{"aggregate": {"B": 1, "N": 1, "HM": "x", "FSL": 1}}',
        '{"aggregate": {"B": 1, "N": 1, "HM": 1, "FSL": 1}, "references": {"x": {}}}',
        '{"aggregate": {"B": 1, "N": 1, "HM": 1, "FSL": 1}, "paired": {"against": "x"}}',
        '{"aggregate": {"B": 1, "N": 1, "HM": 1, "FSL": 1}, "paired": {"against": "x", "bootstrap": null, "draws": '
        '{"HM": {"mean": "1", "ci95": 1}, "FSL": {"mean": 1, "ci95": 1}}}}',
    ],
)
def test_damaged_results_are_named(tmp_path, text):
    one = plan(tmp_path)[0]
    finish(one, 50.0)
    (one.work_dir / 'results.json').write_text(text, encoding='utf-8')
    with pytest.raises(AvzooError, match=r'results\.json is damaged'):
        gather([one])


def test_every_number_of_the_papers_tables_is_in_the_metafiles(tmp_path):
    for dataset in ('ucf', 'activitynet', 'vgg'):
        for table in TABLES:
            for one in plan(tmp_path, table, dataset, (1, 5, 10) if table == 2 else (5,)):
                if one.row != 'avdiff-nogen':  # not in the paper
                    wanted = {'HM', 'FSL'} if table == 2 else {'B', 'N', 'HM', 'FSL'}
                    assert wanted <= set(paper_results(one.name)), one.name
