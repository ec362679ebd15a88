"""The training curriculum: two stages, two sub-stages, three draws."""

from avzoo.engine.curriculum.runner import CurriculumRunner

__all__ = ['CurriculumRunner']
