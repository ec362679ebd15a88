"""Conditioning on a vector of the class name."""

import logging
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from mmengine.logging import MMLogger, print_log
from torch import Tensor, nn

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models.conditioners.released_order import released_order
from avzoo.registry import CONDITIONERS


@CONDITIONERS.register_module()
class ClassEmbedding(nn.Module):
    """Look up the word vector of a class name (word2vec in the paper, sec. 4.2).

    The vectors lie in a buffer, so a checkpoint carries them. Their rows are in the order of the classifier's
    columns.

    Args:
        num_classes: Number of classes C.
        embedding_dim: Width of the class vectors.
        order: ``sorted`` gives each class its own vector. ``released`` repeats a defect of the released code, which
            looks them up by the position of the class number in an unordered set: many novel classes get another
            class's vector. Only for comparison with the released numbers. ``shuffled`` gives each class the vector of
            another, always the same one; for ablations.
        class_list: For ``released``: a file that lists all classes of the data set, one per line (``all_class.txt`` of
            the released features), whose sorted positions are the class numbers. By default the store's classes; give
            it where the store holds fewer (UCF-FSL: 48 of 101).
    """

    vectors: Tensor

    def __init__(
        self,
        num_classes: int,
        *,
        embedding_dim: int = 300,
        order: Literal['sorted', 'released', 'shuffled'] = 'sorted',
        class_list: str | Path | None = None,
    ) -> None:
        super().__init__()
        if order not in ('sorted', 'released', 'shuffled'):
            raise ValueError(f"order='{order}'; choose 'sorted', 'released' or 'shuffled'.")
        self.out_dim = embedding_dim
        self.order, self.class_list = order, class_list
        self.register_buffer('vectors', torch.zeros(num_classes, embedding_dim))

    def read_constants(self, dataset: GFSLDataset) -> None:
        """Take the class vectors from the training set's store."""
        vectors = dataset.class_embeddings
        if self.order == 'released':
            if self.class_list is None:
                # A phase's own logger keeps warnings from the screen; that of the curriculum does not.
                print_log(
                    f'model.conditioner: class numbers are counted among the {len(dataset.store.class_names)} classes '
                    f'of {dataset.store.root}. If the data set has more, as UCF-FSL has, the released code mixes the '
                    'class vectors in another way: set model.conditioner.class_list.',
                    level=logging.WARNING,
                    logger='avzoo' if MMLogger.check_instance_created('avzoo') else 'current',
                )
            vectors = vectors[released_order(dataset, self.class_list)]
        if self.order == 'shuffled':
            cycle = np.random.default_rng(0).permutation(len(vectors))
            vectors = vectors[cycle[cycle.argsort() - 1]]  # The one before it in a cycle through all classes.
        self.vectors.copy_(torch.as_tensor(vectors))

    def forward(self, labels: Tensor) -> Tensor:
        """Return the condition (B, d_c) for labels (B,)."""
        return self.vectors[labels]
