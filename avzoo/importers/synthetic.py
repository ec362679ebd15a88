"""The built-in synthetic data set: small, generated in seconds, with the structure of UCF-FSL."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process

from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.splits import ZeroShotLists, draw_splits
from avzoo.protocol import AUDIO, NUM_DRAWS, SECONDS_PER_STEP, SHOTS, VISUAL

_SIGHTS = ('ball', 'water', 'wheel', 'hand', 'smoke', 'rope', 'blade', 'mirror')
_SOUNDS = ('hum', 'click', 'splash', 'whistle', 'thud', 'scrape', 'chirp', 'ring')
_VIDEOS = {'train': 40, 'seen': 6, 'test': 10, 'novel': 36}
_DIMS = {AUDIO: 64, VISUAL: 128}
_TEXT_DIM = 64


@dataclass(frozen=True)
class Recipe:
    """How difficult the data set is.

    Attributes:
        noise: Standard deviation of the noise on each step, where a motif has length 1 per dimension.
        style: Strength of the variation between videos that is independent of the class.
        silent: Share of steps of each modality that hold no motif.
        blank: Share of videos in which one modality, audio or visual, shows nothing of the class.
        text_noise: Standard deviation of the noise on the class vectors.
    """

    noise: float = 1.0
    style: float = 1.3
    silent: float = 0.2
    blank: float = 0.15
    text_noise: float = 0.3


def ensure_synth(cfg: Config) -> None:
    """Generate the data set at ``cfg.data_root`` if the config asks for it (``synthesize``) and it is missing.

    In distributed runs the main process generates it, and all processes wait.
    """
    if not cfg.get('synthesize'):
        return
    if is_main_process() and not Path(cfg.data_root).exists():
        make_synth(cfg.data_root)
    barrier()


def make_synth(
    out: str | os.PathLike[str],
    *,
    seed: int = 0,
    shots: tuple[int, ...] = SHOTS,
    draws: int = NUM_DRAWS,
    recipe: Recipe = Recipe(),
) -> None:
    """Write the data set as a feature store with its splits.

    A class is a sight that turns into another, with a sound that turns into another. Each class has a mirror class in
    which both happen in the opposite order, so that averages over time cannot tell the two apart; each pair of sights
    occurs with two pairs of sounds and vice versa, so that neither modality suffices. Novel classes are new
    combinations of the same sights and sounds. Class vectors name the sights and sounds in order, with noise.

    Args:
        out: Folder to write.
        seed: Seed of all random draws.
        shots: Which K-shot splits to cut.
        draws: Draws of the shots of stage 2.
        recipe: How difficult it is.
    """
    rng = np.random.default_rng(seed)
    classes = _draw_classes(rng)
    roles = np.repeat(['base', 'novel1', 'novel2'], [30, 12, 6])
    names = [f'{_SIGHTS[a]} then {_SIGHTS[b]}, {_SOUNDS[c]} then {_SOUNDS[d]}' for a, b, c, d in classes]
    order = np.argsort(names)
    modalities = {m: dict(dim=_DIMS[m], seconds_per_step=SECONDS_PER_STEP[m]) for m in _DIMS}
    world = {m: _World(rng, _DIMS[m], recipe) for m in _DIMS}
    lists: dict[str, dict[str, list[str]]] = {}
    with FeatureStoreWriter(
        out,
        name='synth_fsl',
        modalities=modalities,
        classes=[names[i] for i in order],
        dtype='float16',
        source=f'avzoo synth, seed {seed}',
    ) as writer:
        for i in order:
            for list_name, count in _counts(roles[i]):
                ids = [f'c{i:02}_{list_name}_{n:02}' for n in range(count)]
                lists.setdefault(list_name, {})[names[i]] = ids
                for video in ids:
                    writer.add(video, names[i], _video(rng, classes[i], world, recipe))
        writer.write_class_embeddings('word2vec', _class_vectors(rng, classes, recipe)[order])
        zero_shot = ZeroShotLists(Path(out), lists)
        for k in shots:
            writer.write_splits(k, draw_splits(zero_shot, k, draws, seed))
        writer.finish()


def _draw_classes(rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Return 48 classes (first sight, second sight, first sound, second sound), mirror classes side by side."""
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8)]
    sights = [pairs[i] for i in rng.permutation(len(pairs))[:12]]
    sounds = [pairs[i] for i in rng.permutation(len(pairs))[:12]]
    groups = [(*sights[i], *sounds[(i + shift) % 12]) for shift in range(2) for i in range(12)]
    groups = [groups[i] for i in rng.permutation(24)]
    flips = rng.random(24) < 0.5  # Whether a group's sounds have the opposite order of its sights.
    ordered = [(a, b, d, c) if flip else (a, b, c, d) for (a, b, c, d), flip in zip(groups, flips, strict=True)]
    return [c for a, b, c1, c2 in ordered for c in ((a, b, c1, c2), (b, a, c2, c1))]


def _counts(role: str) -> list[tuple[str, int]]:
    if role == 'base':
        return [
            ('stage_1_train', _VIDEOS['train']),
            ('stage_1_val_seen', _VIDEOS['seen']),
            ('stage_2_test_seen', _VIDEOS['test']),
        ]
    if role == 'novel1':
        return [('stage_1_val_unseen', _VIDEOS['novel']), ('stage_2_test_seen', _VIDEOS['test'])]
    return [('stage_2_test_unseen', _VIDEOS['novel'])]


class _World:
    """Render motifs of one modality as features."""

    def __init__(self, rng: np.random.Generator, dim: int, recipe: Recipe) -> None:
        self.motifs = rng.normal(size=(8, dim))
        self.styles = rng.normal(size=(6, dim)) * recipe.style
        self.mix = rng.normal(size=(dim, dim)) / np.sqrt(dim)
        self.noise = recipe.noise

    def render(self, rng: np.random.Generator, motifs: np.ndarray) -> np.ndarray:
        """Return features (T, D) of the motifs (T,) of one video; -1 stands for none."""
        x = np.where(motifs[:, None] < 0, 0.0, self.motifs[motifs])
        x = x + rng.normal(size=len(self.styles)) @ self.styles
        x = x + rng.normal(size=x.shape) * self.noise
        return np.tanh(x @ self.mix).astype(np.float32)


def _video(
    rng: np.random.Generator, cls: tuple[int, int, int, int], world: dict[str, _World], recipe: Recipe
) -> dict[str, np.ndarray]:
    seconds = rng.uniform(1.9, 3.9)
    turn = rng.uniform(0.35, 0.65)
    blank = rng.choice(list(world)) if rng.random() < recipe.blank else None
    features = {}
    for modality, (first, second) in ((AUDIO, cls[2:]), (VISUAL, cls[:2])):
        steps = max(2, round(seconds / SECONDS_PER_STEP[modality]))
        motifs = np.where((np.arange(steps) + 0.5) / steps < turn, first, second)
        hidden = np.ones(steps, dtype=bool) if modality == blank else rng.random(steps) < recipe.silent
        features[modality] = world[modality].render(rng, np.where(hidden, -1, motifs))
    return features


def _class_vectors(rng: np.random.Generator, classes: list[tuple[int, int, int, int]], recipe: Recipe) -> np.ndarray:
    words = rng.normal(size=(4, 8, _TEXT_DIM))  # A word for each motif in each of the four places.
    vectors = np.stack([sum(words[place, motif] for place, motif in enumerate(cls)) for cls in classes])
    vectors += rng.normal(size=vectors.shape) * recipe.text_noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
