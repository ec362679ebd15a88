"""Draw a page's flowcharts as SVG: mermaid would be 3 MB of script, by default from another host."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from textwrap import wrap

_ARROW = re.compile(r'\s+(?:-->|--\s(.+?)\s-->|-\.\s(.+?)\s\.->)\s+')
_NODE = re.compile(r'(\w+)(?:\[(\(?)"?(.+?)"?\)?\])?$')
_LINE, _CHARACTER, _GAP = 17, 7.2, 34  # Height of a line, width of a character, space between columns: in pixels.
_HEAD = (
    '<div class="flowchart"><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
    'width="{width:.0f}" role="img"><defs><marker id="flow-arrow" viewBox="0 0 10 10" refX="9" refY="5" '
    'markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z"/></marker></defs>'
)


@dataclass
class Node:
    """A box, or a bend of an arrow that passes a column.

    Args:
        text: What it says; nothing in a bend.
        is_store: Whether it is data that are kept.
    """

    text: str = ''
    is_store: bool = False
    column: int = 0
    x: float = 0.0
    y: float = 0.0
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = wrap(self.text, 16)

    @property
    def width(self) -> float:
        return max(len(line) for line in self.lines) * _CHARACTER + 20 if self.lines else 0.0

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 14.0 if self.lines else 0.0


@dataclass
class Edge:
    """An arrow from box to box, by way of its bends."""

    path: list[Node]
    label: list[str]
    dashed: bool


def draw(text: str) -> str:
    """Return a flowchart that runs from left to right, written for mermaid, as HTML."""
    nodes, edges = parse(text)
    place_columns(nodes, edges)
    columns = place_rows(nodes, edges)
    place(columns, edges)
    return _svg(nodes, edges)


def parse(text: str) -> tuple[list[Node], list[Edge]]:
    """Return the boxes and arrows of a flowchart."""
    nodes: dict[str, Node] = {}
    edges = []
    for line in text.strip().splitlines()[1:]:
        name, *rest = _ARROW.split(line.strip())
        last = _node(name, nodes)
        for label, dashed, name in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            this = _node(name, nodes)
            edges.append(Edge([last, this], wrap(label or dashed or '', 16), bool(dashed)))
            last = this
    return list(nodes.values()), edges


def _node(text: str, nodes: dict[str, Node]) -> Node:
    name, round_, label = _NODE.match(text).groups()
    if label or name not in nodes:
        node = nodes.setdefault(name, Node())
        node.__init__(label or name, bool(round_))
    return nodes[name]


def place_columns(nodes: list[Node], edges: list[Edge]) -> None:
    """Put each box as far right as what follows it allows."""
    for _ in nodes:
        for edge in edges:
            first, last = edge.path
            last.column = max(last.column, first.column + 1)
    for _ in nodes:
        for node in nodes:
            following = [edge.path[1].column for edge in edges if edge.path[0] is node]
            node.column = min(following) - 1 if following else node.column


def place_rows(nodes: list[Node], edges: list[Edge]) -> list[list[Node]]:
    """Return the columns, in which each box and bend stands near what it is joined to."""
    columns: list[list[Node]] = [[] for _ in range(1 + max(node.column for node in nodes))]
    for node in nodes:
        columns[node.column].append(node)
    for edge in edges:
        first, last = edge.path
        bends = [Node() for _ in range(first.column + 1, last.column)]
        for bend, column in zip(bends, columns[first.column + 1 :], strict=False):
            column.append(bend)
        edge.path = [first, *bends, last]
    for sweep in range(6):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            _spread(column)
            column.sort(key=lambda node: _wanted(node, edges, before=sweep % 2 == 0))
            _spread(column)
    return columns


def _spread(column: list[Node]) -> None:
    """Give the members of a column their heights around its middle."""
    room = [max(node.height, 12.0) + 22 for node in column]
    y = -sum(room) / 2
    for node, height in zip(column, room, strict=True):
        node.y = y + height / 2
        y += height


def _wanted(node: Node, edges: list[Edge], *, before: bool) -> float:
    pairs = [pair for edge in edges for pair in zip(edge.path, edge.path[1:], strict=False)]
    joined = [a.y if before else b.y for a, b in pairs if (b if before else a) is node]
    return sum(joined) / len(joined) if joined else node.y


def place(columns: list[list[Node]], edges: list[Edge]) -> None:
    """Give each column its place, with room for what is written on the arrows after it."""
    x = 8.0
    for i, column in enumerate(columns):
        width = max(node.width for node in column)
        for node in column:
            node.x = x + width / 2
        labels = [line for edge in edges if edge.path[0].column == i for line in edge.label]
        x += width + _GAP + max((len(line) * _CHARACTER for line in labels), default=0.0)


def _svg(nodes: list[Node], edges: list[Edge]) -> str:
    everything = [*nodes, *(node for edge in edges for node in edge.path)]
    top = min(node.y - node.height / 2 for node in everything) - 24
    height = max(node.y + node.height / 2 for node in everything) + 24 - top
    for node in {id(node): node for node in everything}.values():
        node.y -= top
    width = max(node.x + node.width / 2 for node in nodes) + 8
    parts = [*(part for edge in edges for part in _arrow(edge)), *(part for node in nodes for part in _box(node))]
    return _HEAD.format(width=width, height=height) + ''.join(parts) + '</svg></div>'


def _arrow(edge: Edge) -> Iterator[str]:
    first = edge.path[0]
    x, y = first.x + first.width / 2, first.y
    path = f'M{x:.0f} {y:.0f}'
    for node in edge.path[1:]:
        end = node.x - node.width / 2
        middle = (x + end) / 2
        path += f'C{middle:.0f} {y:.0f} {middle:.0f} {node.y:.0f} {end:.0f} {node.y:.0f}'
        x, y = end, node.y
    dash = ' stroke-dasharray="5 4"' if edge.dashed else ''
    yield f'<path class="arrow" d="{path}"{dash} marker-end="url(#flow-arrow)"/>'
    if edge.label:
        second = edge.path[1]
        middle = (first.x + first.width / 2 + second.x - second.width / 2) / 2
        yield _lines(edge.label, middle, (first.y + second.y) / 2, 'label')


def _box(node: Node) -> Iterator[str]:
    kind, radius = ('store', node.height / 2) if node.is_store else ('box', 6)
    left, top = node.x - node.width / 2, node.y - node.height / 2
    size = f'width="{node.width:.0f}" height="{node.height:.0f}" rx="{radius:.0f}"'
    yield f'<rect class="{kind}" x="{left:.0f}" y="{top:.0f}" {size}/>'
    yield _lines(node.lines, node.x, node.y, 'name')


def _lines(lines: list[str], x: float, y: float, kind: str) -> str:
    first = y - (len(lines) - 1) * _LINE / 2 + 4.5
    spans = (f'<tspan x="{x:.0f}" y="{first + i * _LINE:.0f}">{escape(line)}</tspan>' for i, line in enumerate(lines))
    return f'<text class="{kind}">{"".join(spans)}</text>'
