"""The plots of a run that need its model: real and synthetic features, and attention."""

import os
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from avzoo.evaluation.attention_shares import KINDS, AttentionShares, attends, attention_shares
from avzoo.evaluation.feature_samples import REAL, SHOT, SYNTHETIC, FeatureSamples, feature_samples
from avzoo.evaluation.projections import Projection, project
from avzoo.report.figures import BASE, COLOURS, NOVEL, PLAIN, Picture, Table, legend_label, new_figure, styled
from avzoo.report.section import Section, rounded
from avzoo.report.trained_draw import open_draw
from avzoo.utils.counts import number_of
from avzoo.utils.printable import printable

_TITLES = dict(pca='principal components', tsne='t-SNE')
_FIRST_NOVEL = 8  # Novel classes that get their own colour.


def model_section(folder: Path, draw: int, data_root: str | os.PathLike[str] | None = None) -> Section:
    """Return the section that needs the model of a draw.

    Args:
        folder: The run; its ``config.py`` is executed, as with ``--resume``.
        draw: Which draw.
        data_root: The store, if it was moved.

    Raises:
        AvzooError: If the run or its store is missing, or they do not match.
    """
    opened = open_draw(folder, draw, data_root=data_root)
    samples = feature_samples(opened.model, opened.test, opened.shots)
    section = Section(f'Inside the model of draw {draw}')
    section.pictures += [embedding_picture(project(samples, method), method, draw) for method in ('pca', 'tsne')]
    if samples.by_class:
        section.tables['Synthetic against real features'] = distances_table(samples)
    else:
        section.text.append('The model has no generator, so there are no synthetic features.')
    if attends(opened.model.fusion):
        section.pictures.append(attention_picture(attention_shares(opened.model, opened.test), draw))
    else:
        section.text.append('Its fusion has no attention between kinds of tokens.')
    return section


def distances_table(samples: FeatureSamples) -> Table:
    """Return how far the synthetic features of each class are from the real ones."""
    header = ('class', 'kind', 'test videos', 'squared distance of means', 'spread, synthetic', 'spread, real')
    base = dict(zip(samples.labels.tolist(), samples.base.tolist(), strict=True))
    table = Table(header, [])
    for row in samples.by_class:
        numbers = (rounded(value, 4) for value in (row.distance, row.spread, row.real_spread))
        kind = 'base' if base[row.column] else 'novel'
        table.rows.append((printable(samples.classes[row.column]), kind, row.num_real, *numbers))
    return table


@styled
def embedding_picture(projection: Projection, method: str, draw: int) -> Picture:
    """Draw real and synthetic features in two dimensions."""
    samples = projection.samples
    figure, (left, right) = new_figure(9.6, 4.4, columns=2)
    rows = zip(samples.kinds, samples.labels, samples.base, projection.xy, strict=True)
    picture = Picture(
        f'embedding_{method}_draw{draw}',
        f'Real and synthetic features, {_TITLES[method]}',
        f'{projection.text} Left: base and novel classes. Right: novel classes, with real features as dots, '
        'synthetic ones as crosses, and shots as stars. If the synthetic features of a class lie apart from its real '
        'ones, the classifier learns something other than the class from them.',
        figure,
        Table(
            ('kind', 'class', 'base', 'x', 'y'),
            [(str(kind), samples.classes[label], bool(base), float(x), float(y)) for kind, label, base, (x, y) in rows],
        ),
    )
    _draw_base_and_novel(left, projection)
    _draw_novel_classes(picture, right, projection)
    for panel in (left, right):
        panel.set(xlabel=projection.axes[0], ylabel=projection.axes[1])
        if not any(projection.axes):
            panel.set(xticks=[], yticks=[])
        panel.legend(fontsize=6.5, loc='best', markerscale=1.5)
    return picture


def _draw_base_and_novel(panel: Axes, projection: Projection) -> None:
    samples = projection.samples
    for name, mask, colour, size in (
        ('base, real', samples.base & (samples.kinds == REAL), BASE, 5),
        ('novel, real', ~samples.base & (samples.kinds == REAL), NOVEL, 7),
        ('synthetic', samples.kinds == SYNTHETIC, PLAIN, 3),
    ):
        if mask.any():
            x, y = projection.xy[mask].T
            panel.scatter(x, y, s=size, color=colour, label=name, alpha=0.6, lw=0, rasterized=True)
    panel.set_title('base and novel')


