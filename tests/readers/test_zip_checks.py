"""The limits that every zip of unknown origin is held to."""

import io
import math
import zipfile

import pytest

from avzoo.readers import zip_checks
from avzoo.readers.zip_checks import RATIO_MATTERS_FROM, checked_members
from avzoo.utils.errors import DataError


def check(members, packing=zipfile.ZIP_DEFLATED, change=None, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(buffer) as archive:
        for info in archive.infolist() if change else ():
            change(info)
        return [info.filename for info in checked_members(archive, 'a.zip', DataError, **options)]


def test_files_are_returned_without_their_folders():
    assert check({'a/': b'', 'a/b.txt': b'b', 'c': b'c'}) == ['a/b.txt', 'c']


@pytest.mark.parametrize('packing', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_packing_that_keeps_to_its_stated_size_is_accepted(packing):
    with pytest.raises(DataError, match=r"a\.zip .*'x' is packed by a method other"):
        check({'x': b'x'}, packing)


def test_an_encrypted_member_is_refused():
    with pytest.raises(DataError, match="'x' is encrypted"):
        check({'x': b'x'}, change=lambda info: setattr(info, 'flag_bits', info.flag_bits | 1))


def test_the_ratio_matters_from_a_size_that_could_do_harm():
    assert check({'zeros': bytes(RATIO_MATTERS_FROM)}) == ['zeros']
    with pytest.raises(DataError, match=r"'zeros' .* out of proportion"):
        check({'zeros': bytes(RATIO_MATTERS_FROM + 1)})


def test_a_ratio_may_be_allowed_but_not_more_than_there_is_room_for():
    zeros = {'zeros': bytes(RATIO_MATTERS_FROM + 1)}
    assert check(zeros, max_ratio=math.inf) == ['zeros']
    with pytest.raises(DataError, match='room for'):
        check(zeros, max_ratio=math.inf, room=RATIO_MATTERS_FROM)


def test_members_that_share_their_packed_bytes_are_counted_each():
    # By its directory each of the 30 members unpacks to 15 MiB; what is packed would do for one.
    with pytest.raises(DataError, match=r'its .* bytes would unpack to 471,859,200'):
        check({str(i): b'x' for i in range(30)}, change=lambda info: setattr(info, 'file_size', 15 << 20))


def test_more_than_there_is_room_for_is_refused():
    assert check({'x': bytes(1000)}, room=1000) == ['x']
    with pytest.raises(DataError, match='1,000 bytes, but there is room for 999'):
        check({'x': bytes(1000)}, room=999)


def test_too_many_members_are_refused(monkeypatch):
    monkeypatch.setattr(zip_checks, 'MAX_MEMBERS', 2)
    assert check({'a': b'', 'b': b''}) == ['a', 'b']
    with pytest.raises(DataError, match='3 members'):
        check({'a': b'', 'b': b'', 'c': b''})
