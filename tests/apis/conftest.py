"""A loopback server, a cache folder and a tiny zoo for the tests here."""

from tests.zoo_fixtures import (  # noqa: F401
    home,
    make_zoo,
    pretrained_zoo,
    published,
    server,
    tiny_info,
)
