"""Models by name: list them, build them, with or without their weights."""

import fnmatch
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from avzoo.apis.benchmarks import find_benchmark
from avzoo.apis.model_index import has_weights, read_index

if TYPE_CHECKING:  # Listing models brings in no torch.
    from torch import nn

    from avzoo.apis.inferencer import Inferencer

NameOrConfig = 'str | os.PathLike | Config'


def list_models(pattern: str | None = None, *, dataset: str | None = None, method: str | None = None,
                shots: int | None = None, pretrained: bool | None = None) -> list[str]:
    """Return the names of the zoo's models, sorted; every condition narrows the choice.

    Args:
        pattern: With ``*`` and ``?``, or a part of the name; any case.
        dataset: E.g. ``UCF-FSL`` or ``ucf``.
        method: E.g. ``AV-DIFF``; any case.
        shots: Videos per novel class.
        pretrained: Only those whose weights are published, or were converted before (or, if false, only the others).

    Example:
        >>> list_models('avdiff_*shot', dataset='ucf')
        ['avdiff_ucf_10shot', 'avdiff_ucf_1shot', 'avdiff_ucf_20shot', 'avdiff_ucf_5shot']
    """
    names = []
    for name, entry in read_index().items():
        if pattern is not None and not _matches(name, pattern):
            continue
        if dataset is not None and entry.dataset.lower() != _title(dataset).lower():
            continue
        if method is not None and entry.method.lower() != method.lower():
            continue
        if shots not in (None, entry.shots) or pretrained not in (None, has_weights(entry)):
            continue
        names.append(name)
    return sorted(names)


def get_model(name_or_config: NameOrConfig, *, pretrained: bool | str | os.PathLike | None = False,
              data_root: str | os.PathLike | None = None, data_info: Mapping[str, Any] | None = None,
              device: str | None = None) -> 'nn.Module':
    """Build a model, in evaluation mode.

    Without weights, the widths of the features and the number of classes come from ``data_info``, else from the store
    at ``data_root`` (by default the config's), else from what is known of the benchmark. With weights they come from
    the checkpoint.

    Args:
        name_or_config: A name of the index, a config file, or a config.
        pretrained: True takes the published weights of that name, or of the config file's; a path or another name takes
            those; False or None leaves the weights random.
        data_root: A feature store.
        data_info: See :class:`AVClassifier`.
        device: Where to put it; by default it stays on the CPU.

    Raises:
        ConfigError: If the name or the config is unknown, or the data is.
        CheckpointError: If the weights do not exist, are damaged, or do not fit the config.

    Example:
        >>> model = get_model('avdiff_synth_5shot', pretrained=True)
    """
    from avzoo.apis.build import build_model, config_of, data_info_of, model_name, move_to
    from avzoo.apis.checkpoints import load_any_checkpoint, published_weights, stated
    from avzoo.engine.checkpoint import load_weights
    from avzoo.engine.trained_config import check_trained_config

    cfg = config_of(name_or_config)
    if pretrained is None or pretrained is False:
        model = build_model(cfg, data_info or data_info_of(cfg, data_root=data_root))
    else:
        source = published_weights(model_name(cfg)) if pretrained is True else pretrained
        checkpoint = load_any_checkpoint(source)
        check_trained_config(cfg, checkpoint['meta'], str(source))
        model = build_model(cfg, stated(checkpoint['meta'], 'data_info', source))
        load_weights(model, checkpoint['state_dict'], str(source))
        model.meta = checkpoint['meta']
    return (move_to(device, model) if device else model).eval()


def init_model(name_or_config: NameOrConfig, checkpoint: str | os.PathLike | None = None, *,
               device: str | None = None) -> 'Inferencer':
    """Load a model with its weights and make it ready for :func:`inference_model`.

    Args:
        name_or_config: A name of the index, a config file, or a config.
        checkpoint: A file or a name; by default the published weights of the name.
        device: Where to compute; by default a GPU if there is one.
    """
    from avzoo.apis.inferencer import Inferencer

    return Inferencer(name_or_config, checkpoint, device=device)


def inference_model(model: 'Inferencer', features: Any, *, top: int = 5) -> list[dict[str, Any]]:
    """Classify clips; see :class:`Inferencer` for what features may be and what comes back."""
    return model(features, top=top)


def _matches(name: str, pattern: str) -> bool:
    pattern = pattern.lower()
    return fnmatch.fnmatchcase(name.lower(), pattern if any(c in pattern for c in '*?[') else f'*{pattern}*')


def _title(dataset: str) -> str:
    benchmark = find_benchmark(dataset)
    return benchmark.title if benchmark else dataset
