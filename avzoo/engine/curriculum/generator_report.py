"""What a phase's generator has learned: a report, which does not affect any choice."""

import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import Tensor

from avzoo.checkpoints.training import load_checkpoint, load_weights
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine.curriculum.plan import Phase, phase_config, start_file
from avzoo.engine.log import log_line
from avzoo.evaluation.denoising_check import check_denoising
from avzoo.evaluation.generator_check import Features, check_generator, check_line
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.models.contracts import Denoiser, FittedGenerator
from avzoo.protocol import EvaluationName, evaluation_splits, train_splits
from avzoo.registry import DATASETS, MODELS


def report_generator(
    cfg: Config, phase: Phase, outcomes: dict[str, dict], work_dir: str | os.PathLike[str]
) -> dict[str, dict[str, Any]]:
    """Check the generator in the checkpoint of a finished phase, see :func:`check_generator`, and log the result.

    The held-out videos are those of validation in stage 1, and of the draw's test set in stage 2.

    Args:
        cfg: The config of the whole curriculum.
        phase: The phase.
        outcomes: What finished phases decided, by phase name.
        work_dir: Folder of the whole curriculum.

    Returns:
        ``generator_check``; nothing where no generator was trained, or stage 1 has no validation.
    """
    if cfg.model.get('generator') is None or (phase.stage == 1 and not cfg.curriculum.validate):
        return {}
    run = phase_config(cfg, phase, outcomes, work_dir)
    with torch.random.fork_rng():
        model = MODELS.build(run.model)
    if isinstance(model.generator, FittedGenerator) and 'generator' not in cfg.curriculum[phase.substage].get(
        'fit', ()
    ):
        return {}
    path = Path(run.work_dir) / start_file(cfg, phase)
    load_weights(model, load_checkpoint(path)['state_dict'], str(path))
    dataset = run.train_dataloader.dataset  # Its features may be on the GPU already; reading from disk takes longer.
    shots = DATASETS.build(dict(dataset, splits=train_splits(phase.stage, phase.draw or 0)[1:]))
    split: EvaluationName = 'val' if phase.stage == 1 else 'test'
    held_out = DATASETS.build(dict(dataset, splits=evaluation_splits(split, phase.draw)))
    found = check_model(model.to(get_device()).eval(), shots, held_out)
    log_line(f'{phase.name}: {check_line(found)}')
    return dict(generator_check=found)


@torch.no_grad()
def check_model(model: AVClassifier, shots: GFSLDataset, held_out: GFSLDataset) -> dict[str, Any]:
    """Check the generator of a model against the shots of the novel classes and held-out videos."""
    generator, conditioner = model.generator, model.conditioner
    assert generator is not None and conditioner is not None
    rng = torch.Generator(model.gamma.device).manual_seed(0)

    def error(features: Features, columns: Tensor) -> float:
        assert isinstance(generator, Denoiser)
        condition = conditioner(columns)
        # The same steps and noise for all conditions.
        t = torch.arange(len(features.x), device=features.x.device) % generator.num_steps
        noise = torch.randn(features.x.shape, generator=torch.Generator().manual_seed(1)).to(features.x)
        return float(generator.denoising_error(features.x, condition, t, noise))

    unseen = Features(*model.generator_data(held_out))
    found = check_generator(
        lambda columns: generator.sample(conditioner(columns), generator=rng),
        error if isinstance(generator, Denoiser) else None,
        Features(*model.generator_data(shots)),
        unseen,
        torch.as_tensor(held_out.base_mask, device=model.gamma.device),
    )
    return found | (check_denoising(generator, conditioner, unseen) if isinstance(generator, Denoiser) else {})
