"""Heads: from fused features to losses and class scores."""

from avzoo.models.heads.embedding_distance_head import EmbeddingDistanceHead
from avzoo.models.heads.linear_head import LinearHead
from avzoo.models.heads.projected_head import ProjectedHead
from avzoo.models.heads.triplet_aux_head import TripletAuxHead

__all__ = ['EmbeddingDistanceHead', 'LinearHead', 'ProjectedHead', 'TripletAuxHead']
