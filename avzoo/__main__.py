"""The command ``avzoo``: every tool of the zoo by one name, from any folder.

``avzoo train CONFIG`` is ``python tools/train.py CONFIG``; the tools are the same files.
"""

import argparse
import platform
import re
import runpy
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from avzoo.utils import cli
from avzoo.utils.cli import run_tool, show
from avzoo.utils.errors import ConfigError, nearest
from avzoo.version import __version__
from avzoo.zoo.index import zoo_root
from avzoo.zoo.listing import list_models

# The command, its file below tools/, and what it does.
_TOOLS = {
    'train': ('train.py', 'train and test a method through both stages'),
    'test': ('test.py', 'test a checkpoint'),
    'predict': ('predict.py', 'classify clips'),
    'adapt': ('adapt.py', 'learn new classes from a few clips, with a new classifier or a trained model'),
    'extract': ('extract_features.py', 'extract features from videos'),
    'class-vectors': ('class_vectors.py', 'turn class names into vectors'),
    'splits': ('dataset_converters/splits.py', 'draw k-shot splits'),
    'import': ('dataset_converters/features.py', 'turn features into a feature store'),
    'publish': ('model_converters/publish_model.py', 'turn a checkpoint into weights to publish'),
    'download': ('download.py', 'download weights or features'),
    'report': ('report.py', 'make a report on finished runs'),
    'leaderboard': ('leaderboard.py', 'rank finished runs'),
    'config': ('print_config.py', 'print a config with its bases merged'),
    'reproduce': ('reproduce.py', 'reproduce a table of the paper'),
    'demo': ('demo.py', 'try a few-shot classifier in the browser'),
    'flops': ('analysis_tools/get_flops.py', 'count parameters and operations'),
}
_OWN = {'list': 'list the zoo models', 'info': 'print versions and devices, for a bug report'}
# Packages whose versions matter in a bug report.
_PACKAGES = (
    'torch',
    'torchvision',
    'mmengine',
    'timm',
    'numpy',
    'scipy',
    'scikit-learn',
    'safetensors',
    'av',
    'transformers',
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command given by the arguments; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments.pop(0) if arguments else '--help'
    if command in ('-h', '--help'):
        show(_help())
        return 0
    if command == '--version':
        show(f'avzoo {__version__}')
        return 0
    if command in _OWN:
        return run_tool({'list': _list, 'info': _info}[command], arguments)
    if command not in _TOOLS:
        return run_tool(_unknown, [command])
    before = sys.argv, list(sys.path), cli.spell_tools
    try:
        return _run_tool_file(command, arguments)
    finally:  # A program may call this function and then continue.
        sys.argv, sys.path[:], cli.spell_tools = before


def _run_tool_file(command: str, arguments: list[str]) -> int:
    path = zoo_root() / 'tools' / _TOOLS[command][0]
    sys.argv = [f'avzoo {command}', *arguments]  # argparse shows it in the usage.
    sys.path.insert(0, str(path.parent))  # As if Python had been started with the file.
    cli.spell_tools = _as_commands
    return run_tool(runpy.run_path(str(path))['main'], arguments)


def console() -> None:
    """Run the command line and exit; the entry point of the console script."""
    sys.exit(main())


def _as_commands(text: str) -> str:
    """Return a text with tools such as ``python tools/train.py`` replaced by commands such as ``avzoo train``."""
    names = {file: name for name, (file, _) in _TOOLS.items()}
    names |= {file.rpartition('/')[2]: name for file, name in names.items()}

    def command(found: re.Match) -> str:
        name = names.get(found[1])
        starts_processes = 'torchrun ' in text[: found.start()].rpartition('\n')[2]
        return f'{"-m " * starts_processes}avzoo {name}' if name else found[0]

    return re.sub(r'(?<![\w/.])(?:python )?(?:tools/)?([a-z_]+(?:/[a-z_]+)?\.py)\b', command, text)


def _help() -> str:
    width = max(map(len, _TOOLS))
    lines = [f'  {name:{width}}  {text}' for name, text in {**{n: t for n, (_, t) in _TOOLS.items()}, **_OWN}.items()]
    return (
        'usage: avzoo COMMAND [ARGUMENTS]\n\nA model zoo for audio-visual few-shot learning.\n\ncommands:\n'
        + '\n'.join(lines)
        + '\n\n`avzoo COMMAND --help` shows the arguments of a command.\n\nexample:\n'
        '  avzoo train avdiff_synth_5shot_gen --work-dir work_dirs/first'
    )


def _unknown(argv: Sequence[str] | None) -> int:
    name = (argv or [''])[0]
    names = [*_TOOLS, *_OWN]
    raise ConfigError(f'avzoo has no command {name!r}.{nearest(name, names)} Commands: {", ".join(names)}.')


def _list(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser('avzoo list', description=f'{_OWN["list"].capitalize()}.')
    parser.add_argument('patterns', metavar='PATTERN', nargs='*', default=['*'], help="such as 'avdiff*synth*'")
    patterns = parser.parse_args(argv).patterns
    names = sorted({name for pattern in patterns for name in list_models(pattern)})
    if not names:
        raise ConfigError(f'The zoo has no model {" or ".join(map(repr, patterns))}. `avzoo list` shows all names.')
    show('\n'.join(names))
    return 0


def _info(argv: Sequence[str] | None) -> int:
    argparse.ArgumentParser('avzoo info', description=f'{_OWN["info"].capitalize()}.').parse_args(argv)
    import torch  # Only here: the other commands start faster without it.

    def version(package: str) -> str:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return 'not installed'

    lines = {'avzoo': f'{__version__} ({Path(__file__).parent})', 'python': platform.python_version()}
    lines |= {'platform': platform.platform(), **{package: version(package) for package in _PACKAGES}}
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    lines |= {'devices': ', '.join(devices) or f'no GPU; {torch.get_num_threads()} CPU threads'}
    show('\n'.join(f'{name:12} {value}' for name, value in lines.items()))
    return 0


if __name__ == '__main__':
    console()
