"""Classifying one clip starts quickly: what a prediction does not need is not imported."""

import subprocess
import sys

from tests.conftest import REPO

# Each takes between a tenth of a second and two; together three times as long as torch.
NOT_NEEDED = (
    'timm',
    'torchvision',
    'sklearn',
    'scipy',
    'matplotlib',
    'sympy',
    'torch._dynamo',
    'torch.distributed.fsdp',
    'mmengine.model',
    'mmengine.runner',
    'mmengine.hooks',
    'avzoo.engine',
    'avzoo.evaluation',
)
PREDICT = f"""
import os, runpy, sys
sys.argv = ['tools/predict.py', 'avdiff_synth_5shot', '--features', 'demo/synth_clip.npz', '--csv']
sys.path.insert(0, 'tools')
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
except SystemExit as stop:
    assert not stop.code
print('imported:', *(name for name in {NOT_NEEDED} if name in sys.modules))
"""


def test_a_prediction_imports_neither_runner_nor_image_networks_nor_statistics():
    done = subprocess.run([sys.executable, '-c', PREDICT], capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0, done.stderr
    answers, _, found = done.stdout.rpartition('imported:')
    assert answers.splitlines()[1].startswith('synth_clip,')
    assert not found.split()
