"""A run goes on with the store that it was begun with, wherever that lies, and with no other."""

import builtins
import errno
import io
import json
import os
import shutil

import numpy as np
import pytest

from avzoo.datasets import store_files
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.split_files import add_splits
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum import runner as runner_module
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.curriculum.store_watch import FILE_NAME, StoreWatch
from avzoo.utils.errors import DataError
from avzoo.utils.files import sha256_of


@pytest.fixture
def store(tmp_path, tiny_store):
    return shutil.copytree(tiny_store, tmp_path / 'store')


@pytest.fixture
def work_dir(tmp_path):
    path = tmp_path / 'run'
    path.mkdir()
    return path


@pytest.fixture
def begun(store, work_dir):
    """The SHA-256 of the store that a run was begun with."""
    return StoreWatch(store, work_dir, 2).check('')


@pytest.fixture
def hashed(monkeypatch):
    """The names of the files that are read whole from now on."""
    names: list[str] = []
    monkeypatch.setattr(store_files, 'sha256_of', lambda path: names.append(path.name) or sha256_of(path))
    return names


def zero_audio(store):
    rows = np.lib.format.open_memmap(store / 'audio.npy', mode='r+')
    rows[:] = 0
    rows.flush()


def zero_audio_and_keep_its_time(store):
    before = (store / 'audio.npy').stat()
    zero_audio(store)
    os.utime(store / 'audio.npy', ns=(before.st_atime_ns, before.st_mtime_ns))


def cut_audio(store):
    (store / 'audio.npy').write_bytes((store / 'audio.npy').read_bytes()[:-24])


def cut_list(name):
    def cut(store):
        path = store / 'splits' / '2shot' / f'{name}.txt'
        path.write_text(''.join(path.read_text().splitlines(True)[:2]))

    return cut


def swap_rows(store):
    lines = (store / 'videos.csv').read_text().splitlines(True)
    (store / 'videos.csv').write_text(''.join([lines[0], *lines[:0:-1]]))


def zero_vectors(store):
    np.save(store / 'text' / 'text.npy', np.zeros((11, 5), np.float32))


def add_list(store):
    (store / 'splits' / '2shot' / 'test_novel_7.txt').write_text('class09_stage_2_test_unseen_0\n')


CHANGES = [
    (zero_audio, r'audio\.npy: wrong checksum'),
    (zero_audio_and_keep_its_time, r'audio\.npy: wrong checksum'),
    (cut_audio, r'audio\.npy: wrong checksum'),
    (cut_list('test_base'), r'test_base\.txt: wrong checksum'),
    (cut_list('stage1_base'), r'stage1_base\.txt: wrong checksum'),
    (swap_rows, r'videos\.csv: wrong checksum'),
    (zero_vectors, r'text\.npy: wrong checksum'),
    (add_list, r'test_novel_7\.txt has no checksum'),
    (lambda store: (store / 'visual.npy').unlink(), r'visual\.npy is missing'),
    (lambda store: (store / 'classes.csv').unlink(), r'classes\.csv is missing'),
]


@pytest.mark.parametrize(('change', 'words'), CHANGES, ids=[words.split('\\')[0] for _, words in CHANGES])
def test_a_change_is_noticed_at_the_next_start_and_at_the_next_phase(store, work_dir, begun, change, words):
    under_way, later = StoreWatch(store, work_dir, 2), StoreWatch(store, work_dir, 2)
    under_way.check(begun)
    change(store)
    for watch in (under_way, later):
        with pytest.raises(DataError, match=words):
            watch.check(begun)


@pytest.mark.parametrize('name', ['videos.csv', 'classes.csv'])
def test_a_store_without_the_checksum_of_a_table_is_refused(store, work_dir, name):
    meta = json.loads((store / 'store.json').read_text())
    del meta['sha256'][name]
    (store / 'store.json').write_text(json.dumps(meta))
    with pytest.raises(DataError, match=rf'store\.json has no checksum of {name}'):
        StoreWatch(store, work_dir, 2).check('')


