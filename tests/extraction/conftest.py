import pytest

pytest.importorskip('av', reason="videos are read by PyAV: pip install 'avzoo[video]'")
