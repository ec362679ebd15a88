"""Write the example run on the first page of the site: README's first command and the table that it printed."""

import json
import re
from pathlib import Path

from avzoo.evaluation.report import interval_line, paired_text, results_rows, results_table
from avzoo.utils.errors import ConfigError
from avzoo.utils.tables import markdown_table


def first_run(root: Path) -> str:
    """Return the command and its table, as Markdown.

    Args:
        root: Root of the repository. Its ``docs/site/first_run.json`` is the ``results.json`` of that command.
    """
    results = json.loads((root / 'docs/site/first_run.json').read_text(encoding='utf-8'))
    table = results_table(results_rows(results), markdown_table)
    return (
        'One command installs avzoo, generates a small data set, trains and tests:\n\n'
        f'```bash\n{first_command(root)}\n```\n\n'
        f'It prints, in per cent, seed {results["seed"]}:\n\n{table}\n\n'
        f'{interval_line(results["aggregate"])}\n\n{paired_text(results["paired"])}'
    ).rstrip()


def first_command(root: Path) -> str:
    """Return the command that the README marks as its first command."""
    found = re.search(r'<!-- first-command -->\n```bash\n(.*)\n```', (root / 'README.md').read_text(encoding='utf-8'))
    if not found:
        raise ConfigError(f'{root / "README.md"} marks no command with <!-- first-command -->. Mark one.')
    return found[1]
