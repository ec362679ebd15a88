"""The log of a curriculum: on the screen, and in a file of its work directory."""

import logging
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.logging.logger import MMFormatter


def log_line(text: str) -> None:
    """Say something on the screen and in the log of the run."""
    _logger().info(text)


def log_to(path: Path) -> None:
    """Append what is said from now on to this file, and no longer to that of a run before it in this process."""
    logger = _logger()
    for handler in [h for h in logger.handlers if isinstance(h, logging.FileHandler)]:
        logger.removeHandler(handler)
        handler.close()
    if not is_main_process():
        return
    file = logging.FileHandler(path, 'a', encoding='utf-8')
    file.setLevel(logging.INFO)  # Registries tell at DEBUG of every part that they build.
    file.setFormatter(MMFormatter(color=False, datefmt='%Y/%m/%d %H:%M:%S'))
    logger.addHandler(file)


def _logger() -> MMLogger:
    created = MMLogger.check_instance_created('avzoo')
    return MMLogger.get_instance('avzoo') if created else MMLogger.get_instance('avzoo', logger_name='avzoo')
