"""Class prototypes and the averaging over time that goes with them."""

import numpy as np
import pytest
import torch

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models.conditioners import Prototype, prototype
from avzoo.models.data_preprocessors import AVPreprocessor

SECONDS = {'audio': 0.96, 'visual': 0.64}


@pytest.fixture
def base_set(tiny_store):
    return GFSLDataset(tiny_store, splits=('stage1_base',), num_shots=2)


def make(dataset, **choices) -> Prototype:
    dims = {m: info.dim for m, info in dataset.store.modalities.items()}
    return Prototype(len(dataset.class_ids), dims, preprocessor=AVPreprocessor(SECONDS, **choices))


def test_a_prototype_is_the_mean_of_what_the_model_sees_of_the_class(base_set):
    choices = dict(scale=dict(audio=255.0), norm=dict(visual='l2_time'), gain=dict(visual=3.0))
    part = make(base_set, **choices)
    part.read_constants(base_set)
    preprocessor = AVPreprocessor(SECONDS, pool_time=True, **choices)
    inputs = preprocessor(base_set.__getitems__(range(len(base_set))))['inputs']
    seen = torch.cat([x.squeeze(1) for x, _, _ in inputs.values()], dim=1)  # (N, 15)
    for column in np.unique(base_set.labels):
        expected = seen[torch.as_tensor(base_set.labels == column)].mean(0)
        torch.testing.assert_close(part(torch.tensor([column]))[0], expected, rtol=1e-5, atol=1e-6)


def test_a_prototype_equals_a_hand_computation(base_set):
    part = make(base_set, scale=dict(audio=255.0), norm=dict(visual='l2_feature'))
    part.read_constants(base_set)
    store, column = base_set.store, int(base_set.labels[0])
    rows = []
    for video in base_set.videos[base_set.labels == column]:
        audio, visual = (store.gather(m, np.array([video]))[0][0].numpy().mean(0) for m in ('audio', 'visual'))
        rows.append(np.concatenate([audio / 255, visual / np.linalg.norm(visual)]))
    np.testing.assert_allclose(part(torch.tensor([column]))[0], np.mean(rows, 0), rtol=1e-5, atol=1e-6)


def test_classes_without_training_videos_have_zeros_until_they_get_some(tiny_store, base_set):
    part = make(base_set)
    part.read_constants(base_set)
    novel = torch.as_tensor(np.flatnonzero(~base_set.base_mask))
    assert not part(novel).any() and part(torch.as_tensor(base_set.labels)).any(1).all()
    part.read_constants(GFSLDataset(tiny_store, splits=('stage1_base', 'stage1_novel'), num_shots=2))
    assert part(novel).any(1).all()


def test_reading_in_parts_changes_nothing(base_set, monkeypatch):
    whole, parts = make(base_set), make(base_set)
    whole.read_constants(base_set)
    monkeypatch.setattr(prototype, '_VIDEOS_AT_ONCE', 7)
    parts.read_constants(base_set)
    torch.testing.assert_close(whole.prototypes, parts.prototypes)


def test_only_the_modalities_of_the_model_count(base_set):
    part = Prototype(len(base_set.class_ids), {'visual': 9}, preprocessor=AVPreprocessor(SECONDS))
    part.read_constants(base_set)
    assert part.out_dim == 9 and list(part.state_dict()) == ['prototypes']


def test_pooling_comes_after_the_scale_and_before_the_norm():
    x = torch.tensor([[[3.0, 0.0], [0.0, 5.0], [9.0, 9.0]]])
    batch = dict(features=dict(audio=dict(x=x, lengths=torch.tensor([2]), starts=torch.tensor([4]))))
    for norm, expected in [
        (None, [0.3, 0.5]),
        ('l2_feature', [3 / 34**0.5, 5 / 34**0.5]),
        ('l2_time', [3 / 34**0.5, 5 / 34**0.5]),
    ]:
        preprocessor = AVPreprocessor(SECONDS, scale=dict(audio=5.0), norm=dict(audio=norm), pool_time=True)
        pooled, mask, seconds = preprocessor(batch)['inputs']['audio']
        torch.testing.assert_close(pooled, torch.tensor([[expected]]))
        assert mask.tolist() == [[True]] and seconds.item() == pytest.approx(4.5 * 0.96)
