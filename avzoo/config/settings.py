"""The sections of a config that are not parts: a field is a key, with its type, its choices and its default.

A field without a default must be set. Values are checked like those of parts, see :mod:`avzoo.config.types`.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from avzoo.config.types import Limit

_Path = Annotated[str, Limit("a path; write a name of digits as './123'")]
_Seed = Annotated[
    int,
    Limit(
        'a whole number from 0 to 4294967295: a run without one cannot be repeated or resumed',
        lambda seed: 0 <= seed < 2**32,
    ),
]
_AboveZero = Annotated[float, Limit('a number above 0', lambda value: value > 0)]
# The plain references, those of avzoo.evaluation.reference_methods.
_Reference = Literal[
    'nearest_class_mean', 'logistic_regression', 'tuned_nearest_class_mean', 'tuned_logistic_regression'
]
REFERENCES = get_args(_Reference)

_Choices = Annotated[tuple, Limit("a list of choices, each a list of alternatives {'path.of.a.setting': value}")]
_Share = Annotated[float, Limit('a number of at least 0', lambda value: value >= 0)]
_Epochs = Annotated[
    int, Limit('a whole number of at least 1, or 0 where `fit` names parts', lambda epochs: epochs >= 0)
]
_Parts = Annotated[tuple[str, ...], Limit("a list of parts, e.g. ('encoders', 'fusion')")]


CPUKernels = Literal['auto', 'onednn', 'torch']
MatmulPrecision = Literal['highest', 'high']
FUSION_CACHE_MIB = 1024.0  # Memory for what a frozen fusion gives for each video; 0 computes it anew each time.


@dataclass(frozen=True)
class SubstageSettings:
    """A sub-stage of the curriculum."""

    max_epochs: _Epochs
    monitor: Literal['B0', 'B', 'N', 'HM', 'FSL', 'AUSUC']
    fit: _Parts = ()
    freeze: _Parts = ()
    frozen_mode: Literal['train', 'eval'] = 'train'
    fusion_cache_mib: _Share = FUSION_CACHE_MIB


@dataclass(frozen=True)
class FullSubstageSettings(SubstageSettings):
    """The sub-stage that trains on base and novel classes."""

    carry_optimizer: bool = False


@dataclass(frozen=True)
class CurriculumSettings:
    """The curriculum."""

    base: SubstageSettings
    full: FullSubstageSettings
    num_draws: int
    validate: bool
    gamma_epoch: Literal['best', 'last']
    zero_gamma: Literal['keep', 'search_test']
    references: tuple[_Reference, ...]
    lr_drops: Literal['scheduler', 'counter'] = 'scheduler'
    calibration: Literal['gamma', 'offset'] = 'gamma'
    choices: _Choices = ()
    choose_by: Literal['HM', 'FSL', 'AUSUC'] = 'AUSUC'
    average_epochs: _Share = 0.0
    keep_optimizer: bool = False


@dataclass(frozen=True)
class LoaderSettings:
    """A data loader."""

    batch_size: int
    dataset: dict
    sampler: dict
    batch_sampler: dict
    num_workers: int = 0
    persistent_workers: bool = False
    pin_memory: bool = False
    prefetch_factor: int | None = None
    worker_init_fn: Any = None


@dataclass(frozen=True)
class RandomnessSettings:
    """The random numbers of a run."""

    seed: _Seed
    deterministic: bool = False
    diff_rank_seed: bool = False


@dataclass(frozen=True)
class ClipSettings:
    """Limits of the gradients."""

    type: Literal['norm', 'value'] = 'norm'
    max_norm: _AboveZero = math.inf
    norm_type: float | Literal['inf'] = 2.0
    error_if_nonfinite: bool = False
    foreach: bool | None = None
    clip_value: _AboveZero = math.inf


@dataclass(frozen=True)
class ExperimentSettings:
    """A whole config."""

    method: str
    data_root: _Path
    num_shots: int
    model: dict
    data_preprocessor: dict
    curriculum: CurriculumSettings
    train_dataloader: LoaderSettings
    val_dataloader: LoaderSettings
    test_dataloader: LoaderSettings
    val_evaluator: dict
    optim_wrapper: dict
    default_hooks: dict
    randomness: RandomnessSettings
    synthesize: bool | None = None
    cpu_kernels: CPUKernels = 'auto'
    float32_matmul_precision: MatmulPrecision = 'highest'
    param_scheduler: dict | list[dict] | None = None
    auto_scale_lr: dict | None = None
    custom_hooks: list[dict] | None = None
    env_cfg: dict = field(default_factory=dict)
    visualizer: dict | None = None
    log_level: Literal['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] = 'INFO'
    log_processor: dict | None = None
    default_scope: Literal['avzoo'] | None = None  # In another, no part of avzoo would be found.
    runner_type: str | None = None
    work_dir: _Path | None = None
    model_wrapper_cfg: dict | None = None
    custom_imports: dict | None = None


LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# The class of the section at a path; '' is the whole config.
SETTINGS: dict[str, type] = {
    '': ExperimentSettings,
    'curriculum': CurriculumSettings,
    'curriculum.base': SubstageSettings,
    'curriculum.full': FullSubstageSettings,
    **dict.fromkeys(LOADERS, LoaderSettings),
    'optim_wrapper.clip_grad': ClipSettings,
    'randomness': RandomnessSettings,
}
