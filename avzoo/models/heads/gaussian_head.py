"""The Bayes classifier of what a Gaussian generator generates."""

import torch

from avzoo.models.contracts import FittingSet
from avzoo.models.generators.text_gaussian import TextGaussian
from avzoo.models.heads.linear_head import LinearHead
from avzoo.registry import HEADS
from avzoo.utils.errors import ConfigError


@HEADS.register_module()
class GaussianHead(LinearHead):
    """Score by log N(c_o; m_c, I) around the class means of :class:`TextGaussian`, up to terms that all classes share.

    That is the linear classifier that infinitely many generated features of unit variance would give.

    Args:
        in_dim: Width of c_o.
        num_classes: Number of classes C.
    """

    reads_encoded = False

    def __init__(self, in_dim: int, num_classes: int) -> None:
        super().__init__(in_dim, num_classes, rank_by='logits')

    @torch.no_grad()
    def fit(self, training: FittingSet) -> dict[str, float]:
        """Take the class means from the generator; nothing is logged.

        Raises:
            ConfigError: If the model has another generator, or none.
        """
        if not isinstance(training.generator, TextGaussian):
            raise ConfigError('GaussianHead takes its means from model.generator; set its type to TextGaussian.')
        means = training.generator.class_means
        self.fc.weight.copy_(means)
        self.fc.bias.copy_(-0.5 * means.square().sum(1))
        return {}