def test_another_store_is_refused_with_both_digests_and_the_cure(store, work_dir, begun):
    meta = json.loads((store / 'store.json').read_text())
    (store / 'store.json').write_text(json.dumps(meta))
    with pytest.raises(DataError, match=rf'store\.json is not the one .*{begun[:16]}.*--work-dir'):
        StoreWatch(store, work_dir, 2).check(begun)


def test_arrays_are_read_at_the_beginning_and_not_again(store, work_dir, hashed):
    begun = StoreWatch(store, work_dir, 2).check('')
    assert {'audio.npy', 'visual.npy'} <= set(hashed)
    hashed.clear()
    StoreWatch(store, work_dir, 2).check(begun)
    assert {'videos.csv', 'classes.csv', 'text.npy', 'test_base.txt'} <= set(hashed)
    assert not {'audio.npy', 'visual.npy'} & set(hashed)


def test_a_store_that_only_moved_is_the_same_and_is_not_read_again(store, work_dir, begun, hashed):
    store.rename(store.with_name('moved'))
    assert StoreWatch(store.with_name('moved'), work_dir, 2).check(begun) == begun
    assert 'audio.npy' not in hashed


def test_a_copy_is_the_same_store_and_is_read_once(store, work_dir, begun, hashed):
    copy = shutil.copytree(store, store.with_name('copy'), copy_function=shutil.copyfile)
    for _ in range(2):
        assert StoreWatch(copy, work_dir, 2).check(begun) == begun
    assert hashed.count('audio.npy') == 1


def test_an_array_that_was_written_anew_with_the_same_numbers_is_accepted(store, work_dir, begun, hashed):
    os.utime(store / 'audio.npy')
    StoreWatch(store, work_dir, 2).check(begun)
    assert hashed.count('audio.npy') == 1 and 'visual.npy' not in hashed


@pytest.mark.parametrize('text', [None, '', '[]', '{"audio.npy": 1}', '[' * 100_000])
def test_without_what_was_kept_everything_is_read_again(store, work_dir, begun, hashed, text):
    path = work_dir / FILE_NAME
    path.unlink() if text is None else path.write_text(text)
    StoreWatch(store, work_dir, 2).check(begun)
    assert hashed.count('audio.npy') == 1
    assert set(json.loads(path.read_text())) == {'audio.npy', 'visual.npy'}


def test_lists_of_other_numbers_of_shots_may_change(store, work_dir):
    begun = StoreWatch(store, work_dir, 2).check('')
    lists = {path.stem: path.read_text().splitlines() for path in (store / 'splits' / '2shot').glob('*.txt')}
    (store / 'splits' / '3shot').mkdir()
    (store / 'splits' / '3shot' / 'test_base.txt').write_text('\n'.join(lists['test_base']))
    assert StoreWatch(store, work_dir, 2).check(begun) == begun
    shutil.rmtree(store / 'splits' / '3shot')
    labels = {video: video.split('_')[0] for ids in lists.values() for video in ids}
    add_splits(store, {3: lists}, labels)  # This writes the description anew, with its digest.
    with pytest.raises(DataError, match='splits were rewritten'):
        StoreWatch(store, work_dir, 2).check(begun)


def test_nothing_is_written_where_a_run_is_refused_at_its_start(store, tmp_path):
    zero_audio(store)
    with pytest.raises(DataError):
        StoreWatch(store, tmp_path / 'new', 2).check('')
    assert not (tmp_path / 'new').exists()


@pytest.fixture
def stage_one(small_fitted, store, work_dir):
    cfg = small_fitted(work_dir, f'data_root={store}')
    CurriculumRunner(cfg, stage=1).train()
    return cfg


def test_a_run_is_not_resumed_on_a_changed_store(stage_one, store, work_dir):
    zero_audio(store)
    cut_list('test_base')(store)
    with pytest.raises(DataError, match=r'test_base\.txt: wrong checksum'):
        CurriculumRunner(stage_one, resume=True).train()
    assert not (work_dir / 'results.json').exists() and not (work_dir / 'stage2_base').exists()


