"""Install avzoo. What it needs stands in ``requirements/``, its version in ``avzoo/version.py``."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent

# Shipped inside the wheel as `avzoo/.mim/`, the place where OpenMMLab's tools look for a package's model zoo.
MIM_FILES = ('model-index.yml', 'configs', 'tools', 'weights', 'demo')


class BuildWithZoo(build_py):
    """Add ``MIM_FILES`` to the built package.

    An editable install gets none: there the repository root is looked at first.
    """

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self._copy_zoo(Path(self.build_lib) / 'avzoo' / '.mim')

    def _copy_zoo(self, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)  # a file that was deleted since the last build must not stay
        target.mkdir(parents=True)
        for name in MIM_FILES:
            source = ROOT / name
            if not source.exists():
                continue
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
            else:
                shutil.copy2(source, target / name)


def read_version() -> str:
    text = (ROOT / 'avzoo' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'$", text, re.MULTILINE).group(1)


def read_requirements(name: str) -> dict[str, list[str]]:
    """Read ``requirements/NAME.txt``: the requirements under each ``# [heading]``, '' for those before any."""
    groups: dict[str, list[str]] = {'': []}
    heading = ''
    for line in (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines():
        if found := re.match(r'# \[(\w+)\]', line):
            heading = found.group(1)
            groups[heading] = []
        elif line.strip() and not line.startswith('#'):
            groups[heading].append(line.strip())
    return groups


def read_extras() -> dict[str, list[str]]:
    extras = read_requirements('optional')
    extras.pop('')
    extras['tests'] = read_requirements('tests')['']
    extras['dev'] = extras['tests'] + extras['dev']
    extras['all'] = sorted({requirement for group in extras.values() for requirement in group})
    return extras


setup(
    name='avzoo',
    version=read_version(),
    description='A model zoo for audio-visual few-shot learning',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license_expression='Apache-2.0',
    license_files=['LICENSE'],
    keywords='audio-visual few-shot-learning video-classification diffusion model-zoo',
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        *(f'Programming Language :: Python :: 3.{minor}' for minor in range(10, 14)),
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.10,<3.14',
    # Spelled out, an editable install is a path, not an import hook: then a folder that is called avzoo, such as the
    # clone seen from its parent, does not hide the package.
    package_dir={'': '.'},
    packages=find_packages(include=['avzoo', 'avzoo.*']),
    package_data={'avzoo': ['py.typed'], 'avzoo.demo': ['page/*'], 'avzoo.report': ['templates/*']},
    install_requires=read_requirements('runtime')[''],
    extras_require=read_extras(),
    entry_points={'console_scripts': ['avzoo = avzoo.__main__:console']},
    cmdclass={'build_py': BuildWithZoo},
    zip_safe=False,
)
