"""The log of a curriculum: on the screen and in a file in its work directory."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.logging.logger import MMFormatter

from avzoo.utils.errors import ConfigError
from avzoo.utils.lock import held_alone
from avzoo.utils.printable import printable

_WARNED: set[Path] = set()


def log_line(text: str) -> None:
    """Write a line to the screen and to the log of the run."""
    run_logger().info(text)


def warn_once(text: str, *, about: Path) -> None:
    """Write a warning, unless the text is empty or this process has already written one about this path."""
    if text and about not in _WARNED:
        _WARNED.add(about)
        log_line(f'WARNING: {text}')


def log_to(path: Path) -> None:
    """Append the log to this file from now on, and no longer to the file of an earlier run in this process."""
    logger = run_logger()
    for handler in [h for h in logger.handlers if isinstance(h, logging.FileHandler)]:
        logger.removeHandler(handler)
        handler.close()
    if not is_main_process():
        return
    file = logging.FileHandler(path, 'a', encoding='utf-8')
    file.setLevel(logging.INFO)  # Registries log every part that they build at DEBUG.
    file.setFormatter(MMFormatter(color=False, datefmt='%Y/%m/%d %H:%M:%S'))
    logger.addHandler(file)
    escape_in_log(logger)


@contextmanager
def held_work_dir(work_dir: Path) -> Iterator[None]:
    """Create the work directory of a run, lock it for this run, and start its log with its path.

    Raises:
        AvzooError: If another process is training in it; nothing is logged then.
        ConfigError: If it cannot be written to.
    """
    with ExitStack() as stack:
        try:
            work_dir.mkdir(parents=True, exist_ok=True)
            if is_main_process():
                busy = f'Another process is training in {work_dir}. Wait until it ends, or choose another --work-dir.'
                stack.enter_context(held_alone(work_dir, busy))
            log_to(work_dir / 'curriculum.log')
        except OSError as error:
            place = error.filename or work_dir
            raise ConfigError(f'{place} cannot be written to ({error.strerror}). Choose another --work-dir.') from error
        log_line(f'Everything is written to {work_dir}.')
        yield


def run_logger() -> MMLogger:
    """Return the logger of avzoo; the first call creates it."""
    created = MMLogger.check_instance_created('avzoo')
    logger = MMLogger.get_instance('avzoo') if created else MMLogger.get_instance('avzoo', logger_name='avzoo')
    escape_in_log(logger)
    return logger


def escape_in_log(logger: logging.Logger) -> None:
    """Escape what a logger writes, so that it cannot control a terminal: names of classes and files are foreign."""
    for handler in logger.handlers:
        handler.addFilter(_escape)  # It is added only once.


def _escape(record: logging.LogRecord) -> bool:
    record.msg, record.args = printable(record.getMessage(), lines=True), ()
    return True
