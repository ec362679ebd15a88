"""Build an extractor from the name and options that a user gives."""

import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

from avzoo.extraction.extractor import Extractor
from avzoo.registry import EXTRACTORS
from avzoo.utils.errors import ConfigError, first_line, nearest

# Constructor arguments that are not user options.
_NOT_OPTIONS = {'device', 'modality', 'name'}


def build_extractor(
    spec: str, modality: str, options: Mapping[str, Any] | None = None, device: str = 'cpu'
) -> Extractor:
    """Build the extractor of a spec: ``NAME``, or ``NAME:ARGUMENT`` as in ``timm:resnet50``.

    Args:
        spec: Name of a registered extractor, and its first argument if it has one.
        modality: What it reads, ``audio`` or ``visual``.
        options: Its other arguments.
        device: Device to compute on.

    Raises:
        ConfigError: If there is no such extractor, it reads another modality, or it has no such option.
    """
    name, _, argument = spec.partition(':')
    names = EXTRACTORS.names()
    if name not in names:
        raise ConfigError(
            f'--{modality} {spec}: no extractor is called {name!r}.{nearest(name, names)} '
            f'Available: {", ".join(names)}. Write timm:NAME for a timm network, hf:NAME for one on the Hub.'
        )
    kind = kind_of(name)
    if kind.modality not in (modality, ''):
        raise ConfigError(f'--{modality} {spec}: {name} is an extractor for --{kind.modality}. Choose another one.')
    takes = inspect.signature(kind).parameters
    given = dict(options or {})
    unknown = sorted(given.keys() - takes.keys() | given.keys() & _NOT_OPTIONS)
    if unknown:
        options_of = [key for key in takes if key not in _NOT_OPTIONS]
        raise ConfigError(f'{name} has no option {unknown[0]}; its options: {", ".join(options_of) or "none"}.')
    if ('name' in takes) != bool(argument):
        wanted = f'{name}:NAME' if 'name' in takes else name
        raise ConfigError(f'--{modality} {spec}: write {wanted}.')
    if argument:
        given['name'] = argument
    if 'device' in takes:
        check_device(device)
    given |= {key: value for key, value in (('device', device), ('modality', modality)) if key in takes}
    return kind(**given)


def check_device(device: str) -> None:
    """Raise ``ConfigError`` if a device cannot be used here."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # The latter where PyTorch was built without it.
        raise ConfigError(
            f'--device {device}: this device cannot be used ({first_line(error)}). Choose cpu, or a GPU that '
            'PyTorch finds here.'
        ) from None


def read_options(spec: str, texts: Sequence[str]) -> dict[str, Any]:
    """Read options ``KEY=VALUE`` according to the type hints of an extractor's arguments.

    Raises:
        ConfigError: If one is malformed.
    """
    name = spec.partition(':')[0]
    # build_extractor reports unknown names.
    hints = typing.get_type_hints(vars(kind_of(name)).get('__init__', object)) if name in EXTRACTORS.names() else {}
    return dict(_read_option(text, hints) for text in texts)


def kind_of(name: str) -> type[Extractor]:
    """Return the class of a registered extractor."""
    return cast(type[Extractor], EXTRACTORS.get(name))


def _read_option(text: str, hints: Mapping[str, Any]) -> tuple[str, Any]:
    key, equals, value = text.partition('=')
    if not equals or not key:
        raise ConfigError(f'{text!r} is not of the form KEY=VALUE.')
    wanted = hints.get(key, str)
    if wanted is bool:
        if value not in ('true', 'false', 'True', 'False'):
            raise ConfigError(f'{key}={value!r}: write true or false.')
        return key, value in ('true', 'True')
    if wanted in (int, float):
        try:
            return key, wanted(value)
        except ValueError:
            raise ConfigError(f'{key}={value!r} is not a number.') from None
    return key, value
