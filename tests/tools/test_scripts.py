"""The starters for several processes say how they are called."""

import subprocess

import pytest


@pytest.mark.parametrize('name', ['dist_train', 'dist_test', 'slurm_train', 'slurm_test'])
def test_a_starter_without_arguments_shows_its_usage(repo_dir, name):
    done = subprocess.run(['bash', str(repo_dir / f'tools/{name}.sh')], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith(f'usage: tools/{name}.sh ')


def test_slurm_spreads_the_gpus_over_nodes_of_eight(repo_dir, tmp_path):
    (tmp_path / 'srun').write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / 'srun').chmod(0o755)
    for gpus, per_node in ((2, 2), (16, 8)):
        done = subprocess.run(
            ['bash', str(repo_dir / 'tools/slurm_train.sh'), 'gpu', 'job', 'CONFIG'],
            text=True,
            capture_output=True,
            check=True,
            env=dict(PATH=f'{tmp_path}:/usr/bin:/bin', GPUS=str(gpus)),
        )
        assert f'--gres=gpu:{per_node} --ntasks={gpus} --ntasks-per-node={per_node} ' in done.stdout
