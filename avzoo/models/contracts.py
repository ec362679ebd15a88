"""What each kind of part takes and gives, as types; docs/design.md explains them and the letters of the shapes."""

from collections.abc import Callable
from typing import Protocol, TypedDict, runtime_checkable

from torch import Tensor


class Encoder(Protocol):
    """Encodes the features of one modality step by step."""

    out_dim: int

    def __call__(self, x: Tensor, mask: Tensor) -> Tensor:
        """Encode x (B, T, D) to (B, T, out_dim); ``mask`` (B, T) is true at real steps."""


class Embedding(Protocol):
    """Adds time and modality to encoded features."""

    def __call__(self, x: Tensor, mask: Tensor, seconds: Tensor, modality: str) -> Tensor:
        """Embed x (B, T, d) with ``mask`` (B, T) and ``seconds`` (B, T) of one modality; returns (B, T, d)."""


class Fusion(Protocol):
    """Brings the tokens of all modalities together; ``num_readouts`` is ``None`` where their number varies."""

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
    """Turns c_o, (B, d) or (B, R, d), into losses and scores."""

    def loss(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> dict[str, Tensor]:
        """Return losses for labels (B,), ``loss_ce`` among them; without context only that one is needed."""

    def generator_targets(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the features (N, d) that a generator learns, and their labels (N,)."""

    def scores(self, c_o: Tensor, context: Context | None = None) -> Tensor:
        """Return scores (B, C); larger is better."""

    def probabilities(self, scores: Tensor) -> Tensor:
        """Turn scores (B, C) into rows that sum to 1 and rank alike."""


class Conditioner(Protocol):
    """Tells a generator the class."""

    out_dim: int

    def __call__(self, labels: Tensor) -> Tensor:
        """Return conditions (B, out_dim) for labels (B,)."""


class Generator(Protocol):
    """Generates features of classes, and trains with the model, by its optimizer."""

    def loss(self, x_0: Tensor, condition: Tensor) -> dict[str, Tensor]:
        """Return losses for real features x_0 (N, d) under conditions (N, d_c)."""

    def sample(self, condition: Tensor) -> Tensor:
        """Generate one row (N, d) for each condition (N, d_c)."""


@runtime_checkable
class SelfTrainedGenerator(Protocol):
    """Generates features of classes, and trains itself; outside of ``update`` nothing in it requires gradients."""

    def update(self, x_0: Tensor, condition: Tensor, classify: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Train on constant features x_0 (N, d); ``classify`` gives the classification loss of generated ones.

        The values returned are for the log: none has ``loss`` in its name, since mmengine would add it up.
        """

    def sample(self, condition: Tensor) -> Tensor:
        """Generate one row (N, d) for each condition (N, d_c)."""
