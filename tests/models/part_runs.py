"""Running a part of any kind on small inputs."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from avzoo import registry
from avzoo.config.build import build_part
from avzoo.models.contracts import Fitted, FittingSet
from avzoo.models.generators import TextGaussian
from tests.models.fitting import clustered, fitting_set
from tests.models.part_cases import BATCH, CASES, CLASSES, FACTS, MODALITIES, SECONDS, WIDTH, WORDS

REGISTRIES = {r.name: r for r in vars(registry).values() if isinstance(r, registry.PartRegistry)}
# Unequal sequences, one of a single step in each modality.
LENGTHS = {'audio': torch.tensor([4, 1, 3, 2, 4, 3]), 'visual': torch.tensor([2, 6, 1, 5, 3, 6])}
LABELS = torch.tensor([0, 1, 1, 2, 3, 4])


def build(kind: str, name: str, seed: int = 0, **changes) -> nn.Module:
    """Build a part as its case says, seeded."""
    facts = dict(FACTS, **{k: v for k, v in changes.items() if k in FACTS})
    args = dict(CASES[kind][name].args, **{k: v for k, v in changes.items() if k not in FACTS})
    torch.manual_seed(seed)
    part = build_part(REGISTRIES[kind], dict(type=name, **args), kind, **facts)
    if hasattr(part, 'init_weights'):  # Before a phase trains, the runner calls it.
        part.init_weights()
    for module in part.modules():
        if hasattr(module, 'read_constants'):
            module.read_constants(dataset(facts['num_classes'], facts['embedding_dim']))
    if isinstance(part, Fitted) and kind != 'model':
        part.fit(training_set(facts, facts['dim' if kind == 'generator' else 'in_dim'], seed))
    return part


def training_set(facts: dict, width: int, seed: int) -> FittingSet:
    """Return what a part of a kind that is fitted asks of a training set: eight videos for each class."""
    num_classes = facts['num_classes']
    x, labels = clustered([8] * num_classes, width, seed=seed)
    conditions = torch.randn(num_classes, facts['cond_dim'], generator=torch.Generator().manual_seed(seed))
    generator = TextGaussian(width, facts['cond_dim'], num_classes)
    arguments = dict(conditions=conditions, class_variance=torch.linspace(3, 0.1, width), seed=seed)
    generator.fit(fitting_set(x, labels, num_classes - 1, num_classes, **arguments))
    return fitting_set(x, labels, num_classes - 1, num_classes, generator=generator, **arguments)


def dataset(num_classes: int = CLASSES, words: int = WORDS) -> SimpleNamespace:
    """Return what a part may ask of a training set: some of the twelve classes of a store."""
    rng = np.random.default_rng(3)
    store = SimpleNamespace(root='store', class_names=[f'class{i:02}' for i in range(12)])
    store.temporal_mean = lambda modality, videos: np.stack(
        [np.full(WIDTH, 0.1 * v + len(modality), dtype=np.float32) for v in videos]
    )
    return SimpleNamespace(
        class_embeddings=rng.normal(size=(num_classes, words)).astype(np.float32),
        store=store,
        class_ids=np.array([0, 1, 2, 3, 8, 9])[:num_classes],
        base_mask=np.arange(num_classes) < 1,
        videos=np.arange(BATCH),
        labels=LABELS.numpy(),
    )


def sequences(
    modalities: tuple[str, ...] = MODALITIES, num_steps: int | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return sequences {modality: (B, T, D)}, and their masks.

    They are of unequal length, with noise in the padding, or all of ``num_steps`` steps.
    """
    rng = torch.Generator().manual_seed(2)
    if num_steps is not None:
        tokens = {m: torch.randn(BATCH, num_steps, WIDTH, generator=rng) for m in modalities}
        return tokens, {m: torch.ones(BATCH, num_steps, dtype=torch.bool) for m in modalities}
    tokens = {m: torch.randn(BATCH, int(LENGTHS[m].max()), WIDTH, generator=rng) for m in modalities}
    return tokens, {m: torch.arange(x.shape[1]) < LENGTHS[m].unsqueeze(1) for m, x in tokens.items()}


