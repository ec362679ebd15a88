"""A folder of tools/extract_features.py says by itself how long its steps are, and what they are."""

import json
import logging

import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.extraction.extraction_folder import read_extraction
from avzoo.utils.errors import DataError
from tests.importers.own_data import clips, run_features, video_ids, write_folder, write_lists

STAMPS = dict(
    visual=dict(extractor='c3d', colour='rgb', weights='ab' * 32, dim=8), audio=dict(extractor='log_mel', dim=6)
)


@pytest.fixture
def folder(tmp_path):
    """Lists, and features with the facts of their extraction: steps of 0.5 s of picture and 0.25 s of sound."""
    write_lists(tmp_path)
    write_folder(tmp_path / 'F', clips(lambda key, i: 3 if key == 'visual' else 6))
    (tmp_path / 'F/facts').mkdir()
    (tmp_path / 'F/extraction.json').write_text(json.dumps(dict(format='avzoo-extraction-v1', modalities=STAMPS)))
    for video in video_ids():
        write_facts(tmp_path, video, visual=0.5, audio=0.25)
    return tmp_path


def write_facts(folder, video, **seconds):
    (folder / f'F/facts/{video}.json').write_text(json.dumps(dict(seconds_per_step=seconds)))


def seconds_of(store):
    return {key: modality.seconds_per_step for key, modality in store.modalities.items()}


def stamps_of(folder):
    return json.loads((folder / 'out/store.json').read_text())['features']


def test_seconds_and_features_are_those_of_the_extraction(folder, caplog):
    assert run_features(folder) == 0
    assert seconds_of(FeatureStore(folder / 'out')) == dict(audio=0.25, visual=0.5)
    assert stamps_of(folder) == dict(visual='c3d colour=rgb weights=abababababab', audio='log_mel')
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_seconds_of_the_command_come_first(folder):
    assert run_features(folder, '--seconds-visual', 2) == 0
    assert seconds_of(FeatureStore(folder / 'out')) == dict(audio=0.25, visual=2.0)


def test_clips_of_another_frame_rate_are_warned_of_and_the_median_is_taken(folder, caplog):
    for video in list(video_ids())[:2]:
        write_facts(folder, video, visual=0.7, audio=0.25)
    assert run_features(folder) == 0
    assert seconds_of(FeatureStore(folder / 'out'))['visual'] == 0.5
    assert 'visual covers 0.5 s in most clips' in caplog.text and 'in 2 of 27' in caplog.text
    assert 'audio covers' not in caplog.text


def test_of_one_extracted_modality_only_that_one_is_stamped(folder):
    for path in (folder / 'F/audio').iterdir():
        path.unlink()
    (folder / 'F/audio').rmdir()
    assert run_features(folder) == 0
    assert list(stamps_of(folder)) == ['visual']


@pytest.mark.parametrize(
    'name, text',
    [
        ('facts/x.json', '{"seconds_per'),
        ('facts/x.json', '{"seconds_per_step": {"audio": "x"}}'),
        ('facts/x.json', '{"seconds_per_step": {"audio": NaN}}'),
        ('facts/x.json', '{"seconds_per_step": []}'),
        ('extraction.json', '[]'),
        ('extraction.json', '{"modalities": {"audio": "x"}}'),
        ('extraction.json', '[' * 10**5),
    ],
)
def test_damaged_facts_are_refused_by_name(folder, name, text):
    (folder / 'F' / name).write_text(text)
    with pytest.raises(DataError, match=name):
        read_extraction(folder / 'F')


def test_other_folders_have_no_facts(folder):
    (folder / 'F/extraction.json').unlink()
    assert read_extraction(folder / 'F') is None
    assert run_features(folder) == 0
    assert seconds_of(FeatureStore(folder / 'out')) == dict(audio=0.96, visual=0.64)
    assert 'features' not in json.loads((folder / 'out/store.json').read_text())
