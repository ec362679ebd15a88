"""Where the results of a run come from: versions, command, time, machine and digests."""

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import torch
from mmengine.device import get_device
from mmengine.dist import get_world_size

import avzoo
from avzoo.models.kernels.cpu_kernels import cpu_name, kernels_in_use
from avzoo.version import __version__

_GIT = ('git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*')
_PATHS = ('data_root',)  # The digest of the store says more, and the path may be private.


def provenance(*, started: datetime, settings: Mapping[str, Any], store: Mapping[str, Any], sha256: str) -> dict:
    """Describe the process that computes results, and its inputs.

    Nothing from the environment is recorded, and no paths except those in the command line.

    Args:
        started: When the process started the run.
        settings: The settings that determine the results.
        store: The content of the store's ``store.json``.
        sha256: SHA-256 of that file.
    """
    ended = datetime.now(timezone.utc)
    return dict(
        versions=_versions(),
        commit=_commit(),
        command=_command(),
        started=_stamp(started),
        ended=_stamp(ended),
        seconds=round((ended - started).total_seconds(), 1),
        device=_device(),
        **({'cpu_kernels': kernels_in_use()} if get_device() == 'cpu' else {}),
        processes=get_world_size(),
        store=dict(
            name=store.get('name'),
            sha256=sha256,
            features=store.get('features') or {},
            class_vectors=_class_vectors(store.get('class_embeddings') or {}),
        ),
        config_sha256=settings_sha256(settings),
    )


def settings_sha256(settings: Mapping[str, Any]) -> str:
    """Return a digest of settings as JSON, without the path of the data."""
    kept = {key: value for key, value in settings.items() if key not in _PATHS}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


def environment() -> dict[str, str]:
    """Return versions, system and device, for logs."""
    system = f'{platform.system()} {platform.release()} {platform.machine()}'  # platform.platform() starts a process.
    return dict(_versions(), cuda=str(torch.version.cuda), system=system, device=_device())


def _versions() -> dict[str, str]:
    python = platform.python_version()
    return dict(
        avzoo=__version__, torch=torch.__version__, numpy=np.__version__, mmengine=mmengine.__version__, python=python
    )


def _commit() -> str | None:
    """Return the commit of the checkout that avzoo is run from, with ``-dirty`` if files were changed."""
    root = Path(avzoo.__file__).parents[1]
    if not (root / '.git').exists():  # Installed; git would find any repository around the environment.
        return None
    env = dict(os.environ, GIT_OPTIONAL_LOCKS='0')
    try:
        done = subprocess.run(_GIT, cwd=root, env=env, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _command() -> str:
    """Return the command line, without the folder of a program that was found by its name."""
    program, *arguments = sys.argv or ['']
    return shlex.join([Path(program).name if os.path.isabs(program) else program, *arguments])


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec='seconds').replace('+00:00', 'Z')


def _device() -> str:
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return cpu_name()


def _class_vectors(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the digest of each kind of class vectors and, if recorded, what made them."""
    return {
        name: {key: entry[key] for key in ('source', 'sha256') if entry.get(key)} for name, entry in entries.items()
    }
