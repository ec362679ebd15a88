"""Heads: from c_o to losses and class scores."""

from avzoo.models.heads.embedding_distance_head import EmbeddingDistanceHead
from avzoo.models.heads.ensemble_head import EnsembleHead
from avzoo.models.heads.gaussian_head import GaussianHead
from avzoo.models.heads.linear_head import LinearHead
from avzoo.models.heads.logistic_head import LogisticHead
from avzoo.models.heads.projected_head import ProjectedHead
from avzoo.models.heads.triplet_aux_head import TripletAuxHead

__all__ = [
    'EmbeddingDistanceHead',
    'EnsembleHead',
    'GaussianHead',
    'LinearHead',
    'LogisticHead',
    'ProjectedHead',
    'TripletAuxHead',
]
