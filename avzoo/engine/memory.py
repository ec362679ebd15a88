"""Memory that a process keeps for what comes next."""

import gc

import torch

from avzoo.datasets.gfsl_dataset import release_held_store


def free_memory() -> None:
    """Give back what earlier phases used, on a GPU too: features held there, and what PyTorch keeps for new tensors."""
    release_held_store()
    gc.collect()
    torch.cuda.empty_cache()
