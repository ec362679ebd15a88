"""Runs of a table, planned and as they are left when they have finished."""

import json

from avzoo.engine.curriculum.state import CurriculumState, deciding_settings
from avzoo.reproduction import plan_runs


def finish(one, hm, *, tests=3, references=None, paired=None):
    """Leave what a finished run leaves."""
    state = CurriculumState(one.work_dir, deciding_settings(one.load_config()), processes=1)
    state.tests = {str(draw): {} for draw in range(tests)}
    state.write()
    aggregate = dict(B=hm + 1, N=hm - 1, HM=hm, FSL=hm + 5, AUSUC=hm, HM_mean=hm, ci95=2.0, num_draws=3)
    (one.work_dir / 'results.json').write_text(
        json.dumps(dict(method='x', dataset='synth', aggregate=aggregate, references=references or {}, paired=paired)),
        encoding='utf-8',
    )


def plan(tmp_path, table=4, dataset='ucf', shots=(5,), seeds=(0, 1), options=()):
    return plan_runs(table, [dataset], shots, seeds, tmp_path, options)
