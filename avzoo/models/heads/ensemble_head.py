"""Several heads whose logits are averaged."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from avzoo.config.build import build_part
from avzoo.models.contracts import Context, Fitted, FittingSet, Head, reads_encoded
from avzoo.registry import HEADS
from avzoo.utils.errors import ConfigError


@HEADS.register_module()
class EnsembleHead(nn.Module):
    """Average the logits of several heads, each divided by its spread on the training set.

    The spread is the standard deviation of a video's logits around their mean, so each head has the same weight.

    Args:
        facts: What the data and the parts before decide, for the heads: ``in_dim``, ``num_classes``, ...
        heads: Configs of the heads, which must rank by logits.
        sharpness: Factor of the mean: how confident the probabilities are. Without ``balance_groups`` it does not
            change the ranking.
        balance_groups: Lower the logits of a class by the logarithm of the number of classes in its group, base or
            novel. Base and novel classes then have equal prior odds, as HM wants, however many of each there are: a
            calibration that was chosen on validation fits a test with other numbers of classes.
    """

    spread: Tensor
    log_group_size: Tensor
    rank_by = 'logits'

    def __init__(
        self, facts: dict, *, heads: Sequence[dict], sharpness: float = 4.0, balance_groups: bool = True
    ) -> None:
        super().__init__()
        if not heads:
            raise ValueError('heads is empty; name one head or more.')
        self.heads = nn.ModuleList(
            [build_part(HEADS, cfg, f'model.head.heads.{i}', **facts) for i, cfg in enumerate(heads)]
        )
        for i, head in enumerate(self.heads):
            if getattr(head, 'rank_by', None) != 'logits':
                raise ConfigError(
                    f"model.head.heads.{i} does not rank by logits; set its rank_by='logits' if it has that option."
                )
        self.sharpness, self.balance_groups = sharpness, balance_groups
        self.register_buffer('spread', torch.ones(len(heads)))
        self.register_buffer('log_group_size', torch.zeros(facts['num_classes']))

    @property
    def reads_encoded(self) -> bool:
        """Whether any of the heads reads what the encoders give."""
        return any(map(reads_encoded, self.heads))

    def fit(self, training: FittingSet) -> dict[str, float]:
        """Fit each head that can be fitted, then take the spreads; returns the values of all heads for the log."""
        log = {}
        for i, head in enumerate(self.heads):
            if isinstance(head, Fitted):
                log.update({f'{i}.{key}': value for key, value in head.fit(training).items()})
        squares, count = torch.zeros_like(self.spread, dtype=torch.float64), 0
        with torch.no_grad():
            for x, _ in training.batches():
                for i, logits in enumerate(self._logits(x, None)):
                    squares[i] += (logits - logits.mean(1, keepdim=True)).double().square().sum()
                count += logits.numel()
        if self.balance_groups:
            base = training.base_mask
            self.log_group_size.copy_(torch.where(base, base.sum(), (~base).sum()).clamp(min=1).log())
        self.spread.copy_((squares / count).sqrt().clamp(min=torch.finfo(torch.float32).tiny))
        return log

    def loss(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> dict[str, Tensor]:
        """Return the losses of all heads, each added up by name."""
        losses: dict[str, Tensor] = {}
        for head in self._each():
            for name, value in head.loss(c_o, labels, context).items():
                losses[name] = losses[name] + value if name in losses else value
        return losses

    def generator_targets(self, c_o: Tensor, labels: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return what a generator learns, with labels: what the first head classifies."""
        return self._each()[0].generator_targets(c_o, labels, context)

    def scores(self, c_o: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean (B, C) of the heads' logits, each over its spread, times ``sharpness``, groups balanced."""
        parts = zip(self._logits(c_o, context), self.spread, strict=True)
        logits = self.sharpness * torch.stack([logits / spread for logits, spread in parts]).mean(0)
        return logits - self.log_group_size

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return probabilities (B, C) that rank as ``scores`` (B, C) do: their softmax. They are not calibrated."""
        return scores.softmax(-1)

    def _logits(self, c_o: Tensor, context: Context | None) -> list[Tensor]:
        return [head.scores(c_o, context) for head in self._each()]

    def _each(self) -> list[Head]:
        return [cast(Head, head) for head in self.heads]
