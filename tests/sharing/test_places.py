"""What every place must do, and how faults of a storage are told."""

import errno
import sys

import pytest

from tests.sharing.conftest import SECRET
from validation_ch7.errors import (
    BackendError,
    CheckpointNotFoundError,
    ConfigurationError,
    CredentialsError,
    StorageError,
)
from validation_ch7.files import sha256_bytes
from validation_ch7.sharing import open_place
from validation_ch7.sharing.cloud import Cloud
from validation_ch7.sharing.folder import Folder
from validation_ch7.sharing.place import read_all


def content(place, name):
    return read_all(place, name, 1 << 20)


def test_empty_place_holds_nothing(place):
    assert place.sizes("") == {} and place.sizes("objects") == {}
    assert content(place, "absent") is None


def test_what_was_written_is_listed_and_read(place):
    place.create("objects/ab/x", b"123")
    place.replace("one.json", b"4")
    place.commit()
    assert place.sizes("") == {"objects/ab/x": 3, "one.json": 1}
    assert place.sizes("objects") == {"objects/ab/x": 3}
    assert content(place, "objects/ab/x") == b"123"


@pytest.mark.parametrize("committed", [True, False])
def test_lost_race_to_create_is_no_fault_and_changes_nothing(place, committed):
    place.create("objects/x", b"first")
    if committed:
        place.commit()
    place.create("objects/x", b"other")
    place.commit()
    assert content(place, "objects/x") == b"first"


def test_replaced_file_has_the_new_content(place):
    for data in (b"first", b"second", b"third"):
        place.replace("x", data)
    place.commit()
    assert content(place, "x") == b"third"
    place.replace("x", b"fourth")
    place.commit()
    assert content(place, "x") == b"fourth"


@pytest.mark.parametrize("committed", [True, False])
def test_file_is_held_as_it_was_written_and_not_otherwise(place, committed):
    place.create("x", b"123")
    if committed:
        place.commit()
    assert place.holds("x", 3, sha256_bytes(b"123"))
    assert not place.holds("x", 3, sha256_bytes(b"124"))
    assert not place.holds("x", 2, sha256_bytes(b"123"))
    assert not place.holds("y", 3, sha256_bytes(b"123"))


def test_empty_commit_changes_nothing(place):
    place.commit()
    assert place.sizes("") == {}


def test_missing_file_is_told_by_name(place):
    with pytest.raises(CheckpointNotFoundError, match="not there"):
        list(place.blocks("objects/nothing"))


def test_file_larger_than_it_can_be_is_not_read_on(place):
    place.replace("x", b"x" * 100)
    place.commit()
    with pytest.raises(BackendError, match="larger"):
        read_all(place, "x", 99)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "C:/x", "a\\..\\x"])
def test_folder_writes_nothing_outside_itself(tmp_path, name):
    with pytest.raises(StorageError, match="leave its folder"):
        Folder(tmp_path / "inner").replace(name, b"")
    assert list(tmp_path.rglob("x")) == []


def test_addresses_name_the_same_folder(tmp_path):
    assert open_place(tmp_path.as_uri()).root == open_place(str(tmp_path)).root == tmp_path.resolve()


@pytest.mark.parametrize("address", ["", "  ", "nonsense://x/y"])
def test_address_of_no_place_is_refused(address):
    with pytest.raises(ConfigurationError, match="address"):
        open_place(address)


def test_missing_library_is_told_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(ConfigurationError, match="library is missing") as caught:
        open_place("abfs://bucket/x")
    assert "[cloud]" in str(caught.value)


def test_rejected_credentials_are_one_clear_error_without_the_secret(bucket):
    bucket.require_known_keys()
    place = open_place(bucket.url)
    for call in (lambda: place.sizes(""), lambda: place.create("x", b"1"), lambda: list(place.blocks("x"))):
        with pytest.raises(CredentialsError, match="does not accept") as caught:
            call()
        assert SECRET not in str(caught.value) and "AWS_ACCESS_KEY_ID" in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_of_google_is_one_clear_error(google_server, status):
    place = open_place("gs://bucket/x")
    google_server.refuses_with = status
    with pytest.raises(CredentialsError, match="does not accept") as caught:
        place.create("x", b"1")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(caught.value)


def test_missing_bucket_of_google_is_one_clear_error(google_server):
    with pytest.raises(BackendError, match="no such place"):
        open_place("gs://not-there-at-all/x").create("x", b"1")


def test_creation_at_google_is_conditional_and_replacement_is_not(google_server):
    place = open_place("gs://bucket/x")
    place.create("a", b"1")
    place.replace("b", b"2")
    sent = [path for method, path in google_server.asked if method == "POST"]
    assert ["ifGenerationMatch=0" in path for path in sent] == [True, False]
    assert google_server.buckets["bucket"] == {"x/a": b"1", "x/b": b"2"}


def test_absent_credentials_are_one_clear_error(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="or there are none"):
        open_place(bucket.url).create("x", b"1")


def test_wrong_endpoint_is_one_clear_error(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(BackendError, match="cannot be used") as caught:
        open_place(bucket.url).create("x", b"1")
    assert "AWS_ENDPOINT_URL" in str(caught.value)


def test_missing_bucket_is_one_clear_error(bucket):
    with pytest.raises(BackendError, match="no such place"):
        open_place("s3://not-there-at-all/x").create("x", b"1")


def test_login_in_an_address_is_never_shown():
    assert Cloud(f"memory://me:{SECRET}@host/x?key={SECRET}").shown == "memory://host/x"


class Racing:
    """A storage in which somebody else is always faster."""

    def __init__(self, fault):
        self.fault, self.written = fault, []

    def pipe_file(self, path, data, mode="overwrite"):
        if mode == "create":
            raise self.fault
        self.written.append(path)


class PreconditionError(Exception):
    response = {"ResponseMetadata": {"HTTPStatusCode": 412}}  # noqa: RUF012  the shape of botocore's errors


@pytest.mark.parametrize("fault", [FileExistsError(), OSError(errno.EINVAL, "x"), PreconditionError()])
def test_every_name_of_a_lost_race_counts_as_exists(fault):
    place = open_place("memory://race")
    place._files = Racing(fault)
    place.create("x", b"1")
    assert place._files.written == []


def test_storage_without_conditional_writes_is_written_plainly():
    place = open_place("memory://plain")
    place._files = Racing(NotImplementedError())
    place.create("x", b"1")
    assert place._files.written == ["/plain/x"]
