"""A model small enough to follow by hand, and the diffusion formulas written out."""

import torch
import torch.nn.functional as F

from avzoo.registry import MODELS

BATCH, CLASSES, WORDS, WIDTH = 6, 4, 5, 3
LENGTHS = {'audio': torch.tensor([3, 1, 2, 3, 2, 1]), 'visual': torch.tensor([2, 4, 1, 3, 4, 2])}
LABELS = torch.tensor([0, 1, 2, 3, 1, 2])
BETA = torch.linspace(0.1, 0.3, 3)
_MLP = dict(type='MLP', hidden_dim=6, dropout=0.0)


def tiny_model(**changes) -> torch.nn.Module:
    """Build a model of three diffusion steps, without dropout, in train mode; ``changes`` are its arguments."""
    torch.manual_seed(0)
    args = dict(
        data_info=dict(
            feature_dims=dict(audio=4, visual=5),
            seconds_per_step=dict(audio=0.96, visual=0.64),
            num_classes=CLASSES,
            embedding_dim=WORDS,
        ),
        data_preprocessor=dict(type='AVPreprocessor'),
        encoders={m: dict(_MLP, out_dim=4) for m in LENGTHS},
        fusion=dict(type='MaskedTransformer', depth=1, num_heads=1, head_dim=4, mlp_dim=4, dropout=0.0),
        projector=dict(_MLP, out_dim=WIDTH),
        head=dict(type='LinearHead'),
        conditioner=dict(type='ClassEmbedding'),
        generator=dict(
            type='DDPM',
            noise_predictor=dict(type='MLPNoisePredictor', hidden_dim=5),
            schedule=dict(type='LinearSchedule', num_steps=3, beta_start=0.1, beta_end=0.3),
        ),
    )
    model = MODELS.build(dict(args, type='AVClassifier', **changes))
    model.conditioner.vectors.normal_()
    return model.train()


def tiny_batch() -> dict:
    """Draw a batch as the data set gives it."""
    rng = torch.Generator().manual_seed(1)
    features = {}
    for (name, lengths), dim in zip(LENGTHS.items(), (4, 5), strict=True):
        x = torch.rand(BATCH, int(lengths.max()), dim, generator=rng)
        x = x * (torch.arange(x.shape[1]) < lengths.unsqueeze(1)).unsqueeze(-1)
        features[name] = dict(x=x, lengths=lengths, starts=torch.zeros(BATCH, dtype=torch.long))
    return dict(features=features, label=LABELS)


def tiny_draws() -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a noise for the diffusion loss, the start and the noises of the chain (5, B, D), and the loss's steps."""
    rng = torch.Generator().manual_seed(2)
    return torch.randn(2 + len(BETA), BATCH, WIDTH, generator=rng), torch.tensor([0, 1, 2, 0, 1, 2])


def diffusion_error(
    predictor: torch.nn.Module, x_0: torch.Tensor, condition: torch.Tensor, t: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """Return the mean squared error of the noise predicted in x_0 diffused to t (AV-DIFF, eq. 6 and 8)."""
    alpha_bar = torch.stack([(1 - BETA[: step + 1]).prod() for step in t.tolist()]).unsqueeze(1)
    x_t = alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * noise
    return F.mse_loss(predictor(x_t, t, condition), noise)


def reverse_chain(predictor: torch.nn.Module, condition: torch.Tensor, noises: torch.Tensor) -> torch.Tensor:
    """Follow the chain from noises[0] to step 0 with sigma^2 = beta and noise at every step, as the released code."""
    x = noises[0]
    for step, noise in zip((2, 1, 0), noises[1:], strict=True):
        beta, alpha_bar = BETA[step], (1 - BETA[: step + 1]).prod()
        eps = predictor(x, torch.full((len(x),), step), condition)
        x = (x - beta / (1 - alpha_bar).sqrt() * eps) / (1 - beta).sqrt() + beta.sqrt() * noise
    return x
