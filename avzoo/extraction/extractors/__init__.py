"""One frozen network a file."""

from .c3d import C3D
from .log_mel_statistics import LogMelStatistics
from .timm_frames import TimmFrames
from .vggish import VGGish

__all__ = ['C3D', 'LogMelStatistics', 'TimmFrames', 'VGGish']
