"""Write sections as one self-contained HTML file."""

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from avzoo.report.section import Section
from avzoo.version import __version__


def render(title: str, sections: Sequence[Section]) -> str:
    """Return the page, with style, script, plots and data inside; nothing is fetched.

    Args:
        title: Its heading.
        sections: Its content.
    """
    templates = resources.files('avzoo.report') / 'templates'
    environment = Environment(loader=FileSystemLoader(str(templates)), autoescape=True, undefined=StrictUndefined)
    environment.filters['cell'] = _cell
    tips = {gid: text for section in sections for picture in section.pictures for gid, text in picture.tips.items()}
    # Inside <script>: no tag may end it early.
    data = Markup(json.dumps(tips, ensure_ascii=False).replace('<', '\\u003c'))
    parts = {name: Markup((templates / f'page.{name}').read_text(encoding='utf-8')) for name in ('css', 'js')}
    pictures = {picture.name: Markup(picture.svg()) for section in sections for picture in section.pictures}
    return environment.get_template('page.html').render(
        title=title, sections=sections, tips=data, svg=pictures, version=__version__, **parts
    )


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f'{value:,}'
    return f'{value:.2f}' if isinstance(value, float) and abs(value) >= 0.1 else str(value)
