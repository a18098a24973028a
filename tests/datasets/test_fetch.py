"""Without a network, and with nonsense, the fetcher says so in one line."""

import pytest

from seedmap.datasets import fetch_development
from seedmap.errors import NotFetched, OptionError, OutputError


@pytest.fixture
def offline(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("offline")
def test_offline_says_what_to_do(tmp_path):
    with pytest.raises(NotFetched) as caught:
        fetch_development(data_dir=tmp_path, verbose=0)
    message = str(caught.value)
    assert "\n" not in message
    for said in ("development data set", str(tmp_path), "check the network", "seedmap demo"):
        assert said in message


@pytest.mark.usefixtures("offline")
def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="data_dir"):
        fetch_development(data_dir=tmp_path / "taken", verbose=0)


@pytest.mark.parametrize("options", [{"n_subjects": 0}, {"age_group": "elders"}])
def test_nonsense_is_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        fetch_development(**options)
