"""The extractors, one frozen network per file."""

from avzoo.extraction.extractors.c3d import C3D
from avzoo.extraction.extractors.hf import HubModel
from avzoo.extraction.extractors.log_mel_statistics import LogMelStatistics
from avzoo.extraction.extractors.onnx import OnnxModel
from avzoo.extraction.extractors.timm_frames import TimmFrames
from avzoo.extraction.extractors.vggish import VGGish

__all__ = ['C3D', 'HubModel', 'LogMelStatistics', 'OnnxModel', 'TimmFrames', 'VGGish']
