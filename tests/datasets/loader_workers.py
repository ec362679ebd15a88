"""Processes that load batches."""

import traceback

import pytest


def end_workers(caught: pytest.ExceptionInfo) -> None:
    """Let go of a loader whose worker failed.

    The frames of its error refer to it in a circle: as garbage it would wait 5 s for each worker, in a later test.
    """
    traceback.clear_frames(caught.tb)
