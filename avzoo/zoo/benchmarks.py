"""Facts about each data set that are known without its features, and where its authors released them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from avzoo.protocol import SECONDS_PER_STEP

_AUTHORS = 'https://mlcloud.uni-tuebingen.de:7443/akata0/omercea19/av-diff'
# The authors publish neither checksums nor sizes. The checksum of the first download is recorded; later ones must
# match.
RELEASED_MODELS = (f'{_AUTHORS}/models.zip',)


@dataclass(frozen=True)
class Benchmark:
    """A data set of the zoo.

    Attributes:
        key: Its part of config names, e.g. ``ucf``.
        title: Its name in the metafiles.
        feature_dims: {modality: width}.
        num_classes: Number of classes in stage 2, base and novel.
        embedding_dim: Width of the class vectors.
        urls: Addresses of its released features, a zip; empty for the data set that avzoo generates locally.
    """

    key: str
    title: str
    feature_dims: Mapping[str, int]
    num_classes: int
    embedding_dim: int
    urls: tuple[str, ...] = ()

    @property
    def store_name(self) -> str:
        """Name of the feature store, e.g. ``ucf_fsl``."""
        return f'{self.key}_fsl'

    @property
    def data_info(self) -> dict[str, Any]:
        """What the data determines in a model of stage 2, as in ``GFSLDataset.data_info``."""
        return dict(
            feature_dims=dict(self.feature_dims),
            seconds_per_step=dict(SECONDS_PER_STEP),
            num_classes=self.num_classes,
            embedding_dim=self.embedding_dim,
        )


_C3D = dict(audio=128, visual=4096)
BENCHMARKS = {
    benchmark.key: benchmark
    for benchmark in (
        Benchmark('vgg', 'VGGSound-FSL', _C3D, 271, 300, (f'{_AUTHORS}/VGGSound.zip',)),
        Benchmark('ucf', 'UCF-FSL', _C3D, 48, 300, (f'{_AUTHORS}/UCF.zip',)),
        Benchmark('activitynet', 'ActivityNet-FSL', _C3D, 198, 300, (f'{_AUTHORS}/ActivityNet.zip',)),
        Benchmark('synth', 'synth', dict(audio=64, visual=128), 48, 64),
    )
}


def find_benchmark(name: str) -> Benchmark | None:
    """Return the benchmark with a key, a title or a store name, ignoring case; ``None`` if there is none."""
    wanted = name.lower()
    for benchmark in BENCHMARKS.values():
        if wanted in (benchmark.key, benchmark.title.lower(), benchmark.store_name):
            return benchmark
    return None
