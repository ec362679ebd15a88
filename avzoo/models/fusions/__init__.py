"""Fusions of audio and visual tokens into one vector, or a few."""

from avzoo.models.fusions.bottleneck_fusion import BottleneckFusion
from avzoo.models.fusions.concat_fusion import ConcatFusion
from avzoo.models.fusions.gated_modality_fusion import GatedModalityFusion
from avzoo.models.fusions.gaussian_temporal_pool import GaussianTemporalPool
from avzoo.models.fusions.hierarchical_latents import HierarchicalLatents
from avzoo.models.fusions.latent_cross_attention import LatentCrossAttention
from avzoo.models.fusions.masked_transformer import MaskedTransformer
from avzoo.models.fusions.pair_attention import PairAttention
from avzoo.models.fusions.segment_concat import SegmentConcat
from avzoo.models.fusions.time_concat_fusion import TimeConcatFusion

__all__ = [
    'BottleneckFusion',
    'ConcatFusion',
    'GatedModalityFusion',
    'GaussianTemporalPool',
    'HierarchicalLatents',
    'LatentCrossAttention',
    'MaskedTransformer',
    'PairAttention',
    'SegmentConcat',
    'TimeConcatFusion',
]
