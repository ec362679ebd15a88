"""The files of a few-shot classifier: weights (safetensors), facts (JSON) and a model card."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from avzoo.utils.cache import is_offline
from avzoo.utils.errors import AvzooError, CheckpointError, first_line, shortened
from avzoo.utils.files import atomic_path, atomic_write_text
from avzoo.utils.regular_files import open_regular, read_json, read_kept
from avzoo.version import __version__
from avzoo.zoo.model_card import card

# Those of avzoo.evaluation.linear_fits, which imports scikit-learn; `is_classifier` is asked of every model.
METHOD_NAMES = ('prototypes', 'logistic_regression', 'discriminant', 'base_discriminant')
_FORMAT = 'avzoo-few-shot-v1'
_LARGEST = 1 << 30  # Bytes of weights.
_MOST_NAMED = 10
_FACTS, _WEIGHTS, _CARD = 'config.json', 'model.safetensors', 'README.md'


def is_classifier(path: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds a few-shot classifier, by the names of its files."""
    return all((Path(path) / name).is_file() for name in (_FACTS, _WEIGHTS))


def plain_seed(random_state: Any) -> int | None:
    """Return a seed as JSON has it; ``None`` for a generator, whose state is not kept."""
    return int(random_state) if isinstance(random_state, Integral) else None


def check_target(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder of other things: saving would replace files of the same names, such as a README.

    Raises:
        CheckpointError: If it is a file, or holds more than hidden files and is not a classifier, whole or begun.
    """
    folder = Path(folder)
    if folder.is_file():
        raise CheckpointError(f'{folder} is a file, and a classifier is a folder. Choose another name.')
    names = {entry.name for entry in folder.iterdir() if entry.name[0] != '.'} if folder.is_dir() else set()
    if _FACTS in names:
        ours = read_kept(folder / _FACTS).get('format') == _FORMAT
    else:
        ours = _WEIGHTS in names and names <= {_WEIGHTS, _CARD}  # Its facts come last.
    if names and not ours:
        raise CheckpointError(f'{folder} holds something else than a classifier. Choose another folder.')


def write_classifier(
    folder: str | os.PathLike[str], facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> Path:
    """Write a classifier; its facts come last and hold the SHA-256 of its weights."""
    check_target(folder)
    folder = Path(folder)
    weights = save({name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()})
    facts = dict(format=_FORMAT, version=__version__, **facts, sha256=hashlib.sha256(weights).hexdigest())
    with atomic_path(folder / _WEIGHTS) as partial:
        partial.write_bytes(weights)
    atomic_write_text(folder / _CARD, _card(facts))
    atomic_write_text(folder / _FACTS, json.dumps(facts, indent=1) + '\n')
    return folder


def read_classifier(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the facts and the arrays of a classifier, from a folder or by its name on the Hugging Face Hub.

    Raises:
        CheckpointError: If it is missing, damaged, or of another program.
    """
    path = Path(folder)
    if not path.is_dir():
        path = _from_hub(str(folder))
    try:
        facts = read_json(path / _FACTS)
        arrays = _read_arrays(path / _WEIGHTS, facts)
        _check_facts(facts)
        _check_arrays(facts, arrays)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AvzooError) as error:
        reason = shortened(f'{type(error).__name__}: {error}' if isinstance(error, KeyError) else error)
        raise CheckpointError(
            f'{path} holds no readable classifier of avzoo ({reason}). Save it again, or name another folder.'
        ) from error
    return facts, arrays


def _read_arrays(path: Path, facts: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read the weights whose SHA-256 the facts have."""
    if facts['format'] != _FORMAT:
        raise ValueError(f'its format is {facts["format"]!r}, not {_FORMAT!r}')
    with open_regular(path) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST or hashlib.sha256(data).hexdigest() != facts['sha256']:
        raise ValueError(f'{path.name} is not the file that was saved: its SHA-256 is another')
    try:
        return load(data)
    except Exception as error:  # safetensors has an error of its own.
        raise ValueError(f'{path.name} is not readable: {error}') from error


def _check_facts(facts: Mapping[str, Any]) -> None:
    """Refuse facts of other kinds than those that are written."""
    classes, report, stamps = (facts[key] for key in ('classes', 'report', 'stamps'))
    if not isinstance(facts['extractor'], dict) or not {'method', 'random_state'} <= facts['parameters'].keys():
        raise ValueError(f'its extractor is {facts["extractor"]!r}')
    kinds = {type(label) for label in classes}
    if (
        not isinstance(classes, list)
        or len(kinds) != 1
        or not kinds <= {str, int, float, bool}
        or len(set(classes)) != len(classes)
        or len(classes) < 2
    ):
        raise ValueError('its classes are not at least two different labels of one kind')
    if facts['method'] not in METHOD_NAMES or not all(isinstance(stamp, dict) for stamp in stamps.values()):
        raise ValueError(f'its method is {facts["method"]!r}, its stamps are {stamps!r}')
    if not all(isinstance(one, dict) and {'accuracy', 'deviation'} <= one.keys() for one in report.values()):
        raise ValueError('its report is not as it should be')


def _check_arrays(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays that do not fit the facts, or whose values cannot be."""
    names = facts['modalities']
    widths = {m: arrays[f'centre.{m}'].size for m in names}
    shapes: dict[str, tuple[int, ...]] = {
        f'{kind}.{m}': (width,) for m, width in widths.items() for kind in ('centre', 'scale')
    }
    count = len(facts['classes'])
    shapes |= {'weight': (count, sum(widths.values())), 'bias': (count,)}
    found = {name: array.shape for name, array in arrays.items()}
    if found != shapes:
        raise ValueError(f'its arrays have the shapes {found}, not {shapes}')
    if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in arrays.values()):
        raise ValueError('it has values that are not finite numbers of float32')
    if any((arrays[f'scale.{m}'] <= 0).any() for m in names):
        raise ValueError('a scale is not above 0')