def _draw_novel_classes(picture: Picture, panel: Axes, projection: Projection) -> None:
    samples = projection.samples
    distances = {row.column: f'; squared distance of the means {row.distance:.3g}' for row in samples.by_class}
    novel = np.unique(samples.labels[~samples.base])
    for colour, column in zip(COLOURS, novel[:_FIRST_NOVEL], strict=False):
        for kind, marker, size in ((REAL, 'o', 8), (SYNTHETIC, 'x', 12), (SHOT, '*', 60)):
            rows = projection.xy[(samples.labels == column) & (samples.kinds == kind) & ~samples.base]
            if not len(rows):
                continue
            label = legend_label(samples.classes[column]) if kind == REAL else None
            x, y = rows.T
            points = panel.scatter(x, y, s=size, marker=marker, color=colour, alpha=0.75, lw=0.7, label=label)
            picture.tip(points, f'{samples.classes[column]}, {kind}{distances.get(int(column), "")}')
    panel.set_title(f'novel classes{f", the first {_FIRST_NOVEL}" if len(novel) > _FIRST_NOVEL else ""}')


@styled
def attention_picture(found: AttentionShares, draw: int) -> Picture:
    """Draw which kind of token attends to which, by layer, and which part of a video the summary attends to."""
    figure, panels = new_figure(9.6, 3.0, columns=4)
    picture = Picture(
        f'attention_draw{draw}',
        'Where attention goes',
        f'Means over heads and {number_of(found.num_videos, "test video")}. First three: shares of the attention of '
        'each kind of token by layer; dashed lines show even attention over all allowed tokens. Last: which part of a '
        'video the summary token attends to, over all layers. A layer without such tokens has no value.',
        figure,
        Table(
            ('layer', 'from', 'to', 'share', 'even'),
            [
                (layer, KINDS[query], KINDS[key], float(share), float(found.even[layer, query, key]))
                for (layer, query, key), share in np.ndenumerate(found.shares)
            ],
        ),
    )
    for query, panel in enumerate(panels[: len(KINDS)]):
        _draw_shares(picture, panel, found, query)
    panels[0].set_ylabel('share, per cent')
    panels[0].legend(fontsize=7)
    _draw_over_time(picture, panels[-1], found)
    return picture


def _draw_shares(picture: Picture, panel: Axes, found: AttentionShares, query: int) -> None:
    layers = np.arange(1, len(found.shares) + 1)
    for key, (gives, colour) in enumerate(zip(KINDS, (PLAIN, BASE, NOVEL), strict=True)):
        shares = 100 * found.shares[:, query, key]
        (line,) = panel.plot(layers, shares, 'o-', ms=3, color=colour, label=f'to {gives}')
        picture.tip(line, f'{KINDS[query]} to {gives}: {_numbers(shares)} per cent')
        panel.plot(layers, 100 * found.even[:, query, key], '--', lw=0.8, color=colour)
    panel.set(title=f'from {KINDS[query]} tokens', xlabel='layer', ylim=(-2, 102), xlim=(0.8, len(layers) + 0.2))
    panel.set_xticks(layers)


def _draw_over_time(picture: Picture, panel: Axes, found: AttentionShares) -> None:
    bins = found.over_time.shape[-1]
    for index, (modality, colour) in enumerate(zip(KINDS[1:], (BASE, NOVEL), strict=True)):
        known = found.over_time[:, index][~np.isnan(found.over_time[:, index]).any(1)]
        if len(known):
            mean = 100 * known.mean(0)
            (line,) = panel.plot((np.arange(bins) + 0.5) / bins, mean, '.-', color=colour, label=modality)
            picture.tip(line, f'summary to {modality}, from start to end: {_numbers(mean)} per cent')
    panel.set(title='from summary, over time', xlabel='part of the video', ylim=(0, None))
    if panel.lines:
        panel.legend(fontsize=7)


def _numbers(values: np.ndarray) -> str:
    return ', '.join(f'{value:.1f}' for value in values)
