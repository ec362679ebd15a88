"""The fixtures of tool_runs for the tests here."""

from tests.tools.tool_runs import options, run, trained  # noqa: F401
