"""Detect that a store is no longer the one that a run was started with."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from avzoo.checkpoints.meta import feature_set_of
from avzoo.checkpoints.training import load_checkpoint
from avzoo.datasets.feature_set import FeatureSet, compare_feature_sets
from avzoo.datasets.store_files import read_meta, verify_checksums, verify_file, verify_tables
from avzoo.utils.errors import CheckpointError, DataError
from avzoo.utils.files import atomic_write_text, sha256_of
from avzoo.utils.regular_files import read_kept

FILE_NAME = 'store_files.json'

_Stamp = list[int]  # The size and times of a file.


class StoreWatch:
    """Compare a store with its ``store.json``, and that with the one at the start of the run.

    The first check reads everything. Later ones read tables, lists and class vectors, which are small, but only the
    sizes and times of arrays, which are kept in ``store_files.json`` of the work directory; an array is read again if
    these differ. So a store may be moved or copied, and a check of 100,000 videos takes a fraction of a second.

    Args:
        root: The store.
        work_dir: Folder of the run.
        num_shots: K of the lists that the run reads.
    """

    def __init__(self, root: str | os.PathLike[str], work_dir: Path, num_shots: int) -> None:
        self.root, self.work_dir, self.num_shots = Path(root), work_dir, num_shots
        self._read = read_kept(work_dir / FILE_NAME)  # Without it, everything is read again.

    @property
    def feature_set(self) -> FeatureSet:
        """What the store records about its features."""
        return FeatureSet(str(self.root), read_meta(self.root).get('features', {}))

    def check(self, begun_with: str, *, keep: bool = True) -> str:
        """Return the SHA-256 of ``store.json``.

        Each process reads the lists that it trains on. The main process compares the arrays.

        Args:
            begun_with: The value at the start of the run; empty at the start.
            keep: Store sizes and times of the arrays in the work directory; not for a run that may still be refused.

        Raises:
            DataError: If something changed; the error names the file.
        """
        meta, found = read_meta(self.root), sha256_of(self.root / 'store.json')
        if begun_with and found != begun_with:
            self._refuse_other_features()
            raise DataError(
                f'{self.root / "store.json"} is not the one that {self.work_dir} was started with (SHA-256 '
                f'{begun_with[:16]}... then, {found[:16]}... now): {self.root} is not the store of this run, or its '
                'data or splits were rewritten. Restore it, or choose another --work-dir.'
            )
        if is_main_process() and not begun_with:
            before = self._stamps(meta)  # First: a file that changes while it is read has another stamp afterwards.
            verify_checksums(self.root, meta)
            self._read = before
        else:
            verify_tables(self.root, meta, self.num_shots)
        if is_main_process():
            self._check_arrays(meta, keep)
        return found

    def _refuse_other_features(self) -> None:
        """Refuse a store whose recorded features are not those that the run was trained on."""
        for path in sorted(self.work_dir.glob('stage*/last.pth'))[:1]:
            with suppress(CheckpointError):  # A damaged checkpoint says nothing.
                trained = feature_set_of(load_checkpoint(path)['meta'], path)
                compare_feature_sets(trained, self.feature_set, trained.texts)

    def _check_arrays(self, meta: dict[str, Any], keep: bool) -> None:
        stamps, digests = self._stamps(meta), {e['file']: e['sha256'] for e in meta['modalities'].values()}
        for name, stamp in stamps.items():
            if stamp != self._read.get(name):
                verify_file(self.root, name, digests[name])
        self._read, path = stamps, self.work_dir / FILE_NAME
        if keep and self.work_dir.is_dir() and read_kept(path) != stamps:
            atomic_write_text(path, json.dumps(stamps, indent=2) + '\n')

    def _stamps(self, meta: dict[str, Any]) -> dict[str, _Stamp]:
        found = {}
        for entry in meta['modalities'].values():
            path = self.root / entry['file']
            if path.is_file():  # If not, reading it reports this.
                status = path.stat()
                # Programs that preserve the modification time cannot preserve the time of the last change.
                found[entry['file']] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
            else:
                found[entry['file']] = []
        return found
