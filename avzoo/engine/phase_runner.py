"""One phase of the curriculum: a plain mmengine Runner with safe checkpoints and a quiet screen."""

import logging
import os
from collections import Counter
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import barrier, is_main_process
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, load_weights, save_checkpoint
from avzoo.config.as_data import as_plain
from avzoo.datasets.gfsl_dataset import GFSLDataset, device_of
from avzoo.engine.log import escape_in_log
from avzoo.engine.memory import keep_freed_memory
from avzoo.engine.optim import load_optimizer_state, use_one_pass
from avzoo.engine.provenance import environment
from avzoo.engine.streaming_loader import StreamingLoader, whole_batch
from avzoo.models.classifiers.av_classifier import AVClassifier
from avzoo.models.kernels.cpu_kernels import choose_cpu_kernels
from avzoo.registry import RUNNERS
from avzoo.utils.errors import CheckpointError
from avzoo.version import __version__

WITHOUT_OPTIMIZER = (
    'holds no optimizer state, which is needed to continue: it was dropped when its phase was finished. '
    'Start a new run in another --work-dir; curriculum.keep_optimizer=True keeps the state.'
)

# Phases that this process started, by second.
_BEGAN: Counter[str] = Counter()


@RUNNERS.register_module()
class PhaseRunner(Runner):
    """Run one phase: mmengine's Runner, whose checkpoints hold only tensors and plain values.

    mmengine's own checkpoints cannot be resumed with ``weights_only=True`` and load with missing keys; here loading is
    strict. The log goes to a file; only errors reach the screen, where the curriculum reports its progress.
    """

    optim_wrapper: OptimWrapper
    param_schedulers: list[Any] | None

    @property
    def plain_model(self) -> AVClassifier:
        """The model without the wrapper for distributed training."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs: Any) -> MMLogger:
        """Build mmengine's logger, but keep its messages off the screen."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.setLevel(logging.ERROR)
        escape_in_log(logger)
        return logger

    def _log_env(self, env_cfg: dict) -> None:
        """Log the environment and the config, without importing torchvision for its version as mmengine does."""
        facts = {**environment(), **env_cfg, **self._randomness_cfg, 'seed': self._seed, 'processes': self._world_size}
        self.logger.info('Environment:' + ''.join(f'\n    {name}: {value}' for name, value in facts.items()))
        if self.cfg._cfg_dict:
            self.logger.info(f'Config:\n{self.cfg.pretty_text}')

    def setup_env(self, env_cfg: dict) -> None:
        """Set up the process as mmengine does, and choose the kernels of a CPU and how a GPU multiplies matrices."""
        super().setup_env(env_cfg)
        keep_freed_memory()
        _BEGAN[self._timestamp] += 1
        if _BEGAN[self._timestamp] > 1:
            # mmengine keeps a run's logger, values and visualizer under its name and this time: two phases that
            # start in the same second would share them.
            self._timestamp += f'_{_BEGAN[self._timestamp]}'
        torch.set_float32_matmul_precision(self.cfg.get('float32_matmul_precision', 'highest'))
        choose_cpu_kernels(self.cfg.get('cpu_kernels', 'auto'))

    def build_optim_wrapper(self, optim_wrapper: OptimWrapper | dict) -> OptimWrapper:
        """Build the optimizer as mmengine does, in its fastest form on this device."""
        built = super().build_optim_wrapper(optim_wrapper)
        if hasattr(built, 'optimizer'):  # mmengine's OptimWrapperDict has none.
            use_one_pass(built.optimizer)
        return built

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a loader of whole batches: the data set gathers them, so there is nothing to collate."""
        if isinstance(dataloader, dict):
            dataloader = dict(dataloader, collate_fn=whole_batch)
        loader = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        data = loader.dataset
        if isinstance(data, GFSLDataset) and data.device is not None:
            device_of(data.device)  # A missing device is reported before anything is trained.
        if getattr(data, 'streams_to', None) is None:  # Your own data set need not have it.
            return loader
        return StreamingLoader(data, batch_sampler=loader.batch_sampler, collate_fn=loader.collate_fn)

    def write_checkpoint(self, path: str | os.PathLike[str], *, epoch: int, meta: dict) -> None:
        """Write weights, optimizer and schedulers on the main process; the others wait.

        Hooks that store something in checkpoints (``before_save_checkpoint``, e.g. of ``EMAHook``) are called.

        Args:
            path: File to write.
            epoch: Number of finished epochs.
            meta: Plain values to store with them.
        """
        checkpoint = dict(
            meta=dict(
                meta,
                format=TRAINING_FORMAT,
                avzoo_version=__version__,
                epoch=epoch,
                iter=self.iter,
                seed=self.seed,
                config=as_plain(self.cfg),
            ),
            state_dict={
                k: v.cpu() if isinstance(v, torch.Tensor) else v for k, v in self.plain_model.state_dict().items()
            },
            optimizer=self.optim_wrapper.state_dict(),
            param_schedulers=[_plain_state(s.state_dict()) for s in self.param_schedulers or []],
        )
        chosen = {k: v.clone() for k, v in checkpoint['state_dict'].items() if k in ('gamma', 'scale')}
        self.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        checkpoint['state_dict'].update(chosen)  # Not averaged: validation chose them.
        if is_main_process():
            save_checkpoint(path, checkpoint)
        barrier()

    def load_checkpoint(
        self, filename: str, map_location: str = 'cpu', strict: bool = True, revise_keys: list | None = None
    ) -> dict:
        """Load weights strictly; returns the checkpoint. The arguments after the first are mmengine's and unused."""
        checkpoint = load_checkpoint(filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_weights(self.plain_model, checkpoint['state_dict'], str(filename))
        self._has_loaded = True
        self.logger.info(f'Loaded {filename}')
        return checkpoint

    def load_optimizer(self, filename: str | os.PathLike[str]) -> None:
        """Load the optimizer's moments, but not its learning rate, from another phase's checkpoint."""
        state = load_checkpoint(filename).get('optimizer')
        if state is None:
            raise CheckpointError(f'{filename} {WITHOUT_OPTIMIZER}')
        load_optimizer_state(self.optim_wrapper, state, keep=('lr',))

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str = 'default',
    ) -> None:
        """Resume from a checkpoint of this phase as if it had never stopped."""
        checkpoint = self.load_checkpoint(filename)
        self.train_loop._epoch = checkpoint['meta']['epoch']
        self.train_loop._iter = checkpoint['meta']['iter']
        left = self.epoch < self.max_epochs
        if left and 'optimizer' not in checkpoint:
            raise CheckpointError(f'{filename} {WITHOUT_OPTIMIZER}')
        if resume_optimizer and left:
            self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
            load_optimizer_state(self.optim_wrapper, checkpoint['optimizer'])
        if resume_param_scheduler and self.param_schedulers is not None:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
            for scheduler, state in zip(self.param_schedulers, checkpoint['param_schedulers'], strict=True):
                scheduler.load_state_dict(state)
        self.logger.info(f'Resumed {filename} at epoch {self.epoch}')

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for distributed training; on a CPU without device ids, which gloo does not accept."""
        if self.distributed and model_wrapper_cfg is None and not torch.cuda.is_available():
            model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
        synced = any('SyncBatchNorm' in type(module).__name__ for module in model.modules())
        if not (self.distributed or synced or is_model_wrapper(model)):
            return model.to(get_device())  # mmengine would look for the package mmcv once for each module.
        return super().wrap_model(model_wrapper_cfg, model)


def _plain_state(state: dict[str, Any]) -> dict[str, Any]:
    """Return a scheduler's state as plain values; MultiStepLR keeps its milestones in a ``Counter``."""
    return {key: dict(value) if isinstance(value, Counter) else value for key, value in state.items()}
