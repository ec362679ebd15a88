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

# As in avzoo.evaluation.linear_fits, which imports scikit-learn; `is_classifier` is called for every model.
METHOD_NAMES = ('prototypes', 'logistic_regression', 'discriminant', 'base_discriminant')
_FORMAT = 'avzoo-few-shot-v1'
_LARGEST = 1 << 30  # Bytes of weights.
_MOST_NAMED = 10
_FACTS, _WEIGHTS, _CARD = 'config.json', 'model.safetensors', 'README.md'


def is_classifier(path: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds a few-shot classifier, judging by its file names."""
    return all((Path(path) / name).is_file() for name in (_FACTS, _WEIGHTS))


def plain_seed(random_state: Any) -> int | None:
    """Return a seed for JSON; ``None`` for a generator, whose state is not kept."""
    return int(random_state) if isinstance(random_state, Integral) else None


def check_target(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder with other content: saving would replace files of the same names, such as a README.

    Raises:
        CheckpointError: If it is a file, or has visible files and is not a classifier, complete or partly written.
    """
    folder = Path(folder)
    if folder.is_file():
        raise CheckpointError(f'{folder} is a file, but a classifier is a folder. Choose another name.')
    names = {entry.name for entry in folder.iterdir() if entry.name[0] != '.'} if folder.is_dir() else set()
    if _FACTS in names:
        ours = read_kept(folder / _FACTS).get('format') == _FORMAT
    else:
        ours = _WEIGHTS in names and names <= {_WEIGHTS, _CARD}  # Its facts come last.
    if names and not ours:
        raise CheckpointError(f'{folder} holds something other than a classifier. Choose another folder.')


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
        CheckpointError: If it is missing, damaged, or from another program.
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
            f'{path} holds no readable avzoo classifier ({reason}). Save it again, or give another folder.'
        ) from error
    return facts, arrays


def _read_arrays(path: Path, facts: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read the weights and check their SHA-256 against the facts."""
    if facts['format'] != _FORMAT:
        raise ValueError(f'its format is {facts["format"]!r}, not {_FORMAT!r}')
    with open_regular(path) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST or hashlib.sha256(data).hexdigest() != facts['sha256']:
        raise ValueError(f'{path.name} is not the file that was saved: its SHA-256 differs')
    try:
        return load(data)
    except Exception as error:  # safetensors has its own error class.
        raise ValueError(f'{path.name} is not readable: {error}') from error


def _check_facts(facts: Mapping[str, Any]) -> None:
    """Refuse facts that avzoo would not have written."""
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
        raise ValueError('its report is malformed')


def _check_arrays(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays that do not fit the facts, or have impossible values."""
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
        raise ValueError('it has values that are not finite float32 numbers')
    if any((arrays[f'scale.{m}'] <= 0).any() for m in names):
        raise ValueError('a scale is not above 0')


def comparison_lines(method: str, report: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return how the methods compare in cross-validation, best first, and the lead of the chosen one."""
    if not report:
        return [f'{method}: not compared with other methods, as some class has a single clip; probabilities only rank.']
    lines = [
        f'{name:20} {100 * one["accuracy"]:5.1f} % of held-out clips right (± {100 * one["deviation"]:.1f} over '
        f'{one["folds"]} folds)'
        for name, one in report.items()
    ]
    others = [100 * one['accuracy'] for name, one in report.items() if name != method]
    if others:
        ahead = 100 * report[method]['accuracy'] - max(others)
        why = ' Such a small difference does not count; log loss decided.' if ahead < 1 else ''
        lines.append(f"{method} was chosen, {ahead:+.1f} points from the others' best accuracy.{why}")
    return lines


def mistakes_line(mistakes: Sequence[Mapping[str, Any]]) -> str:
    """Return a line of the clips that were misclassified when they were held out; '' if there are none."""
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
        'A clip of an unknown class gets one of these classes, too: probabilities only rank the classes.\n\n'
        + (f'Cross-validation on the examples:\n\n{table}\n' if rows else 'Too few clips for cross-validation.\n')
    )
    return card(dict(pipeline_tag='video-classification'), body)


def upload(folder: Path, name: str, private: bool) -> str:
    """Upload a classifier to the Hugging Face Hub; returns its URL.

    Raises:
        CheckpointError: If the Hub does not accept it.
    """
    try:
        from huggingface_hub import HfApi  # Only here: the package takes half a second.

        address = HfApi().create_repo(name, private=private, exist_ok=True)
        HfApi().upload_folder(repo_id=address.repo_id, folder_path=folder)
    except Exception as error:  # From the hub's client, or the HTTP library below it.
        raise CheckpointError(
            f'{name}: the Hub does not accept the classifier ({first_line(error)}). You need a network, a login (hf '
            'auth login), and a name such as USER/CLASSIFIER.'
        ) from error
    return str(address)


def _from_hub(name: str) -> Path:
    """Return the folder of a classifier from the Hub; only its weights and facts are downloaded."""
    try:
        from huggingface_hub import snapshot_download  # Only where a name is not a folder.

        offline = is_offline()
        return Path(snapshot_download(name, allow_patterns=[_FACTS, _WEIGHTS], local_files_only=offline))
    except Exception as error:
        raise CheckpointError(
            f'{name} is neither a folder nor a model on the Hub ({first_line(error)}). Check the name.'
        ) from error
