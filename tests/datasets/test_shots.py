"""Arguments of data set and sampler that need a store with a choice."""

import numpy as np
import pytest
from mmengine.dataset import DefaultSampler

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.datasets.samplers import EvaluationBatchSampler
from tests.conftest import write_store


@pytest.mark.parametrize('shots', [1, 2])
def test_the_number_of_shots_chooses_the_splits(tmp_path, shots):
    data = GFSLDataset(write_store(tmp_path / 'store', shots=(1, 2)), splits=('stage1_novel',), num_shots=shots)
    assert np.unique(data.labels, return_counts=True)[1].tolist() == [shots] * 3


@pytest.mark.parametrize('name', ['text', 'glove'])
def test_the_class_vectors_are_those_that_the_embedding_names(tiny_store, monkeypatch, name):
    monkeypatch.setattr(FeatureStore, 'class_embeddings', lambda self, name: np.full((11, 2), len(name)))
    data = GFSLDataset(tiny_store, splits=('stage1_base',), num_shots=2, embedding=name)
    assert (data.class_embeddings == len(name)).all()


@pytest.mark.parametrize('size', [3, 5])
def test_evaluation_batches_are_as_large_as_asked_for(tiny_store, size):
    data = GFSLDataset(tiny_store, splits=('val_base',), num_shots=2)
    *whole, last = EvaluationBatchSampler(DefaultSampler(data, shuffle=False), size)
    assert {len(batch) for batch in whole} == {size} and 0 < len(last) <= size
