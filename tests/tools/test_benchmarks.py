"""avzoo's own benchmarks: which runs they take, and how their numbers become the tables of docs/benchmarks.md."""

import json

import pytest

from avzoo.utils.errors import ConfigError
from benchmark_page import page_with_tables, tables_text
from benchmark_sections import SECTIONS, Row, Section
from benchmark_tables import gather_section

SECTION = Section(
    'demo',
    'synth',
    (Row('with', 'avgauss'), Row('without', 'avgauss-nogen')),
    baseline='without',
    shots=(1,),
    seeds=(1, 2),
    draws=2,
)


def leave(run, hm, **more):
    """Leave what a finished run leaves: two draws, one point apart."""
    draws = [dict(draw=d, B=50.0, N=40.0, HM=hm + d, FSL=hm + 2 * d, AUSUC=30.0) for d in (0, 1)]
    run.work_dir.mkdir(parents=True)
    (run.work_dir / 'results.json').write_text(json.dumps(dict(seed=run.seed, draws=draws, **more)))


def test_every_run_of_the_benchmarks_has_a_config_and_a_folder_of_its_own(repo_dir, tmp_path):
    folders = {}
    for section in SECTIONS:
        for run in section.runs(tmp_path, 'data/x'):
            assert (repo_dir / run.command[2]).is_file() and not run.is_finished
            assert f'curriculum.num_draws={section.draws}' in run.command
            folders.setdefault(run.work_dir, set()).add((run.command[2], run.seed, run.row.options))
    assert all(len(what) == 1 for what in folders.values())


def test_differences_are_paired_by_seed_and_draw(tmp_path):
    runs = SECTION.runs(tmp_path, 'data/x')
    for run, hm in zip(runs, (60.0, 70.0, 55.0, 67.0), strict=True):
        leave(run, hm)
    (table,) = gather_section(SECTION, runs)
    with_it, without = table['rows']
    assert (table['shots'], table['baseline']) == (1, 'without') and without['difference'] is None
    assert with_it['HM'] == 65.5 and with_it['draws'] == 4
    assert with_it['difference']['HM']['mean'] == pytest.approx(4.0)  # 5 for one seed and 3 for the other.
    assert with_it['difference']['HM']['ci95'] == pytest.approx(3.182 * (4 / 3) ** 0.5 / 2, rel=1e-3)


def test_what_is_not_finished_is_left_out(tmp_path):
    runs = SECTION.runs(tmp_path, 'data/x')
    assert gather_section(SECTION, runs) == []
    leave(runs[0], 60.0)
    (table,) = gather_section(SECTION, runs)
    assert [row['title'] for row in table['rows']] == ['with'] and table['rows'][0]['difference'] is None
    assert tables_text([]) == 'Not run.'


def test_without_a_baseline_a_row_is_compared_with_the_strongest_reference(tmp_path):
    section = Section('demo', 'synth', SECTION.rows[:1], shots=(5,), draws=2)
    (run,) = section.runs(tmp_path, 'data/x')
    difference = {m: dict(mean=4.0, ci95=1.0) for m in ('HM', 'FSL', 'AUSUC')}
    bootstrap = {m: dict(low=3.0, high=5.5) for m in ('HM', 'FSL')}
    draw = dict(draw=0, B=1.0, N=2.0, HM=3.0, FSL=4.0, AUSUC=5.0)
    references = dict(logistic_regression=dict(draws=[draw]))
    leave(
        run,
        60.0,
        references=references,
        paired=dict(against='logistic_regression', draws=difference, bootstrap=bootstrap),
    )
    text = tables_text(gather_section(section, [run]))
    assert '+4.00 ± 1.00 [+3.00, +5.50]' in text and 'from logistic regression;' in text
    assert '| logistic regression |' in text


def test_a_generator_that_has_not_learned_is_named():
    row = dict(title='x', B=1, N=1, HM=1, FSL=1, AUSUC=1, ci95=None, draws=3, difference=None, learned=False)
    assert 'x (generator: not learned)' in tables_text([dict(shots=1, baseline=None, rows=[row])])


def test_tables_go_between_their_marks_and_stay_there():
    page = 'Head\n<!-- a: made by tools/misc/make_benchmarks.py -->\nold\n<!-- end of a -->\nTail\n'
    new = page_with_tables(page, dict(a=[]))
    assert new.startswith('Head\n') and new.endswith('\nTail\n') and 'old' not in new and 'Not run.' in new
    assert page_with_tables(new, dict(a=[])) == new
    with pytest.raises(ConfigError, match='no place for the tables of b'):
        page_with_tables(page, dict(b=[]))


def test_the_page_has_the_numbers_that_were_gathered(repo_dir):
    page = (repo_dir / 'docs/benchmarks.md').read_text(encoding='utf-8')
    numbers = json.loads((repo_dir / 'docs/benchmarks.json').read_text(encoding='utf-8'))
    assert set(numbers) == {section.name for section in SECTIONS}
    assert page_with_tables(page, numbers) == page
