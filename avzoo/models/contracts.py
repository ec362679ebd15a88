"""What each kind of part accepts and returns, as types; docs/design.md explains them and the letters of the shapes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypedDict, runtime_checkable

import torch
from torch import Tensor


class Encoder(Protocol):
    """Encodes the features of one modality step by step."""

    out_dim: int

    def __call__(self, x: Tensor, mask: Tensor) -> Tensor:
        """Encode x (B, T, D) to (B, T, out_dim); ``mask`` (B, T) is true at real steps.

        Where the preprocessor has nothing to change, x is the batch's own tensor: it must not be changed in place.
        """


class Embedding(Protocol):
    """Adds time and modality to encoded features."""

    def __call__(self, x: Tensor, mask: Tensor, seconds: Tensor, modality: str) -> Tensor:
        """Embed x (B, T, d) with ``mask`` (B, T) and ``seconds`` (B, T) of one modality; returns (B, T, d).

        x must not be changed in place either: a head may read it.
        """


class Fusion(Protocol):
    """Fuses the tokens of all modalities; ``num_readouts`` is ``None`` where their number varies."""

    out_dim: int
    num_readouts: int | None

    def __call__(self, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        """Fuse {modality: (B, T, d)} with masks {modality: (B, T)} into (B, out_dim), or R readouts (B, R, out_dim).

        Where the number of readouts varies it also returns which of them count (B, R).
        """


class Projector(Protocol):
    """Maps readouts to c_o."""

    out_dim: int

    def __call__(self, x: Tensor) -> Tensor:
        """Project (B, d) or (B, R, d) to (B, out_dim) or (B, R, out_dim)."""


class Context(TypedDict, total=False):
    """What a head may look at beside c_o; synthetic features have none."""

    encoded: dict[str, Tensor]  # {modality: (B, T, d)}, before the embedding
    masks: dict[str, Tensor]  # {modality: (B, T)}
    readout_mask: Tensor | None  # (B, R), which readouts count; None: all


class Head(Protocol):
    """Turns c_o, (B, d) or (B, R, d), into losses and scores.

    A head whose scores are logits says so by ``rank_by = 'logits'``; the model then divides them by a scale. One that
    reads nothing of the context but ``readout_mask`` says so by ``reads_encoded = False``; c_o and the mask, once
    computed, then do for all steps that train no part before. A subclass has to say it again.
    """

    def loss(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> dict[str, Tensor]:
        """Return losses for labels (B,), ``loss_ce`` among them; without context only that one is needed."""

    def generator_targets(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the features (N, d) that a generator learns, and their labels (N,)."""

    def scores(self, c_o: Tensor, context: Context | None = None) -> Tensor:
        """Return scores (B, C); larger is better."""

    def probabilities(self, scores: Tensor) -> Tensor:
        """Turn scores (B, C) into rows that sum to 1, with the same ranking."""


def reads_encoded(head: object) -> bool:
    """Return whether a head may read the encoders' output: only its own class can rule that out."""
    return 'reads_encoded' not in vars(type(head)) or getattr(head, 'reads_encoded', True)


class Conditioner(Protocol):
    """Gives a generator the condition of a class."""

    out_dim: int

    def __call__(self, labels: Tensor) -> Tensor:
        """Return conditions (B, out_dim) for labels (B,)."""


class Generator(Protocol):
    """Generates features of classes, and trains with the model, through its optimizer."""

    def loss(self, x_0: Tensor, condition: Tensor) -> dict[str, Tensor]:
        """Return losses for real features x_0 (N, d) under conditions (N, d_c)."""

    def sample(self, condition: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Generate one row (N, d) for each condition (N, d_c)."""


@runtime_checkable
class SelfTrainedGenerator(Protocol):
    """Generates features of classes, and trains itself; outside of ``update`` nothing in it requires gradients."""

    def update(self, x_0: Tensor, condition: Tensor, classify: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Train on constant features x_0 (N, d); ``classify`` returns the classification loss of generated ones.

        The values returned are for the log: none has ``loss`` in its name, since mmengine would add it up.
        """

    def sample(self, condition: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Generate one row (N, d) for each condition (N, d_c)."""


@dataclass(frozen=True)
class FittingSet:
    """The training set as a part sees it: what the parts before give for each video, in evaluation mode.

    Attributes:
        batches: Starts another pass: an iterator of features x (B, d) on the model's device, and labels (B,).
        num_videos: Number of videos in a pass.
        base_mask: Which classes are base, (C,) bool.
        conditions: The conditioner's output for each class, (C, d_c); ``None`` without a conditioner.
        class_variance: Variance of class means along each dimension of x, where the projector before knows it, (d,).
        generator: The model's generator, if it has one.
        seed: Seed of the run.
    """

    batches: Callable[[], Iterator[tuple[Tensor, Tensor]]]
    num_videos: int
    base_mask: Tensor
    conditions: Tensor | None
    class_variance: Tensor | None
    generator: 'AnyGenerator | None'
    seed: int


@runtime_checkable
class Fitted(Protocol):
    """A projector, generator or head that is fitted to the whole training set before a sub-stage's epochs."""

    def fit(self, training: FittingSet) -> dict[str, float]:
        """Fit the part, and return values for the log."""


@runtime_checkable
class FittedGenerator(Fitted, Protocol):
    """Generates features of classes after it was fitted; in the epochs it has no loss."""

    def sample(self, condition: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Generate one row (N, d) for each condition (N, d_c)."""


@runtime_checkable
class Denoiser(Protocol):
    """A generator that denoises, whose error shows whether the condition counts."""

    @property
    def num_steps(self) -> int:
        """Number of steps T of the process."""

    def denoising_error(self, x_0: Tensor, condition: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Return the mean squared error for features x_0 (N, d) at steps t (N,) with noise (N, d)."""


AnyGenerator = Generator | SelfTrainedGenerator | FittedGenerator
