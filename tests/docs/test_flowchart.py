"""Flowcharts of pages as pictures."""

import re
import sys

import pytest

from tests.conftest import REPO
from tests.docs.pages import blocks


@pytest.fixture
def flowchart(monkeypatch):
    monkeypatch.syspath_prepend(REPO / 'docs/site')
    monkeypatch.delitem(sys.modules, 'flowchart', raising=False)
    import flowchart

    return flowchart


def boxes(svg):
    """Return the middle and the edges of each box."""
    found = re.findall(r'<rect class="\w+" x="(-?\d+)" y="(-?\d+)" width="(\d+)" height="(\d+)"', svg)
    return [tuple(map(int, one)) for one in found]


def test_a_box_stands_below_all_that_leads_to_it_and_no_boxes_overlap(flowchart):
    svg = flowchart.draw('flowchart LR\n    a[first] --> b[second] --> c[third]\n    a --> c\n    d[(kept)] --> c\n')
    first, second, third, kept = boxes(svg)
    assert first[1] < second[1] < third[1] and kept[1] < third[1]
    for one in (first, third, kept):
        for other in (second, *((kept,) if one is third else ())):
            apart_x = one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]
            assert apart_x or one[1] + one[3] <= other[1] or other[1] + other[3] <= one[1]
    assert svg.count('marker-end') == 4 and svg.count('class="store"') == 1


def test_an_arrow_that_passes_a_row_bends_around_its_box(flowchart):
    nodes, edges = flowchart.parse('flowchart LR\n    a --> b --> c\n    a --> c\n')
    flowchart.place_rows(nodes, edges)
    flowchart.place(flowchart.place_within_rows(nodes, edges), edges)
    (bend,) = edges[2].path[1:-1]
    assert bend.y == nodes[1].y and abs(bend.x - nodes[1].x) > nodes[1].width / 2


def test_a_label_is_on_its_arrow_and_a_dotted_one_is_dashed(flowchart):
    svg = flowchart.draw('flowchart LR\n    a -. now & then .-> b["x < y"]\n    a -- often --> c\n')
    assert svg.count('stroke-dasharray') == 1
    assert re.findall(r'>([^<>]+)</tspan>', svg) == ['now &amp; then', 'often', 'a', 'x &lt; y', 'c']


@pytest.mark.parametrize('text', [text for _, _, text in blocks('mermaid')])
def test_the_charts_of_the_pages_are_drawn_with_every_box_and_arrow(flowchart, text):
    svg = flowchart.draw(text)
    names = set(re.findall(r'(?:^|>|&)\s+(\w+)', text.partition('\n')[2], re.MULTILINE))
    assert len(boxes(svg)) == len(names) > 3
    assert svg.count('marker-end') == text.count('-->') + text.count('.->')
