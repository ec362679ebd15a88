"""Which clips an adaptation learns from."""

import shutil
from functools import partial

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.importers.support_set import open_support_set, zero_vectors
from avzoo.utils.errors import DataError

BASE = [f'class{i:02}' for i in range(9)]


@pytest.fixture
def choose(tmp_path):
    """A function that opens a support; only what a test is about needs to be said."""

    def choose(path, *, shots=2, known=BASE, draw=0, classes=None, seed=0):
        return open_support_set(
            path,
            shots=shots,
            known=known,
            scratch=tmp_path / 'scratch',
            draw=draw,
            classes=classes,
            seconds=dict(audio=0.96, visual=0.64),
            missing_vectors=partial(zero_vectors, width=5),
            seed=seed,
        )

    return choose


@pytest.fixture
def folder(tmp_path):
    """Two classes of three clips each."""
    rng, out = np.random.default_rng(5), tmp_path / 'folder'
    for name in ('blowing glass', 'tap dance'):
        (out / name).mkdir(parents=True)
        for i in range(3):
            np.savez(out / name / f'{i}.npz', audio=rng.normal(size=(2, 6)), visual=rng.normal(size=(3, 9)))
    return out


@pytest.fixture
def unsplit_store(tiny_store, tmp_path):
    """The tiny store without its splits."""
    shutil.copytree(tiny_store, tmp_path / 'unsplit', ignore=shutil.ignore_patterns('splits'))
    return tmp_path / 'unsplit'


def test_a_split_gives_just_its_videos_in_its_order(choose, tiny_store):
    store = FeatureStore(tiny_store)
    for draw in range(2):
        found = choose(tiny_store, draw=draw)
        assert list(found.video_ids) == store.video_ids[store.split(2, f'stage2_novel_{draw}')].tolist()
        assert found.classes == ('class09', 'class10')


def test_test_videos_never_become_shots(choose, tiny_store):
    with pytest.raises(DataError, match='has splits of 2 shots, not of 3'):
        choose(tiny_store, shots=3)


def test_a_store_without_splits_gives_k_clips_of_each_class_that_is_not_known(choose, unsplit_store):
    found = choose(unsplit_store, shots=3)
    assert found.classes == ('class09', 'class10') and len(set(found.video_ids)) == 6
    assert choose(unsplit_store, shots=3).video_ids == found.video_ids
    assert choose(unsplit_store, shots=3, draw=1).video_ids != found.video_ids
    with pytest.raises(DataError, match='only classes that are already base classes'):
        choose(unsplit_store, known=[*BASE, 'class09', 'class10'])


def test_chosen_classes_alone_are_taught(choose, tiny_store, unsplit_store, folder):
    assert choose(tiny_store, classes=['class10']).classes == ('class10',)
    assert choose(unsplit_store, classes=['class10']).classes == ('class10',)
    assert choose(folder, classes=['tap dance']).classes == ('tap dance',)
    assert len(choose(folder, classes=['tap dance', 'tap dance']).video_ids) == 2


def test_a_chosen_class_outside_the_split_is_refused(choose, tiny_store):
    with pytest.raises(DataError, match="split stage2_novel_0 of 2 shots, has no class 'class07'"):
        choose(tiny_store, classes=['class10', 'class07'], known=BASE[:6])


def test_a_class_that_the_model_knows_is_refused_and_not_left_out(choose, tiny_store, unsplit_store, folder):
    for path, known, classes in (
        (folder, ['tap dance'], None),
        (tiny_store, [*BASE, 'class09'], None),
        (unsplit_store, BASE, ['class03']),
    ):
        with pytest.raises(DataError, match='is already a base class of the model'):
            choose(path, known=known, classes=classes)
    assert choose(folder, known=['tap dance'], classes=['blowing glass']).classes == ('blowing glass',)


@pytest.mark.parametrize('known', ['Tap dance', 'tap\u200b dance', 'tap_dance', 'TAP DANCE'])
def test_a_class_that_the_model_knows_in_another_spelling_is_refused(choose, folder, known):
    with pytest.raises(DataError, match='is already a base class of the model, spelled') as error:
        choose(folder, known=[known])
    assert ascii(known) in str(error.value)


def test_a_class_of_fewer_clips_than_shots_is_refused(choose, folder):
    with pytest.raises(DataError, match="folder class 'blowing glass' has 3 clips; --shots asks for 4"):
        choose(folder, shots=4)


def test_one_clip_of_one_class_is_enough(choose, folder):
    shutil.rmtree(folder / 'blowing glass')
    for i in (1, 2):
        (folder / f'tap dance/{i}.npz').unlink()
    assert choose(folder, shots=1).video_ids == ('tap dance/0',)
    shutil.rmtree(folder / 'tap dance')
    with pytest.raises(DataError, match='folder has no clips'):
        choose(folder)


def test_a_list_of_other_classes_than_the_folders_is_refused(choose, folder):
    (folder / 'classes.csv').write_text('label\nblowing glass\nyodelling\n')
    with pytest.raises(DataError, match="do not name the same classes: 'tap dance' is in one only"):
        choose(folder)


def test_a_folder_of_a_class_without_clips_is_refused(choose, folder):
    (folder / 'yodelling').mkdir()
    with pytest.raises(DataError, match='yodelling has no clips'):
        choose(folder)


def test_class_vectors_of_a_folder_are_matched_by_name(choose, folder):
    vectors = dict(names=['tap dance', 'blowing glass', 'x'], vectors=[[1.0], [2.0], [3.0]])
    np.savez(folder / 'class_embeddings.npz', **vectors, provenance='{"kind": "own", "source": "by hand"}')
    store = choose(folder).store
    assert store.embedding_source('own') == '{"source": "by hand"}'
    assert dict(zip(store.class_names, store.class_embeddings()[:, 0], strict=True)) == {
        'blowing glass': 2,
        'tap dance': 1,
    }
    np.save(folder / 'class_embeddings.npy', np.zeros((2, 1)))
    with pytest.raises(DataError, match=r'class_embeddings\.npz and class_embeddings\.npy both exist'):
        choose(folder)


def test_rows_of_a_folder_without_a_certain_order_are_refused(choose, folder):
    (folder / 'tap dance').rename(folder / 'Tap dance')
    np.save(folder / 'class_embeddings.npy', np.array([[1.0], [2.0]]))
    with pytest.raises(DataError, match=r"'Tap dance' if .* code points, and to 'blowing glass'"):
        choose(folder)
    (folder / 'classes.csv').write_text('label\nTap dance\nblowing glass\n')
    assert choose(folder).store.class_embeddings()[:, 0].tolist() == [1, 2]


def test_a_model_that_needs_no_class_vectors_gets_none_where_its_store_had_none(folder, tmp_path):
    none = partial(zero_vectors, width=0)
    found = open_support_set(
        folder, shots=1, known=BASE, scratch=tmp_path / 'scratch', seconds={}, missing_vectors=none, seed=0
    )
    assert found.store.embedding_dim() == 0
    assert {modality.seconds_per_step for modality in found.store.modalities.values()} == {1.0}  # None was given.


def test_leftovers_of_systems_are_neither_classes_nor_clips(choose, folder):
    (folder / '__MACOSX').mkdir()
    for name in ('__MACOSX/0.npz', 'tap dance/._0.npz', 'tap dance/.DS_Store', '.DS_Store'):
        (folder / name).write_bytes(b'x')
    assert choose(folder, shots=3).classes == ('blowing glass', 'tap dance')
