"""Reproduce the tables of the AV-DIFF paper: the runs they need, running them, and comparing the numbers."""

from avzoo.engine.gpus import gpu_ids
from avzoo.reproduction.plan import DATASETS, TABLES, Run, Status, plan_runs
from avzoo.reproduction.report import gather, plan_text, tables_markdown, tables_text, write_tables
from avzoo.reproduction.run import run_here, run_together, slurm_parameters, submit, submit_commands

__all__ = [
    'DATASETS',
    'TABLES',
    'Run',
    'Status',
    'gather',
    'gpu_ids',
    'plan_runs',
    'plan_text',
    'run_here',
    'run_together',
    'slurm_parameters',
    'submit',
    'submit_commands',
    'tables_markdown',
    'tables_text',
    'write_tables',
]
