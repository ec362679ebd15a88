"""Training: the curriculum, its phases and hooks."""

from avzoo.engine import average_hook, fit_loop, fusion_cache, graph_hook, hooks, optim
from avzoo.engine.curriculum import CurriculumRunner
from avzoo.engine.phase_runner import PhaseRunner

__all__ = [
    'CurriculumRunner',
    'PhaseRunner',
    'average_hook',
    'fit_loop',
    'fusion_cache',
    'graph_hook',
    'hooks',
    'optim',
]
