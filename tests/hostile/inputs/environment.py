"""Environments that lack or distort what the tools expect."""

import os
import pwd
from pathlib import Path

from avzoo.utils.cache import cache_home
from tests.hostile.corpus import ACCEPTED, Call, Part, load_tool
from tests.hostile.making import ESCAPE
from tests.hostile.material import Material

PART = Part('environment', alone=True)


def _predict(folder: Path, material: Material, variables: dict[str, str | None]) -> Call:
    """A prediction, with variables set or removed."""

    def run() -> None:
        for name, value in variables.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        arguments = [material.config, material.checkpoint, '--features', material.clip, '--device', 'cpu']
        load_tool('predict').main([str(argument) for argument in arguments])

    return Call(run)


def _fetch(folder: Path, material: Material, value: str | None) -> Call:
    """Weights by name with another cache; the network is off, so they cannot come."""

    def run() -> None:
        os.environ.pop('AVZOO_HOME')
        if value is not None:
            os.environ['AVZOO_HOME'] = value
        os.environ['AVZOO_OFFLINE'] = '1'
        load_tool('download').main(['avdiff_ucf_5shot', '--data-root', str(material.store)])

    return Call(run)


def _launch(folder: Path, material: Material, variables: dict[str, str]) -> Call:
    def run() -> None:
        os.environ.update(variables)
        launcher = 'slurm' if any(name.startswith('SLURM') for name in variables) else 'pytorch'
        arguments = [material.config, '--dry-run', '--work-dir', folder / 'work/run', '--launcher', launcher]
        load_tool('train').main([str(argument) for argument in arguments])

    return Call(run)


def _nobody(folder: Path, material: Material) -> Call:
    """A user without home and without an entry in passwd, as in a container."""

    def unknown(number: int) -> None:
        raise KeyError(number)

    def run() -> None:
        pwd.getpwuid = unknown
        for name in ('HOME', 'AVZOO_HOME', 'USER', 'LOGNAME'):
            os.environ.pop(name, None)
        cache_home()

    return Call(run)


PART.each(
    _predict,
    {
        'HOME empty': dict(HOME=''),
        'HOME missing': dict(HOME=None),
        'HOME a device': dict(HOME='/dev/null'),
        'HOME in proc': dict(HOME='/proc/x', AVZOO_HOME=None),
        'AVZOO_HOME in proc': dict(AVZOO_HOME='/proc/x'),
        'RANK a letter': dict(RANK='a'),
        'RANK without fellows': dict(RANK='1'),
        'LOCAL_RANK a letter': dict(LOCAL_RANK='a'),
        'CUDA_VISIBLE_DEVICES odd': dict(CUDA_VISIBLE_DEVICES='x,-1'),
        'COLUMNS a letter': dict(COLUMNS='a'),
        'COLUMNS negative': dict(COLUMNS='-5'),
        'LANG odd': dict(LANG='xx_YY.none', LC_ALL='none'),
    },
    ACCEPTED,
    prefix='predict: ',
)
PART.each(
    _fetch,
    {
        'below proc': '/proc/x',
        'below a device': '/dev/null/x',
        'of 300 characters': '/' + 'a' * 300,
        'with an escape sequence': f'{ESCAPE}/x',
        'of an unknown user': '~nobody-of-this-name/x',
        'empty': '',
        'missing': None,
    },
    prefix='AVZOO_HOME ',
)
_ADDRESS = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT='29999')
PART.each(
    _launch,
    {
        'nothing': {},
        'RANK a letter': dict(_ADDRESS, RANK='a', WORLD_SIZE='1'),
        'RANK negative': dict(_ADDRESS, RANK='-1', WORLD_SIZE='1'),
        'RANK beyond WORLD_SIZE': dict(_ADDRESS, RANK='3', WORLD_SIZE='1'),
        'WORLD_SIZE a letter': dict(_ADDRESS, RANK='0', WORLD_SIZE='a'),
        'WORLD_SIZE 0': dict(_ADDRESS, RANK='0', WORLD_SIZE='0'),
        'a port that is text': dict(_ADDRESS, RANK='0', WORLD_SIZE='1', MASTER_PORT='x'),
        'a port beyond 65535': dict(_ADDRESS, RANK='0', WORLD_SIZE='1', MASTER_PORT='99999'),
        'an address that is text': dict(_ADDRESS, RANK='0', WORLD_SIZE='1', MASTER_ADDR='no host'),
        'SLURM_PROCID a letter': dict(SLURM_PROCID='a', SLURM_NTASKS='1', SLURM_NODELIST='x'),
        'SLURM_NTASKS a letter': dict(SLURM_PROCID='0', SLURM_NTASKS='a', SLURM_NODELIST='x'),
        'SLURM_NNODES a letter': dict(SLURM_PROCID='0', SLURM_NTASKS='1', SLURM_NODELIST='x', SLURM_NNODES='a'),
    },
    prefix='a launcher with ',
)
PART.add('no home and no entry in passwd', _nobody, ACCEPTED)
