"""Random changes of stores, lists, clips and metafiles are refused in one line, or read as what they say."""

import json
import shutil

import hypothesis.extra.numpy as hn
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.datasets.splits import draw_splits, read_zero_shot_lists
from avzoo.importers.clips import ClipReader, check_clips
from avzoo.zoo import index
from tests.hostile.mutations import (
    PLAIN,
    as_json,
    bounded,
    changed_bytes,
    changed_member,
    changed_tree,
    refused_in_one_line,
    rewrite,
)

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture
def store(material, tmp_path):
    return material.copy_store(tmp_path)


def _use(root):
    data = GFSLDataset(root, splits=('stage2_base', 'stage2_novel_0'), num_shots=2)
    info = data.data_info
    FeatureStore(root).split_sizes(2)
    return info, data[0]


def test_a_changed_store_json_is_read_or_refused(store):
    good = (store / 'store.json').read_bytes()
    tree = json.loads(good)

    @bounded(120)
    @given(st.data())
    def search(data):
        rewrite(
            store / 'store.json',
            data.draw(st.one_of(changed_bytes(good), changed_tree(tree).map(as_json), PLAIN.map(as_json))),
        )
        refused_in_one_line(lambda: _use(store))

    search()


@pytest.mark.parametrize('name', ['videos.csv', 'classes.csv', 'splits/2shot/stage2_base.txt', 'audio.npy'])
def test_changed_files_of_a_store_are_read_or_refused(store, name):
    good = (store / name).read_bytes()

    @bounded(60)
    @given(st.data())
    def search(data):
        rewrite(store / name, data.draw(changed_bytes(good)))
        refused_in_one_line(lambda: _use(store))

    search()


def test_changed_zero_shot_lists_are_read_or_refused(material, tmp_path):
    lists = shutil.copytree(material.lists, tmp_path / 'lists')
    good = {path: path.read_bytes() for path in sorted(lists.glob('stage_*.csv'))}

    @bounded(100)
    @given(st.data())
    def search(data):
        path = data.draw(st.sampled_from(sorted(good)))
        rewrite(path, data.draw(changed_bytes(good[path])))
        refused_in_one_line(lambda: draw_splits(read_zero_shot_lists(lists), 1))
        rewrite(path, good[path])

    search()


def _read_clips(path):
    clips = ClipReader(path)
    names = clips.choose(None)[:3]
    return check_clips([clips.read(name) for name in names], dict(audio=6, visual=9), names)


def test_changed_clips_are_read_or_refused(material, tmp_path):
    good = {path: path.read_bytes() for path in (material.clip, material.lists / 'features.npz')}

    @bounded(120)
    @given(st.data())
    def search(data):
        content = good[data.draw(st.sampled_from(sorted(good)))]
        path = rewrite(tmp_path / 'x.npz', data.draw(st.one_of(changed_bytes(content), changed_member(content))))
        refused_in_one_line(lambda: _read_clips(path))

    search()


_KEYS = st.sampled_from(['audio', 'visual', 'video_id', 'label', 'audio_len', 'visual_len', 'x', '../audio'])


def test_clips_of_any_arrays_are_read_or_refused(tmp_path):
    numbers = hn.arrays(
        st.one_of(hn.scalar_dtypes(), hn.unicode_string_dtypes(max_len=3), hn.byte_string_dtypes(max_len=3)),
        hn.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
    )
    good = st.fixed_dictionaries({'audio': st.just(np.ones((2, 6))), 'visual': st.just(np.ones((2, 9)))})

    @bounded(100)
    @given(good, st.dictionaries(_KEYS, numbers, max_size=3))
    def search(right, odd):
        np.savez(tmp_path / 'x.npz', **right | odd)
        refused_in_one_line(lambda: _read_clips(tmp_path / 'x.npz'))

    search()


def test_a_changed_metafile_is_read_or_refused(repo_dir, tmp_path):
    text = (repo_dir / 'configs/avdiff/metafile.yml').read_text()
    tree = yaml.safe_load(text)
    tree['Models'] = tree['Models'][:1]  # The more text, the slower.
    good = yaml.safe_dump(tree)
    (tmp_path / 'model-index.yml').write_text('Import: [metafile.yml]\n')

    @bounded(80)
    @given(st.data())
    def search(data):
        content = data.draw(st.one_of(changed_bytes(good.encode()), changed_tree(tree).map(_as_yaml)))
        rewrite(tmp_path / 'metafile.yml', content)
        index._read_collections.cache_clear()
        refused_in_one_line(lambda: index.read_index(tmp_path))

    search()
    index._read_collections.cache_clear()


def _as_yaml(value):
    return yaml.safe_dump(value, allow_unicode=True)
