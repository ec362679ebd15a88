"""The training set of an adaptation."""

import json
import shutil

import numpy as np
import pytest
import torch

from avzoo.datasets.adaptation_dataset import AdaptationDataset
from avzoo.datasets.feature_store import FeatureStore
from avzoo.utils.errors import ConfigError, DataError

NAMES = [f'class{i:02}' for i in range(11)]
SUPPORT = ('class09_stage_2_test_unseen_0', 'class10_stage_2_test_unseen_1')


def adaptation(store, **changes):
    arguments = dict(support=store, support_ids=SUPPORT, classes=NAMES, base_classes=NAMES[:9])
    return AdaptationDataset(store, **dict(arguments, **changes))


def rename_embedding(store, out, name):
    """Copy a store; its class vectors get another name, or are left out."""
    if not out.exists():
        shutil.copytree(store, out)
        meta = json.loads((out / 'store.json').read_text())
        entry = meta['class_embeddings'].pop('text')
        meta['class_embeddings'] = {} if name is None else {name: entry}
        (out / 'store.json').write_text(json.dumps(meta))
    return out


def test_base_videos_come_from_one_store_and_the_support_from_another(tiny_store):
    data, store = adaptation(tiny_store), FeatureStore(tiny_store)
    assert tuple(data.metainfo['video_ids'][-2:]) == SUPPORT
    np.testing.assert_array_equal(data.videos[:-2], store.split(2, 'stage2_base'))
    assert (data.videos[-2:] >= len(store)).all()


def test_columns_are_the_named_classes_in_their_order(tiny_store):
    data = adaptation(tiny_store, classes=NAMES[::-1], base_classes=NAMES[:6])
    assert data.metainfo['classes'] == NAMES[::-1] and data.labels[-2:].tolist() == [1, 0]
    assert data.base_mask.tolist() == [False] * 5 + [True] * 6
    assert set(data.labels[:-2]) == set(range(5, 11))


@pytest.mark.parametrize('split', ['stage1_base', 'stage2_base'])
def test_the_base_split_chooses_the_base_videos(tiny_store, split):
    data = adaptation(tiny_store, base_split=split, base_classes=NAMES[:6])
    wanted = FeatureStore(tiny_store).split(2, split)
    assert set(data.videos[:-2]) == {v for v in wanted if FeatureStore(tiny_store).labels[v] < 6}


def test_the_support_has_as_many_clips_of_each_new_class_as_there_are_shots(tiny_store):
    assert len(adaptation(tiny_store, num_shots=1)) == len(adaptation(tiny_store))
    with pytest.raises(DataError, match=r"1 clip of class 'class09'; num_shots=2"):
        adaptation(tiny_store, num_shots=2)


def test_a_clip_of_a_class_that_is_not_named_is_refused(tiny_store):
    with pytest.raises(DataError, match=f"class of support video '{SUPPORT[1]}' is not in classes"):
        adaptation(tiny_store, classes=NAMES[:10])


def test_the_names_of_splits_change_no_video(tiny_store):
    plain, other = adaptation(tiny_store), adaptation(tiny_store, splits=('support',))
    np.testing.assert_array_equal(plain.videos, other.videos)
    assert other.splits == ('support',)  # A sampler's message names them.


def test_batches_follow_modalities_window_and_seed(tiny_store):
    order = list(range(40))
    assert list(adaptation(tiny_store, modalities=('audio',))[0]['features']) == ['audio']
    one, other = (
        adaptation(tiny_store, window=dict(steps=1), seed=s).__getitems__(order)['features']['visual'] for s in (0, 1)
    )
    assert one['x'].shape[1] == 1 and one['starts'].tolist() != other['starts'].tolist()


def test_an_embedding_that_the_stores_lack_is_refused(tiny_store):
    assert adaptation(tiny_store, embedding='text').class_embeddings.shape == (11, 5)
    with pytest.raises(DataError):
        _ = adaptation(tiny_store, embedding='glove').class_embeddings


@pytest.mark.parametrize('kind, is_refused', [('glove-1', False), ('text', False), ('glove-2', True)])
def test_class_vectors_of_two_text_embeddings_are_never_mixed(tiny_store, tmp_path, kind, is_refused):
    roots = [rename_embedding(tiny_store, tmp_path / name, name) for name in ('glove-1', kind)]
    data = adaptation(roots[0], support=roots[1])
    assert data.data_info['embedding_dim'] == 5
    if is_refused:
        with pytest.raises(DataError, match=r"'glove-1' and .* 'glove-2'"):
            _ = data.class_embeddings
    else:
        np.testing.assert_array_equal(data.class_embeddings, FeatureStore(tiny_store).class_embeddings())


def test_stores_without_class_vectors_serve_methods_that_need_none(tiny_store, tmp_path):
    root = rename_embedding(tiny_store, tmp_path / 'none', None)
    data = adaptation(root)
    assert data.data_info['embedding_dim'] == 0 and len(data[0]['label']) == 1
    with pytest.raises(DataError, match='has no class vectors'):
        _ = data.class_embeddings


def test_batches_are_the_same_on_a_device(tiny_store):
    read, held = (adaptation(tiny_store, device=device)[-1]['features'] for device in (None, 'cpu'))
    assert all(torch.equal(read[m]['x'], held[m]['x']) for m in read)


def test_both_stores_can_be_copied_to_a_device_batch_by_batch(tiny_store):
    read, streamed = adaptation(tiny_store), adaptation(tiny_store, device='cpu', resident=False)
    index = [len(read) - 1, 0, 5, len(read) - 2]
    for modality, part in read.__getitems__(index)['features'].items():
        found = streamed.__getitems__(index)['features'][modality]
        assert all(torch.equal(found[key], part[key]) for key in part)
    assert streamed._source() is streamed.store


def test_a_modality_that_the_stores_lack_is_refused(tiny_store):
    with pytest.raises(ConfigError, match=r"has no modality 'sound'.*It has audio, visual"):
        adaptation(tiny_store, modalities=('sound',))
