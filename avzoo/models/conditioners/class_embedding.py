"""Conditioning on a vector of the class name."""

import torch
from torch import Tensor, nn

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.registry import CONDITIONERS


@CONDITIONERS.register_module()
class ClassEmbedding(nn.Module):
    """Look up the word vector of a class name (word2vec in the paper, sec. 4.2).

    The vectors lie in a buffer, so a checkpoint carries them. Their rows are in the order of the classifier's
    columns; the released code feeds many novel classes another class's vector (docs/faithfulness.md).

    Args:
        num_classes: Number of classes C.
        embedding_dim: Width of the class vectors.
    """

    def __init__(self, num_classes: int, *, embedding_dim: int = 300) -> None:
        super().__init__()
        self.out_dim = embedding_dim
        self.register_buffer('vectors', torch.zeros(num_classes, embedding_dim))

    def fit(self, dataset: GFSLDataset) -> None:
        """Take the class vectors from the training set's store."""
        self.vectors.copy_(torch.as_tensor(dataset.class_embeddings))

    def forward(self, labels: Tensor) -> Tensor:
        """Return the condition (B, d_c) for labels (B,)."""
        return self.vectors[labels]
