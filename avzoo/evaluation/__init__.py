"""Metrics for generalised few-shot learning, calibration, plain references and reports."""

from avzoo.evaluation.gfsl_metric import GFSLMetric

__all__ = ['GFSLMetric']