def test_a_run_goes_on_with_a_store_that_moved(stage_one, small_fitted, store, work_dir):
    store.rename(store.with_name('moved'))
    cfg = small_fitted(work_dir, f'data_root={store.with_name("moved")}')
    assert CurriculumRunner(cfg, resume=True).train()['aggregate']['num_draws'] == 2


def test_a_list_that_changes_under_way_ends_the_run_at_the_next_phase(small_fitted, store, work_dir, monkeypatch):
    trained, real = [], runner_module.run_phase

    def change_after(run, cfg, phase, *rest):
        trained.append(phase.name)
        decided = real(run, cfg, phase, *rest)
        cut_list('stage2_base')(store)
        return decided

    monkeypatch.setattr(runner_module, 'run_phase', change_after)
    with pytest.raises(DataError, match=r'stage2_base\.txt: wrong checksum'):
        CurriculumRunner(small_fitted(work_dir, f'data_root={store}')).train()
    assert trained == ['stage1_base']


class Frozen:
    """Refuses to open anything below a folder for writing, as a read-only mount does, whoever the user is."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.opened = str(folder), []
        for module, name, is_change in (
            (builtins, 'open', lambda mode='r', *_, **__: set(str(mode)) & set('wax+')),
            (io, 'open', lambda mode='r', *_, **__: set(str(mode)) & set('wax+')),
            (os, 'open', lambda flags, *_, **__: flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)),
            *((os, name, lambda *_, **__: True) for name in ('mkdir', 'rename', 'replace', 'unlink', 'utime', 'chmod')),
        ):
            monkeypatch.setattr(module, name, self._guarded(getattr(module, name), is_change))

    def _guarded(self, function, is_change):
        def call(path, *args, **kwargs):
            if str(path).startswith(self.folder):
                self.opened.append(str(path))
                if is_change(*args, **kwargs):
                    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return function(path, *args, **kwargs)

        return call


def test_a_run_changes_nothing_in_its_store(small_fitted, store, work_dir, monkeypatch):
    frozen = Frozen(store, monkeypatch)
    with pytest.raises(OSError, match='Read-only'):
        (store / 'x').write_text('')
    CurriculumRunner(small_fitted(work_dir, f'data_root={store}'), stage=1).train()
    assert {'store.json', 'audio.npy'} <= {path.rsplit('/', 1)[1] for path in frozen.opened}


def test_features_that_tell_nothing_are_named_once_in_the_log(small_fitted, tmp_path, work_dir, tiny_store):
    videos = FeatureStore(tiny_store)
    modalities = {m: dict(dim=i.dim, seconds_per_step=i.seconds_per_step) for m, i in videos.modalities.items()}
    with FeatureStoreWriter(
        tmp_path / 'flat', name='flat', modalities=modalities, classes=videos.class_names
    ) as writer:
        for i, video in enumerate(videos.video_ids):
            steps = {m: videos.gather(m, [i])[0][0].numpy() for m in videos.modalities}
            steps['audio'] = np.ones_like(steps['audio'])
            writer.add(str(video), videos.class_names[videos.labels[i]], steps)
        writer.write_class_embeddings('text', videos.class_embeddings())
        lists = (tiny_store / 'splits' / '2shot').glob('*.txt')
        writer.write_splits(2, {path.stem: path.read_text().splitlines() for path in lists})
        writer.finish()
    CurriculumRunner(small_fitted(work_dir, f'data_root={tmp_path / "flat"}'), stage=1).train()
    log = (work_dir / 'curriculum.log').read_text()
    assert log.count('the audio features are the same in all of') == 1 and 'the visual features' not in log


def test_a_checkpoint_is_not_tested_on_a_list_that_was_cut(stage_one, store, work_dir):
    cut_list('val_novel')(store)
    with pytest.raises(DataError, match=r'val_novel\.txt: wrong checksum'):
        evaluate_checkpoint(
            stage_one, work_dir / 'stage1_full' / 'best.pth', split='val', draw=None, work_dir=work_dir / 'test'
        )
