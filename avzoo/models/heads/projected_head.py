"""A head with its own projector before it."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn

from avzoo.config.build import build_part
from avzoo.models.contracts import Context, Head, Projector, reads_encoded
from avzoo.registry import HEADS, PROJECTORS


@HEADS.register_module()
class ProjectedHead(nn.Module):
    """Project c_o before another head reads it, so that a generator learns c_o itself (ProtoGAN).

    Synthetic features, which come without context, are normalised by the running BatchNorm statistics and do not change
    them: scores are computed on real features only.

    Args:
        facts: What the data and the parts before decide, for projector and head: ``in_dim``, ``num_classes``, ...
        projector: Config of the projector.
        head: Config of the head after it.
    """

    def __init__(self, facts: dict, *, projector: dict, head: dict) -> None:
        super().__init__()
        # Synthetic features come one by one, so the projector must not need all readouts of a video.
        self.projector: Projector = build_part(
            PROJECTORS, projector, 'model.head.projector', **dict(facts, num_readouts=1)
        )
        self.head: Head = build_part(HEADS, head, 'model.head.head', **dict(facts, in_dim=self.projector.out_dim))

    @property
    def rank_by(self) -> str:
        """What the scores of the inner head are."""
        return getattr(self.head, 'rank_by', 'probabilities')

    @property
    def reads_encoded(self) -> bool:
        """Whether the inner head reads the encoders' output."""
        return reads_encoded(self.head)

    def loss(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> dict[str, Tensor]:
        """Return the losses of the inner head for features (B, d_out) or (B, R, d_out) and labels (B,)."""
        with _fixed_statistics(self) if context is None else nullcontext():
            projected = self.projector(c_o)
        return self.head.loss(projected, labels, context)

    def generator_targets(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return what a generator learns, with labels: what the inner head classifies, but before the projector."""
        return self.head.generator_targets(c_o, labels, context)

    def scores(self, c_o: Tensor, context: Context | None = None) -> Tensor:
        """Return the scores (B, C) of the inner head."""
        return self.head.scores(self.projector(c_o), context)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the class probabilities (B, C) that ``scores`` (B, C) stand for in the inner head."""
        return self.head.probabilities(scores)


@contextmanager
def _fixed_statistics(module: nn.Module) -> Iterator[None]:
    """Let BatchNorm use its running statistics for a while."""
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm1d) and layer.training]
    training = nn.ModuleList(norms).eval()
    try:
        yield
    finally:
        training.train()
