"""Draw a page's flowcharts as SVG: mermaid would be 3 MB of script, by default from another host."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from textwrap import wrap

_ARROW = re.compile(r'\s+(?:-->|--\s(.+?)\s-->|-\.\s(.+?)\s\.->)\s+')
_NODE = re.compile(r'(\w+)(?:\[(\(?)"?(.+?)"?\)?\])?$')
_LINE, _CHARACTER, _GAP = 17, 7.2, 30  # Height of a line, width of a character, space between rows: in pixels.
_HEAD = (
    '<div class="flowchart"><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
    'width="{width:.0f}" role="img"><defs><marker id="flow-arrow" viewBox="0 0 10 10" refX="9" refY="5" '
    'markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z"/></marker></defs>'
)


@dataclass
class Node:
    """A box, or a bend of an arrow that passes a row.

    Args:
        text: What it says; nothing in a bend.
        is_store: Whether it is data that are kept.
        row: Its place from the top.
        x: Its middle.
        y: Its middle.
    """

    text: str = ''
    is_store: bool = False
    row: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def lines(self) -> list[str]:
        return wrap(self.text, 18)

    @property
    def width(self) -> float:
        return max(len(line) for line in self.lines) * _CHARACTER + 20 if self.text else 0.0

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 14.0 if self.text else 0.0


@dataclass
class Edge:
    """An arrow from box to box, by way of its bends."""

    path: list[Node]
    label: list[str]
    dashed: bool


def draw(text: str) -> str:
    """Return a flowchart that is written for mermaid as HTML, from top to bottom, so that it fits a phone."""
    nodes, edges = parse(text)
    place_rows(nodes, edges)
    rows = place_within_rows(nodes, edges)
    place(rows, edges)
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
    node = nodes.setdefault(name, Node(name))
    if label:
        node.text, node.is_store = label, bool(round_)
    return node


def place_rows(nodes: list[Node], edges: list[Edge]) -> None:
    """Put each box as far down as what follows it allows."""
    for _ in nodes:
        for edge in edges:
            first, last = edge.path
            last.row = max(last.row, first.row + 1)
    for _ in nodes:
        for node in nodes:
            following = [edge.path[1].row for edge in edges if edge.path[0] is node]
            node.row = min(following) - 1 if following else node.row


def place_within_rows(nodes: list[Node], edges: list[Edge]) -> list[list[Node]]:
    """Return the rows, in which each box and bend stands near what it is joined to."""
    rows: list[list[Node]] = [[] for _ in range(1 + max(node.row for node in nodes))]
    for node in nodes:
        rows[node.row].append(node)
    for edge in edges:
        first, last = edge.path
        bends = [Node(row=row) for row in range(first.row + 1, last.row)]
        for bend in bends:
            rows[bend.row].append(bend)
        edge.path = [first, *bends, last]
    for sweep in range(6):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            _spread(row)
            row.sort(key=lambda node: _wanted(node, edges, before=sweep % 2 == 0))
            _spread(row)
    return rows


def _spread(row: list[Node]) -> None:
    """Give the members of a row their places around its middle."""
    room = [max(node.width, 12.0) + 40 for node in row]
    x = -sum(room) / 2
    for node, width in zip(row, room, strict=True):
        node.x = x + width / 2
        x += width


def _wanted(node: Node, edges: list[Edge], *, before: bool) -> float:
    pairs = [pair for edge in edges for pair in zip(edge.path, edge.path[1:], strict=False)]
    joined = [a.x if before else b.x for a, b in pairs if (b if before else a) is node]
    return sum(joined) / len(joined) if joined else node.x


def place(rows: list[list[Node]], edges: list[Edge]) -> None:
    """Give each row its place, with room for what is written on the arrows after it."""
    y = 8.0
    for i, row in enumerate(rows):
        height = max(node.height for node in row)
        for node in row:
            node.y = y + height / 2
        y += height + _GAP + max((len(edge.label) * _LINE for edge in edges if edge.path[0].row == i), default=0)


def _svg(nodes: list[Node], edges: list[Edge]) -> str:
    everything = {id(node): node for node in [*nodes, *(node for edge in edges for node in edge.path)]}.values()
    # What is written on an arrow may stand beside the boxes.
    room = max((len(line) * _CHARACTER for edge in edges for line in edge.label), default=0.0)
    left = min(min(node.x - max(node.width / 2, room) for node in everything), 0.0) - 8
    for node in everything:
        node.x -= left
    width = max(node.x + max(node.width / 2, room) for node in everything) + 8
    height = max(node.y + node.height / 2 for node in everything) + 8
    parts = [*(part for edge in edges for part in _arrow(edge)), *(part for node in nodes for part in _box(node))]
    return _HEAD.format(width=width, height=height) + ''.join(parts) + '</svg></div>'


def _arrow(edge: Edge) -> Iterator[str]:
    first, second = edge.path[:2]
    x, y = first.x, first.y + first.height / 2
    path = f'M{x:.0f} {y:.0f}'
    for node in edge.path[1:]:
        end = node.y - node.height / 2
        middle = (y + end) / 2
        path += f'C{x:.0f} {middle:.0f} {node.x:.0f} {middle:.0f} {node.x:.0f} {end:.0f}'
        x, y = node.x, end
    dash = ' stroke-dasharray="5 4"' if edge.dashed else ''
    yield f'<path class="arrow" d="{path}"{dash} marker-end="url(#flow-arrow)"/>'
    if edge.label:
        middle = (first.y + first.height / 2 + second.y - second.height / 2) / 2
        # Several lines would hide the arrow, so they stand beside it.
        beside = max(map(len, edge.label)) * _CHARACTER / 2 + 10 if len(edge.label) > 1 else 0.0
        yield _lines(edge.label, (first.x + second.x) / 2 + beside, middle, 'label')


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
