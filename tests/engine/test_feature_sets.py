"""A run keeps what its features are; testing it or going on with it on other features of the same width is refused."""

import json
import shutil

import pytest

from avzoo.checkpoints.training import load_checkpoint, save_checkpoint
from avzoo.datasets.feature_set import FeatureSet
from avzoo.engine import CurriculumRunner
from avzoo.engine import log as log_module
from avzoo.engine.curriculum import evaluate as evaluate_module
from avzoo.engine.curriculum import progress as progress_module
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.engine.curriculum.plan import Phase
from avzoo.engine.curriculum.recover import named_checkpoint
from avzoo.utils.errors import DataError

SET = {'audio': 'vggish-pca-u8', 'visual': 'c3d-fc7'}
OTHER = SET | {'audio': 'pann'}


def say(root, features):
    """Write into a store what its features are."""
    path = root / 'store.json'
    content = {key: value for key, value in json.loads(path.read_text()).items() if key != 'features'}
    path.write_text(json.dumps(content if features is None else content | dict(features=features)))
    return root


@pytest.fixture(scope='module')
def store_of_the_run(tmp_path_factory, tiny_store):
    return say(shutil.copytree(tiny_store, tmp_path_factory.mktemp('said') / 'store'), SET)


@pytest.fixture
def run(small_fitted, store_of_the_run, tmp_path):
    """A function that begins a run, or goes on with it, on a store."""

    def train(root=store_of_the_run, *, work_dir=tmp_path / 'run', **kwargs):
        cfg = small_fitted(work_dir, f'data_root={root}')
        CurriculumRunner(cfg, **kwargs).train()
        return cfg

    return train


def test_checkpoints_carry_what_the_features_are_and_only_their_store_tests_them(
    run, store_of_the_run, tmp_path, monkeypatch
):
    cfg = run(stage=1)
    path = tmp_path / 'run' / 'stage1_full' / 'best.pth'
    assert load_checkpoint(path)['meta']['feature_set'] == SET
    said = []
    monkeypatch.setattr(log_module, '_WARNED', set())
    monkeypatch.setattr(log_module, 'log_line', said.append)

    def test_on(features):
        one = cfg.copy()
        one.data_root = str(say(shutil.copytree(store_of_the_run, tmp_path / f'copy{len(features or "")}'), features))
        return evaluate_checkpoint(one, path, split='val', draw=None, work_dir=tmp_path / 'test')

    same = test_on(SET).metrics
    assert said == []
    shutil.rmtree(tmp_path / 'copy2')
    with pytest.raises(DataError, match=r'audio features.*best\.pth: .*vggish-pca-u8.*copy2: .*pann'):
        test_on(OTHER)
    assert test_on(None).metrics == same  # The features are the same, whatever is said of them.
    assert len(said) == 1 and 'copy0: nothing' in said[0]
    with pytest.raises(DataError, match=r'last\.pth: .*vggish-pca-u8.*elsewhere: .*pann'):
        run(say(shutil.copytree(store_of_the_run, tmp_path / 'elsewhere'), OTHER), resume=True)


def test_a_run_on_a_store_that_says_nothing_says_nothing(run, tiny_store, tmp_path):
    run(tiny_store, stage=1)
    assert 'feature_set' not in load_checkpoint(tmp_path / 'run' / 'stage1_full' / 'best.pth')['meta']


@pytest.mark.parametrize(
    ('checkpoint', 'store', 'refused'),
    [
        (SET, SET, False),
        (SET, {}, False),
        (None, SET, False),
        ({'audio': 'x'}, {'visual': 'y'}, False),
        (SET, OTHER, True),
    ],
    ids=['the same', 'the store is silent', 'the checkpoint is silent', 'of other modalities', 'others'],
)
def test_a_named_checkpoint_of_other_features_is_not_resumed(tmp_path, checkpoint, store, refused):
    meta = dict(format='avzoo-checkpoint', phase='stage1_base', seed=0, feature_set=checkpoint)
    save_checkpoint(tmp_path / 'a.pth', dict(meta=meta, state_dict={}, optimizer={}))
    resume = lambda: named_checkpoint(tmp_path / 'a.pth', Phase(1, 'base'), 0, FeatureSet('data', store))  # noqa: E731
    if refused:
        with pytest.raises(DataError, match=r'a\.pth: .*vggish-pca-u8.*data: .*pann'):
            resume()
    else:
        assert resume() == tmp_path / 'a.pth'


def test_a_doubt_is_said_once_of_each_store(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(log_module, '_WARNED', set())
    monkeypatch.setattr(log_module, 'log_line', said.append)
    for about in ('a', 'a', 'b'):
        evaluate_module.warn_once('not known', about=tmp_path / about)
        evaluate_module.warn_once('', about=tmp_path / 'c')
    assert said == ['WARNING: not known'] * 2


def test_the_log_says_how_many_videos_are_cut_and_nothing_where_none_is(small_avdiff, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(progress_module, 'log_line', said.append)
    progress_module.warn_of_features(small_avdiff(tmp_path))
    assert said == []
    progress_module.warn_of_features(small_avdiff(tmp_path, 'val_dataloader.dataset.window.steps=3'))
    assert len(said) == 1
    count, rest = said[0].removeprefix('More than 3 steps: ').split(' of ', 1)
    assert 0 < int(count) < int(rest.split()[0])
    assert '512 steps in train_dataloader (random), 3 steps in val_dataloader (center)' in rest
    progress_module.warn_of_features(
        small_avdiff(tmp_path, *(f'{name}_dataloader.dataset.window=none' for name in ('train', 'val', 'test')))
    )
    assert len(said) == 1
