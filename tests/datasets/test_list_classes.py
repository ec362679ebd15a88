"""A class of zero-shot lists is base or novel, in whatever spelling, and a ``.txt`` names classes that have rows."""

import csv

import pytest

from avzoo.datasets.splits import LIST_NAMES, read_zero_shot_lists
from avzoo.utils.errors import DataError

CLASSES = dict(zip(LIST_NAMES, (['base'], ['base'], ['first'], ['base', 'first'], ['second']), strict=True))


@pytest.fixture
def lists(tmp_path):
    """A function that writes lists, of which some have other classes."""

    def write(**others):
        for name, labels in {**CLASSES, **others}.items():
            with open(tmp_path / f'{name}.csv', 'w', newline='', encoding='utf-8') as file:
                rows = [(f'{name} {label} {i}'.replace('\u200b', ''), label) for label in labels for i in range(3)]
                csv.writer(file).writerows([('filename', 'label'), *rows])
        return tmp_path

    return write


SPELLED = ['Base', 'base\u200b', 'b ase', 'BASE', '\uff42ase', 'base\ufe0f', 'ba\u034fse', 'ba\xadse', 'base\ufeff']


@pytest.mark.parametrize('label', SPELLED)
@pytest.mark.parametrize('novel', ['stage_1_val_unseen', 'stage_2_test_unseen'])
def test_a_base_class_in_another_spelling_is_not_novel(lists, novel, label):
    with pytest.raises(DataError) as error:
        read_zero_shot_lists(lists(**{novel: [label]}))
    assert repr(label) in str(error.value) and "'base'" in str(error.value) and f'{novel}.csv' in str(error.value)


def test_both_unicode_forms_of_a_class_are_shown_apart(lists):
    with pytest.raises(DataError, match=r"'caf\\xe9' and 'cafe\\u0301'"):
        read_zero_shot_lists(lists(stage_1_train=['caf\u00e9'], stage_2_test_unseen=['cafe\u0301']))


def test_two_spellings_among_base_classes_are_warned_of(lists, caplog):
    read_zero_shot_lists(lists(stage_1_train=['base', 'Base']))
    (record,) = caplog.records
    assert "'base'" in record.getMessage() and "'Base'" in record.getMessage()


@pytest.mark.parametrize('label, hint', [('Base', 'base'), ('bases', 'base'), ('second one', '')])
@pytest.mark.parametrize('name', ['stage_1_val_seen', 'stage_2_test_seen'])
def test_a_base_class_to_evaluate_on_has_videos_to_learn_from(lists, name, label, hint):
    with pytest.raises(DataError, match=rf"{name}\.csv: class '{label}' .* no video in stage_1_train\.csv") as error:
        read_zero_shot_lists(lists(**{name: [*CLASSES[name], label]}))
    assert f"Did you mean '{hint}'" in str(error.value) or not hint


def test_lists_that_are_not_all_there_are_not_compared(lists):
    folder = lists(stage_2_test_seen=['base', 'other'])
    (folder / 'stage_1_train.csv').unlink()
    assert 'other' in read_zero_shot_lists(folder).videos['stage_2_test_seen']


@pytest.mark.parametrize('name', LIST_NAMES)
def test_a_txt_that_spells_a_class_otherwise_is_refused(lists, name):
    folder = lists()
    (folder / f'{name}.txt').write_text('\n'.join(label.title() for label in CLASSES[name]))
    label = CLASSES[name][0]
    with pytest.raises(DataError, match=rf"{name}\.txt: class '{label.title()}' is spelled '{label}' in {name}\.csv"):
        read_zero_shot_lists(folder)


def test_a_class_of_a_txt_without_rows_is_warned_of_with_the_nearest_label(lists, caplog):
    folder = lists()
    (folder / 'stage_2_test_seen.txt').write_text('base\nfirsts\n')
    assert list(read_zero_shot_lists(folder).videos['stage_2_test_seen']) == ['base', 'firsts']
    assert "class 'firsts'" in caplog.text and "Did you mean 'first'?" in caplog.text


@pytest.mark.parametrize('kind', ['table', 'folder with one table', 'empty folder'])
def test_what_is_not_lists_yet_is_refused_with_the_command_that_divides_it(tmp_path, kind):
    (tmp_path / 'lists').mkdir()
    if kind != 'empty folder':
        (tmp_path / 'lists' / 'all.csv').write_text('filename,label\na,b\n')
    with pytest.raises(DataError, match=r'splits\.py TABLE\.csv OUT --novel 12 6'):
        read_zero_shot_lists(tmp_path / 'lists' / 'all.csv' if kind == 'table' else tmp_path / 'lists')
