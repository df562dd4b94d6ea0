from __future__ import annotations

import subprocess
import sys

import pytest

from validation_ch7.errors import BackendError, ConfigurationError, CredentialsError
from validation_ch7.remote.choice import choose_backend
from validation_ch7.remote.credentials import find_credentials

SECRET = "s3cr3t-planted"


def home(tmp_path, *names: str) -> dict[str, str]:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SECRET, encoding="utf-8")
    return {"HOME": str(tmp_path)}


def test_auto_without_credentials_is_local_and_says_why(tmp_path):
    backend, reason = choose_backend("auto", tmp_path, home(tmp_path))
    assert backend.name == "local"
    assert "no Kaggle credentials" in reason


def test_local_is_local_even_with_credentials(tmp_path):
    assert choose_backend("local", tmp_path, {"HOME": "/", "KAGGLE_API_TOKEN": SECRET})[0].name == "local"


@pytest.mark.parametrize(
    ("names", "environ", "where"),
    [
        ([], {"KAGGLE_API_TOKEN": SECRET}, "KAGGLE_API_TOKEN"),
        ([".kaggle/access_token"], {}, "access_token"),
        ([".kaggle/access_token.txt"], {}, "access_token.txt"),
        ([], {"KAGGLE_USERNAME": "somebody", "KAGGLE_KEY": SECRET}, "KAGGLE_USERNAME and KAGGLE_KEY"),
        ([".kaggle/kaggle.json"], {}, "kaggle.json"),
        ([".config/kaggle/kaggle.json"], {}, "kaggle.json"),
        ([".kaggle/credentials.json"], {}, "credentials.json"),
    ],
)
def test_credentials_are_found_in_all_of_the_clients_ways(tmp_path, names, environ, where):
    place = find_credentials({**home(tmp_path, *names), **environ})
    assert place is not None
    assert place.where.endswith(where)
    assert SECRET not in repr(place)


def test_chosen_folder_of_the_client_is_searched(tmp_path):
    environ = home(tmp_path, "elsewhere/kaggle.json") | {"KAGGLE_CONFIG_DIR": str(tmp_path / "elsewhere")}
    assert find_credentials(environ) is not None


def test_empty_credentials_are_none(tmp_path):
    environ = home(tmp_path) | {"KAGGLE_API_TOKEN": "", "KAGGLE_USERNAME": "somebody"}
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "access_token").touch()
    assert find_credentials(environ) is None


def test_kaggle_without_credentials_says_what_to_do(tmp_path):
    with pytest.raises(CredentialsError, match=r"kaggle\.com/settings"):
        choose_backend("kaggle", tmp_path, home(tmp_path))


def test_unknown_backend_names_the_known_ones(tmp_path):
    with pytest.raises(ConfigurationError, match="auto, local, kaggle, ray"):
        choose_backend("slurm", tmp_path, {})


def test_ray_without_the_extra_says_how_to_install_it(tmp_path):
    with pytest.raises(BackendError, match="ray"):
        choose_backend("ray", tmp_path, {})


def test_choosing_does_not_import_the_kaggle_client():
    code = (
        "import sys; from pathlib import Path; from validation_ch7.remote.choice import choose_backend; "
        "choose_backend('auto', Path('.'), {'HOME': '/nowhere'}); sys.exit('kaggle' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
