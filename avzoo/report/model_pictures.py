"""The pictures of a run that need its model: where real and synthetic features lie, what it attends to."""

import os
from pathlib import Path

import numpy as np

from avzoo.engine.curriculum.pictures import TrainedDraw, draw_attention, draw_features, open_draw
from avzoo.evaluation.attention_shares import KINDS, AttentionShares
from avzoo.evaluation.feature_samples import REAL, SHOT, SYNTHETIC, FeatureSamples
from avzoo.report.figures import BASE, COLOURS, NOVEL, PLAIN, Picture, Table, new_figure, styled
from avzoo.utils.errors import ConfigError
from avzoo.utils.printable import printable

_FIRST_NOVEL = 8  # Novel classes that get a colour of their own.


def model_pictures(folder: Path, draw: int, data_root: str | os.PathLike[str] | None = None) -> list[Picture]:
    """Draw everything that needs the model of a draw.

    Args:
        folder: The run; its ``config.py`` is run, as ``--resume`` does.
        draw: Which draw.
        data_root: The store, where it has moved.

    Raises:
        AvzooError: If the run or its store is not there, or they do not fit.
    """
    opened = open_draw(folder, draw, data_root=data_root)
    return [embedding_picture(draw_features(opened)), *attention_pictures(opened)]


def attention_pictures(opened: TrainedDraw) -> list[Picture]:
    """Draw where the attention of a model goes; nothing where its fusion has none."""
    try:
        return [attention_picture(draw_attention(opened))]
    except ConfigError:
        return []


@styled
def embedding_picture(samples: FeatureSamples) -> Picture:
    """Draw real and synthetic features along the two principal components of the real ones."""
    figure, panels = new_figure(9.6, 4.4, columns=2)
    by_class = {row.column: row for row in samples.by_class}
    picture = Picture(
        'embedding',
        'Real and synthetic features',
        'Principal components of the real features of test videos. Left base and novel classes; right the novel ones '
        'by class: dots are real, crosses synthetic, stars the shots. Where the synthetic features of a class lie '
        'apart from its real ones, the generator teaches something else than the class. The data has all points.',
        figure,
        Table(('kind', 'class', 'base', 'x', 'y'), []),
    )
    for kind, label, base, (x, y) in zip(samples.kinds, samples.labels, samples.base, samples.xy, strict=True):
        picture.data.rows.append((str(kind), samples.classes[label], bool(base), float(x), float(y)))
    left, right = panels
    for name, mask, colour, size in (
        ('base, real', samples.base & (samples.kinds == REAL), BASE, 5),
        ('novel, real', ~samples.base & (samples.kinds == REAL), NOVEL, 7),
        ('synthetic', samples.kinds == SYNTHETIC, PLAIN, 3),
    ):
        if mask.any():
            left.scatter(
                samples.xy[mask, 0],
                samples.xy[mask, 1],
                s=size,
                color=colour,
                label=name,
                alpha=0.6,
                lw=0,
                rasterized=True,
            )
    novel = np.unique(samples.labels[~samples.base])
    for colour, column in zip(COLOURS, novel[:_FIRST_NOVEL], strict=False):
        for kind, marker, size in ((REAL, 'o', 8), (SYNTHETIC, 'x', 12), (SHOT, '*', 60)):
            rows = samples.xy[(samples.labels == column) & (samples.kinds == kind) & ~samples.base]
            if not len(rows):
                continue
            label = printable(samples.classes[column]) if kind == REAL else None
            points = right.scatter(
                rows[:, 0], rows[:, 1], s=size, marker=marker, color=colour, alpha=0.75, lw=0.7, label=label
            )
            told = by_class.get(int(column))
            beside = f'; squared distance of the means {told.distance:.3g}' if told else ''
            picture.tip(points, f'{samples.classes[column]}, {kind}{beside}')
    shares = [f'{100 * share:.0f} %' for share in samples.explained]
    for panel in panels:
        panel.set(xlabel=f'first component ({shares[0]})', ylabel=f'second component ({shares[1]})')
        panel.legend(fontsize=6.5, loc='best')
    left.set_title('base and novel')
    right.set_title(f'novel classes{f", the first {_FIRST_NOVEL}" if len(novel) > _FIRST_NOVEL else ""}')
    return picture


@styled
def attention_picture(found: AttentionShares) -> Picture:
    """Draw which kind of token attends to which, by layer, and to which part of a video the summary attends."""
    layers = len(found.shares)
    figure, panels = new_figure(9.6, 3.4, columns=3)
    picture = Picture(
        'attention',
        'Where attention goes',
        f'Means over heads and {found.num_videos} test videos. Left and middle: shares of the attention of a kind of '
        'token by layer; dashed is what even attention over all allowed tokens would give. Right: which part of a '
        'video the summary token attends to, over all layers. A layer without such tokens has no value.',
        figure,
        Table(('layer', 'from', 'to', 'share', 'even'), []),
    )
    for layer in range(layers):
        for query, asks in enumerate(KINDS):
            for key, gives in enumerate(KINDS):
                pair = found.shares[layer, query, key], found.even[layer, query, key]
                picture.data.rows.append((layer, asks, gives, *(float(value) for value in pair)))
    axis = np.arange(1, layers + 1)
    for panel, query in zip(panels, (0, 1), strict=False):
        for key, gives in enumerate(KINDS):
            colour = (PLAIN, BASE, NOVEL)[key]
            (line,) = panel.plot(axis, 100 * found.shares[:, query, key], 'o-', ms=3, color=colour, label=f'to {gives}')
            picture.tip(line, f'{KINDS[query]} to {gives}: {_numbers(100 * found.shares[:, query, key])} per cent')
            panel.plot(axis, 100 * found.even[:, query, key], '--', lw=0.8, color=colour)
        panel.set(title=f'from {KINDS[query]} tokens', xlabel='layer', ylabel='share, per cent', ylim=(-2, 102))
        panel.set_xticks(axis)
        panel.legend(fontsize=7)
    bins = found.over_time.shape[-1]
    for index, modality in enumerate(KINDS[1:]):
        known = found.over_time[:, index][~np.isnan(found.over_time[:, index]).any(1)]
        if len(known):
            mean, colour = 100 * known.mean(0), (BASE, NOVEL)[index]
            (line,) = panels[2].plot((np.arange(bins) + 0.5) / bins, mean, '.-', color=colour, label=modality)
            picture.tip(line, f'summary to {modality}, from beginning to end: {_numbers(mean)} per cent')
    panels[2].set(
        title='from the summary, over time', xlabel='part of the video', ylabel='share, per cent', ylim=(0, None)
    )
    if panels[2].lines:
        panels[2].legend(fontsize=7)
    return picture


def _numbers(values: np.ndarray) -> str:
    return ', '.join(f'{value:.1f}' for value in values)