def comparison_lines(method: str, report: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Say how the methods compared in cross-validation, best first, and by how much the chosen one is ahead."""
    if not report:
        return [f'{method}: some class has a single clip, so nothing could be compared; probabilities only rank.']
    lines = [
        f'{name:20} {100 * one["accuracy"]:5.1f} % of held-out clips right (± {100 * one["deviation"]:.1f} over '
        f'{one["folds"]} folds)'
        for name, one in report.items()
    ]
    others = [100 * one['accuracy'] for name, one in report.items() if name != method]
    if others:
        ahead = 100 * report[method]['accuracy'] - max(others)
        why = ' So small a difference does not count; log loss decided.' if ahead < 1 else ''
        lines.append(f'{method} was chosen, {ahead:+.1f} points from the best accuracy of the others.{why}')
    return lines


def mistakes_line(mistakes: Sequence[Mapping[str, Any]]) -> str:
    """Name the clips that were taken for another class when they were held out; '' where none was."""
    if not mistakes:
        return ''
    shown = [f'{one["clip"]} ({one["label"]}, taken for {one["answer"]})' for one in mistakes[:_MOST_NAMED]]
    more = f'; and {len(mistakes) - _MOST_NAMED} more' if len(mistakes) > _MOST_NAMED else ''
    return f'Wrong when held out: {"; ".join(shown)}{more}.'


def _card(facts: Mapping[str, Any]) -> str:
    rows = [
        f'| {name} | {100 * one["accuracy"]:.1f} | {100 * one["deviation"]:.1f} |'
        for name, one in facts['report'].items()
    ]
    table = '| method | accuracy, % | deviation over folds |\n|---|--:|--:|\n' + '\n'.join(rows)
    features = ', '.join(facts['extractor'].values()) if facts['stamps'] else 'given by the user'
    body = (
        '# Few-shot classifier of clips\n\n'
        f'Classes: {len(facts["classes"])}. Method: {facts["method"]}. Features: {features}.\n\n'
        'A clip of none of the classes gets one of them, too: probabilities rank the classes, no more.\n\n'
        + (f'Cross-validation on the examples:\n\n{table}\n' if rows else 'Too few clips for a cross-validation.\n')
    )
    return card(dict(pipeline_tag='video-classification'), body)


def upload(folder: Path, name: str, private: bool) -> str:
    """Put a classifier on the Hugging Face Hub; returns its address.

    Raises:
        CheckpointError: If the Hub does not take it.
    """
    try:
        from huggingface_hub import HfApi  # Only here: the package takes half a second.

        address = HfApi().create_repo(name, private=private, exist_ok=True)
        HfApi().upload_folder(repo_id=address.repo_id, folder_path=folder)
    except Exception as error:  # Of the hub's client, or of the HTTP library below it.
        raise CheckpointError(
            f'{name}: the Hub does not take the classifier ({first_line(error)}). It needs a network, a login (hf auth '
            'login), and a name such as USER/CLASSIFIER.'
        ) from error
    return str(address)


def _from_hub(name: str) -> Path:
    """Return the folder of a classifier on the Hub; only its weights and facts are fetched."""
    try:
        from huggingface_hub import snapshot_download  # Only where a name is not a folder.

        offline = is_offline()
        return Path(snapshot_download(name, allow_patterns=[_FACTS, _WEIGHTS], local_files_only=offline))
    except Exception as error:
        raise CheckpointError(f'{name} is neither a folder nor a model on the Hub ({first_line(error)}).') from error
