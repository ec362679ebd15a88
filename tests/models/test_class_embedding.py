"""Class vectors that are given to other classes, for ablations."""

import torch

from tests.models.part_runs import build, dataset


def test_shuffled_vectors_are_those_of_other_classes_always_the_same():
    one, again = (build('conditioner', 'ClassEmbedding', seed=s, order='shuffled').vectors for s in (0, 1))
    own = torch.as_tensor(dataset().class_embeddings)
    assert torch.equal(one, again)
    assert not (one == own).all(1).any()  # None keeps its own,
    assert sorted(one.tolist()) == sorted(own.tolist())  # and each is somebody's.
