"""Feature stores, the few-shot data sets cut from them, and their samplers."""

from avzoo.datasets.adaptation_dataset import AdaptationDataset
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.datasets.samplers import ClassBalancedBatchSampler, EvaluationBatchSampler

__all__ = ['AdaptationDataset', 'ClassBalancedBatchSampler', 'EvaluationBatchSampler', 'FeatureStore', 'GFSLDataset']
