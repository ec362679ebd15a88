"""Training: the curriculum, its phases and hooks."""

from avzoo.engine import fit_loop, hooks, optim
from avzoo.engine.curriculum import CurriculumRunner
from avzoo.engine.phase_runner import PhaseRunner

__all__ = ['CurriculumRunner', 'PhaseRunner', 'fit_loop', 'hooks', 'optim']
