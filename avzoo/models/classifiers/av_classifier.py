"""The one model class of the zoo: it wires parts, and each method is a choice of parts."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from avzoo.config.build import build_part, common_width, modality_facts
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models import contracts
from avzoo.models.classifiers.fits_parts import FitsParts
from avzoo.models.classifiers.part_checks import build_checked, build_optional, check_losses, check_sample, check_width
from avzoo.models.kernels.fast_layers import use_fast_layers
from avzoo.registry import CONDITIONERS, EMBEDDINGS, ENCODERS, FUSIONS, GENERATORS, HEADS, MODELS, PROJECTORS
from avzoo.utils.errors import ConfigError, nearest


@MODELS.register_module()
class AVClassifier(FitsParts):
    """Classify videos from sequences of audio and visual features (AV-DIFF, Fig. 2).

    Data flow: data_preprocessor, encoders, embedding, fusion, projector (c_o), head. In training, a generator may
    learn the features c_o under a condition, and give synthetic ones for novel classes.

    Args:
        data_info: What the data decides: ``feature_dims`` and ``seconds_per_step`` {modality: value}, ``num_classes``,
            ``embedding_dim`` (width of the class vectors). The training tool reads it from the store.
        data_preprocessor: Config of the preprocessor.
        encoders: {modality: config}; the modalities named here are the ones the model uses.
        embedding: Config of the time and modality embedding, or ``None``.
        fusion: Config of the fusion.
        projector: Config of the projector to c_o, or ``None``.
        head: Config of the head.
        generator: Config of the generator, or ``None``; ``synthetic_weight``, ``synthetic_grad`` and
            ``detach_features`` then have no effect.
        conditioner: Config of the generator's conditioner, or ``None``.
        synthetic_weight: Weight of the classification loss on synthetic features.
        synthetic_grad: Let the loss on synthetic features reach the generator through the whole sampling chain, as the
            released code does. A generator that trains itself (WGANGP) takes no gradient in either case.
        detach_features: Keep the generator's loss from training the parts before it, as it does in the released code.
            That of a generator that trains itself never does.
        frozen: Names of parts that do not train, e.g. ``('encoders', 'embedding', 'fusion')``.
        frozen_mode: ``train`` leaves dropout and BatchNorm statistics of frozen parts live, as the released code
            does; ``eval`` fixes them.
        gamma: Calibration that is subtracted from the scores of base classes (Chao et al. 2016); kept in the
            checkpoint.
        scale: Divisor of a head's logits before that; kept in the checkpoint. A head whose scores are not
            logits has none.
        init_cfg: Initialisation as in mmengine.
    """

    gamma: Tensor
    scale: Tensor | None
    meta: dict[str, Any]  # What the checkpoint says that its weights come from.

    def __init__(
        self,
        data_info: dict,
        *,
        data_preprocessor: dict,
        encoders: dict,
        fusion: dict,
        head: dict,
        embedding: dict | None = None,
        projector: dict | None = None,
        generator: dict | None = None,
        conditioner: dict | None = None,
        synthetic_weight: float = 1.0,
        synthetic_grad: bool = True,
        detach_features: bool = False,
        frozen: tuple[str, ...] = (),
        frozen_mode: Literal['train', 'eval'] = 'train',
        gamma: float = 0.0,
        scale: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        facts = modality_facts(data_info, encoders)
        super().__init__(build_part(MODELS, data_preprocessor, 'model.data_preprocessor', **facts), init_cfg)
        facts['num_bins'] = getattr(self.data_preprocessor, 'num_bins', None)
        widths = facts['feature_dims']
        self.encoders = nn.ModuleDict(
            {
                m: build_checked(ENCODERS, contracts.Encoder, cfg, f'model.encoders.{m}', in_dim=widths[m])
                for m, cfg in encoders.items()
            }
        )
        facts['dims'] = {m: encoder.out_dim for m, encoder in self.encoders.items()}
        facts['dim'] = common_width(facts['dims'])
        self.embedding: contracts.Embedding | None = build_optional(
            EMBEDDINGS, contracts.Embedding, embedding, 'model.embedding', **facts
        )
        self.fusion: contracts.Fusion = build_checked(FUSIONS, contracts.Fusion, fusion, 'model.fusion', **facts)
        facts.update(in_dim=self.fusion.out_dim, num_readouts=self.fusion.num_readouts)
        self.projector: contracts.Projector | None = build_optional(
            PROJECTORS, contracts.Projector, projector, 'model.projector', **facts
        )
        facts['in_dim'] = self.fusion.out_dim if self.projector is None else self.projector.out_dim
        self.head: contracts.Head = build_checked(HEADS, contracts.Head, head, 'model.head', **facts)
        self._build_generator(generator, conditioner, dict(facts, dim=facts['in_dim']))
        self.synthetic_weight, self.synthetic_grad = synthetic_weight, synthetic_grad
        self.detach_features = detach_features
        self.register_buffer('gamma', torch.tensor(float(gamma), dtype=torch.float64))
        logits = getattr(self.head, 'rank_by', None) == 'logits'
        self.register_buffer('scale', torch.tensor(float(scale), dtype=torch.float64) if logits else None)
        self._freeze(frozen, frozen_mode)
        use_fast_layers(self)

    def _build_generator(self, generator: dict | None, conditioner: dict | None, facts: dict) -> None:
        self.generator: contracts.AnyGenerator | None = None
        self.conditioner: contracts.Conditioner | None = None
        if generator is None and conditioner is None:
            return
        if generator is None:
            raise ConfigError('model.conditioner has no generator to condition; set model.conditioner=None too.')
        if conditioner is None:
            raise ConfigError(
                "model.generator needs model.conditioner, which names the class; set e.g. dict(type='ClassEmbedding')."
            )
        known = dict(facts, preprocessor=self.data_preprocessor)
        self.conditioner = build_checked(CONDITIONERS, contracts.Conditioner, conditioner, 'model.conditioner', **known)
        known = dict(facts, cond_dim=self.conditioner.out_dim)
        self.generator = build_checked(GENERATORS, contracts.Generator, generator, 'model.generator', **known)

    def _freeze(self, frozen: tuple[str, ...], frozen_mode: str) -> None:
        if frozen_mode not in ('train', 'eval'):
            raise ConfigError(f"model.frozen_mode='{frozen_mode}'; choose 'train' or 'eval'.")
        parts = [name for name, _ in self.named_children()]
        for name in frozen:
            if name not in parts and getattr(self, name, False) is not None:
                raise ConfigError(
                    f"model.frozen names '{name}', which is not a part of the model."
                    f'{nearest(name, parts)} Parts: {", ".join(parts)}.'
                )
        self.frozen = tuple(name for name in frozen if name in parts)
        self.frozen_mode = frozen_mode
        for name in self.frozen:
            getattr(self, name).requires_grad_(False)

    def train(self, mode: bool = True) -> 'AVClassifier':
        """Set the training mode; frozen parts follow ``frozen_mode``."""
        super().train(mode)
        if mode and self.frozen_mode == 'eval':
            for name in self.frozen:
                getattr(self, name).eval()
        return self

    def read_constants(self, dataset: GFSLDataset) -> None:
        """Let every part that reads constants (class vectors, prototypes) from the training set do so."""
        parts: Iterable[Any] = self.modules()
        for part in parts:
            if part is not self and hasattr(part, 'read_constants'):
                part.read_constants(dataset)

    def forward(
        self,
        inputs: dict,
        label: Tensor | None = None,
        index: Tensor | None = None,
        novel: bool = False,
        mode: Literal['tensor', 'loss', 'predict'] = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[dict]:
        """Run the model on preprocessed inputs {modality: (x, mask, seconds)}.

        Args:
            inputs: What the data preprocessor returns: sequences, or ``fused`` (B, d) or (B, R, d), the fusion's
                output for them, and its ``readout_mask`` (B, R), if any.
            label: (B,) classifier columns, for ``loss``.
            index: (B,) positions in the dataset, passed through by ``predict``.
            novel: Whether the batch holds novel classes, for which synthetic features are wanted.
            mode: ``tensor`` gives c_o, ``loss`` a dict of losses, ``predict`` scores.
        """
        if mode == 'tensor':
            return self.extract_feat(inputs)
        if mode == 'loss':
            if label is None:
                raise ValueError("mode='loss' needs labels.")
            return self.loss(inputs, label, novel=novel)
        if mode == 'predict':
            return self.predict(inputs, label, index)
        raise ValueError(f"mode='{mode}'; choose tensor, loss or predict.")

    def extract_feat(self, inputs: dict) -> Tensor:
        """Return c_o: (B, d_out), or (B, R, d_out) where the fusion has R readouts."""
        return self._features(inputs)[0]

    def _features(self, inputs: dict) -> tuple[Tensor, contracts.Context]:
        """Return c_o and what else a head may look at."""
        fused, context = self._fuse(inputs)
        if self.projector is not None:
            fused = check_width(self.projector(fused), self.projector, 'model.projector', fused.shape[:-1])
        return fused, context

    def _fuse(self, inputs: dict) -> tuple[Tensor, contracts.Context]:
        """Return what the fusion gives and what else a head may look at."""
        if 'fused' in inputs:  # Computed once for all batches, see FusionCacheHook.
            return inputs['fused'], dict(readout_mask=inputs.get('readout_mask'))
        encoded: dict[str, Tensor] = {}
        tokens: dict[str, Tensor] = {}
        masks: dict[str, Tensor] = {}
        for modality, encoder in self.encoders.items():
            x, mask, seconds = inputs[modality]
            encoded[modality] = x = check_width(encoder(x, mask), encoder, f'model.encoders.{modality}', mask.shape)
            tokens[modality] = self.embedding(x, mask, seconds, modality) if self.embedding is not None else x
            masks[modality] = mask
        fused = self.fusion(tokens, masks)
        fused, readout_mask = fused if isinstance(fused, tuple) else (fused, None)
        check_width(fused, self.fusion, 'model.fusion', mask.shape[:1])
        return fused, dict(encoded=encoded, masks=masks, readout_mask=readout_mask)

    def loss(self, inputs: dict, label: Tensor, *, novel: bool = False) -> dict[str, Tensor]:
        """Return the losses of the head, of the generator, and, on a novel batch, ``loss_synthetic`` (sec. 4.3)."""
        c_o, context = self._features(inputs)
        losses = check_losses(self.head.loss(c_o, label, context), self.head)
        if self.generator is None or self.conditioner is None:
            return losses
        x_0, label = self._generator_targets(c_o, label, context)
        condition = check_width(self.conditioner(label), self.conditioner, 'model.conditioner', label.shape)
        losses.update(self._generator_losses(self.generator, x_0, condition, label))
        if novel:
            with torch.set_grad_enabled(self.synthetic_grad and torch.is_grad_enabled()):
                synthetic = check_sample(self.generator.sample(condition), x_0, self.generator)
            losses['loss_synthetic'] = self.synthetic_weight * self._classification_loss(synthetic, label)
        return losses

    def _generator_losses(
        self, generator: contracts.AnyGenerator, x_0: Tensor, condition: Tensor, label: Tensor
    ) -> dict[str, Tensor]:
        """Return a generator's losses for features x_0 (N, d_out); none if it does not learn in steps."""
        if isinstance(generator, contracts.SelfTrainedGenerator):
            if 'generator' in self.frozen:
                return {}
            return generator.update(x_0.detach(), condition, lambda x: self._classification_loss(x, label))
        if isinstance(generator, contracts.FittedGenerator):
            return {}
        return generator.loss(x_0.detach() if self.detach_features else x_0, condition)

    def _classification_loss(self, features: Tensor, label: Tensor) -> Tensor:
        return self.head.loss(features, label)['loss_ce']

    def predict(self, inputs: dict, label: Tensor | None, index: Tensor | None) -> list[dict]:
        """Return a dict: ``scores`` (B, C), ``label``, ``index``, ``gamma``, and ``scale``, ``None`` without logits."""
        scores = self.head.scores(*self._features(inputs))
        if self.scale is not None:
            scores = scores / self.scale.to(scores)
        return [dict(scores=scores, label=label, index=index, gamma=self.gamma, scale=self.scale)]

    def probabilities(self, scores: Tensor) -> Tensor:
        """Turn scores (B, C) of ``predict`` into rows that sum to 1, with the same ranking."""
        return self.head.probabilities(scores if self.scale is None else scores * self.scale.to(scores))