def features(readouts: bool) -> Tensor:
    """Return features (B, D), or (B, 2, D)."""
    rng = torch.Generator().manual_seed(4)
    return torch.randn(*((BATCH, 2, WIDTH) if readouts else (BATCH, WIDTH)), generator=rng).abs()


def run(part: nn.Module, kind: str, name: str) -> list[Tensor]:
    """Let a part do all that it can; the outputs of a seeded run."""
    torch.manual_seed(1)
    readouts = CASES[kind][name].readouts
    condition = torch.randn(BATCH, WORDS, generator=torch.Generator().manual_seed(5))
    if kind == 'encoder':
        tokens, masks = sequences(('visual',))
        return [part(tokens['visual'], masks['visual'])]
    if kind == 'embedding':
        return list(embed(part, *sequences(part.modalities)).values())
    if kind == 'fusion':
        out = part(*sequences(getattr(part, 'modalities', MODALITIES), CASES[kind][name].num_steps))
        return list(out) if isinstance(out, tuple) else [out]
    if kind == 'projector':
        return [part(features(readouts))]
    if kind == 'head':
        tokens, masks = sequences()
        c_o, context = features(readouts), dict(encoded=tokens, masks=masks, readout_mask=None)
        return [*part.loss(c_o, LABELS, context).values(), part.scores(c_o, context)]
    if kind == 'conditioner':
        return [part(LABELS)]
    if kind == 'generator':
        return _generate(part, condition)
    if kind == 'model':
        return _prepare(part) if name == 'AVPreprocessor' else _classify(part)
    if kind == 'noise predictor':
        return [part(features(False), torch.arange(BATCH), condition)]
    return [part.signal, part.noise]


def embed(part: nn.Module, tokens: dict[str, Tensor], masks: dict[str, Tensor]) -> dict[str, Tensor]:
    """Run an embedding on each modality."""
    seconds = {m: torch.arange(mask.shape[1]).expand(mask.shape) * SECONDS[m] for m, mask in masks.items()}
    return {m: part(tokens[m], masks[m], seconds[m], m) for m in tokens}


def _generate(part: nn.Module, condition: Tensor) -> list[Tensor]:
    x_0 = features(False)
    if hasattr(part, 'fit'):
        log = part.fit(_conditioned(x_0)) if part.training else {}
        log = {key: torch.tensor(value) for key, value in log.items()}
    elif hasattr(part, 'update'):
        log = part.update(x_0, condition, lambda x: x.square().mean()) if part.training else {}
    else:
        log = part.loss(x_0, condition)
    return [*log.values(), part.sample(condition)]


def _conditioned(x: Tensor) -> FittingSet:
    """Return features (B, D) as a training set with conditions."""
    return FittingSet(
        batches=lambda: iter([(x, LABELS)]),
        num_videos=BATCH,
        base_mask=torch.arange(CLASSES) < 3,
        conditions=torch.randn(CLASSES, WORDS, generator=torch.Generator().manual_seed(6)),
        class_variance=None,
        generator=None,
        seed=0,
    )


def _batch() -> dict:
    """Return a batch as the data set gives it: zeros in the padding."""
    tokens, masks = sequences()
    starts = torch.zeros(BATCH, dtype=torch.long)
    return dict(
        features={
            m: dict(x=x.abs() * masks[m].unsqueeze(-1), lengths=LENGTHS[m], starts=starts) for m, x in tokens.items()
        },
        label=LABELS,
    )


def _prepare(part: nn.Module) -> list[Tensor]:
    return [x for three in part(_batch())['inputs'].values() for x in three]


def _classify(part: nn.Module) -> list[Tensor]:
    """Return a model's losses on novel classes, the norms of their gradients, and its scores."""
    inputs = part.data_preprocessor(_batch(), training=part.training)['inputs']
    losses = part.loss(inputs, LABELS, novel=True)
    trainable = [p for p in part.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(sum(losses.values()), trainable, retain_graph=True, allow_unused=True)
    norms = [torch.zeros(()) if g is None else g.norm() for g in gradients]
    found = part.predict(inputs, LABELS, None)[0]
    return [*losses.values(), *norms, found['scores'], found['gamma']]
