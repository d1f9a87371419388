"""Files are stored whole under the hash of their content, or not at all."""

import hashlib
import io
import os
import stat
from pathlib import Path

import pytest

from errors import InvalidInput, NotFound, TooLarge, Unavailable
from services import build_services
from settings import Settings
from store.artifacts import Artifact, Artifacts
from store.run_lists import RunQuery

MEGABYTE = 1024 * 1024


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def artifacts(root: Path) -> Artifacts:
    return Artifacts(root)


def everything(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_a_file_is_stored_under_the_sha256_of_its_bytes(artifacts: Artifacts, root: Path) -> None:
    content = os.urandom(3 * MEGABYTE + 17)  # more than one chunk
    artifact = artifacts.add(io.BytesIO(content), len(content))
    assert artifact == Artifact(hashlib.sha256(content).hexdigest(), len(content))
    path = artifacts.path(artifact.sha256)
    assert path == root / artifact.sha256[:2] / artifact.sha256
    assert path.read_bytes() == content
    assert everything(root) == [artifact.sha256]


def test_the_same_content_twice_is_one_file(artifacts: Artifacts, root: Path) -> None:
    first = artifacts.add(io.BytesIO(b"model"), 10)
    assert artifacts.add(io.BytesIO(b"model"), 10) == first
    assert everything(root) == [first.sha256]


def test_storing_again_mends_a_damaged_file(artifacts: Artifacts) -> None:
    artifact = artifacts.add(io.BytesIO(b"model"), 10)
    artifacts.path(artifact.sha256).write_bytes(b"mo")
    artifacts.add(io.BytesIO(b"model"), 10)
    assert artifacts.path(artifact.sha256).read_bytes() == b"model"


def test_a_file_of_exactly_the_limit_fits_and_one_byte_more_does_not(
    artifacts: Artifacts, root: Path
) -> None:
    kept = artifacts.add(io.BytesIO(b"x" * 100), 100)
    with pytest.raises(TooLarge, match="larger than"):
        artifacts.add(io.BytesIO(b"x" * 101), 100)
    assert everything(root) == [kept.sha256]


def test_an_endless_stream_is_cut_at_the_limit(artifacts: Artifacts, root: Path) -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(TooLarge):
        artifacts.add(stream, 2 * MEGABYTE)  # type: ignore[arg-type]
    assert stream.given == 3 * MEGABYTE
    assert everything(root) == []


def test_an_empty_file_is_refused(artifacts: Artifacts, root: Path) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        artifacts.add(io.BytesIO(b""), 10)
    assert everything(root) == []


def test_a_stream_that_breaks_off_leaves_nothing(artifacts: Artifacts, root: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 0:
                raise ConnectionResetError
            return super().read(4)

    with pytest.raises(ConnectionResetError):
        artifacts.add(Broken(b"part of it"), 100)
    assert everything(root) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../etc/passwd",
        "a" * 63,
        "a" * 65,
        "A" * 64,
        "g" * 64,
        "a" * 64 + "\n",
        "/" + "a" * 63,
        "0" * 64,
    ],
)
def test_a_name_that_is_no_stored_sha256_is_not_found(artifacts: Artifacts, name: str) -> None:
    with pytest.raises(NotFound):
        artifacts.path(name)


def test_removing_is_for_hashes_only_and_fine_when_repeated(artifacts: Artifacts) -> None:
    artifact = artifacts.add(io.BytesIO(b"model"), 10)
    artifacts.remove(artifact.sha256)
    artifacts.remove(artifact.sha256)
    with pytest.raises(NotFound):
        artifacts.path(artifact.sha256)
    with pytest.raises(NotFound):
        artifacts.remove("../precious")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_only_the_servers_user_may_read_the_files(artifacts: Artifacts, root: Path) -> None:
    path = artifacts.path(artifacts.add(io.BytesIO(b"model"), 10).sha256)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_cleaning_up_removes_dead_uploads_and_spares_live_ones(artifacts: Artifacts, root: Path) -> None:
    kept = artifacts.add(io.BytesIO(b"model"), 10)
    dead, live = root / ".incoming-dead", root / ".incoming-live"
    for path in (dead, live):
        path.write_bytes(b"half a mod")
    os.utime(dead, (0, 0))
    os.utime(artifacts.path(kept.sha256), (0, 0))
    assert artifacts.clean_up() == 1
    assert everything(root) == [live.name, kept.sha256]


def test_the_services_are_built_twice_over_the_same_folder(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path / "data" / "deep")
    with build_services(settings) as first:
        artifact = first.artifacts.add(io.BytesIO(b"model"), 10)
        job = first.jobs.submit("inspect", artifact.sha256)
    with build_services(settings) as second:
        assert second.artifacts.path(artifact.sha256).read_bytes() == b"model"
        assert second.jobs.get(job.id) == job
        assert second.store.runs.list(RunQuery()).total == 0
    assert stat.S_IMODE((tmp_path / "data" / "deep").stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_folder_with_wider_rights_stays_as_it_is_and_what_is_in_it_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    with build_services(Settings(_env_file=None, data_dir=folder)) as services:
        services.artifacts.add(io.BytesIO(b"model"), 10)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755
        inside = [path for path in folder.iterdir() if stat.S_IMODE(path.stat().st_mode) & 0o077]
        assert inside == [] and (folder / "artifacts").is_dir()


def test_a_data_folder_that_cannot_be_made_is_named_with_its_setting(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    with pytest.raises(Unavailable) as error:
        build_services(Settings(_env_file=None, data_dir=blocked / "data"))
    assert str(blocked / "data") in error.value.message
    assert "DATA_DIR" in error.value.hint
