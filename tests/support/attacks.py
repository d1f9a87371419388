"""Hostile pickles with a witness each: what stands outside and tells whether the attack happened.

An attack's body runs while the file is loaded and leaves what it got in `said`, which its model then
"predicts". So what it reads has a way out under the lock too, and only the lock keeps it from being read.
"""

import os
import resource
import socket
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from settings import PROJECT_ROOT
from tests.support import models_for_tests as models
from tests.support.waiting import wait_until

__all__ = ["ATTACKS", "Attack", "Scene", "save", "scene"]

TOKEN = "it-happened"
SECRET = "hunter2"


@dataclass(frozen=True)
class Scene:
    """Everything that an attack may hit, made afresh for each."""

    folder: Path
    tcp: socket.socket
    udp: socket.socket
    unix: socket.socket
    abstract: socket.socket
    sentinel: "subprocess.Popen[bytes]"
    inherited: int
    memory_at: int  # where the sentinel's program begins in its memory

    @property
    def port(self) -> int:
        return int(self.tcp.getsockname()[1])

    def connected(self, listener: socket.socket) -> bool:
        """Whether somebody connected and sent the token."""
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                return connection.recv(100) == TOKEN.encode()
        return False

    def told(self) -> bool:
        """Whether the token arrived as a datagram."""
        with suppress(OSError):
            return TOKEN.encode() in self.udp.recv(1000)
        return False

    def signalled(self) -> bool:
        """Whether the sentinel was ended from outside."""
        with suppress(subprocess.TimeoutExpired):
            self.sentinel.wait(0.3)
        return self.sentinel.returncode is not None

    def files_changed(self) -> bool:
        """Whether anything in the folder is other than it was made."""
        kept = self.folder / "kept"
        names = {path.name for path in self.folder.iterdir()}
        if names != {"kept", "unix"} or kept.read_text() != SECRET:
            return True
        about = kept.stat()
        return (about.st_mode & 0o777, about.st_mtime) != (0o644, 1.0)


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    folder.mkdir()
    with ExitStack() as stack:

        def listening(family: int, kind: int, address: object) -> socket.socket:
            made = stack.enter_context(socket.socket(family, kind))
            made.bind(address)  # type: ignore[arg-type]
            if kind == socket.SOCK_STREAM:
                made.listen()
            made.setblocking(False)
            return made

        sentinel = subprocess.Popen(["sleep", "600"], env={"SENTINEL": SECRET})
        stack.callback(sentinel.wait)
        stack.callback(sentinel.kill)
        inherited = os.open(folder, os.O_RDONLY)
        stack.callback(os.close, inherited)
        kept = folder / "kept"
        kept.write_text(SECRET)
        kept.chmod(0o644)
        os.utime(kept, (1, 1))
        local = ("127.0.0.1", 0)
        yield Scene(
            folder=folder,
            tcp=listening(socket.AF_INET, socket.SOCK_STREAM, local),
            udp=listening(socket.AF_INET, socket.SOCK_DGRAM, local),
            unix=listening(socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "unix")),
            abstract=listening(socket.AF_UNIX, socket.SOCK_STREAM, f"\0mmd-{os.getpid()}-{id(stack)}"),
            sentinel=sentinel,
            inherited=inherited,
            memory_at=_begin(sentinel.pid),
        )


def _begin(pid: int) -> int:
    """Popen returns while the kernel has yet to map the program: until then there is nothing to read."""
    if not Path("/proc/self/maps").exists():
        return 0
    maps = Path(f"/proc/{pid}/maps")
    wait_until(lambda: "sleep" in maps.read_text().partition("\n")[0])
    return int(maps.read_text().partition("-")[0], 16)


@dataclass(frozen=True)
class Attack:
    """body: what runs while loading. happened: the witness, given the scene and what the model said.

    layer: what holds it, where not every machine that can hold the lock has that.
    """

    name: str
    body: str
    happened: Callable[[Scene, str], bool]
    layer: str = "seccomp"


def save(attack: Attack, place: Scene, path: Path) -> Path:
    """The attack as a pickle, with the scene's addresses in it."""
    values = {
        "TOKEN": TOKEN,
        "PORT": place.port,
        "UDP_PORT": place.udp.getsockname()[1],
        "UNIX": str(place.folder / "unix"),
        "ABSTRACT": place.abstract.getsockname(),
        "PID": place.sentinel.pid,
        "FD": place.inherited,
        "MEMORY_AT": place.memory_at,
        "FOLDER": str(place.folder),
        "HOME": str(Path.home()),
        "PROJECT": str(PROJECT_ROOT),
    }
    body = textwrap.indent(attack.body.strip(), "    ")
    named = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    source = (
        f"{named}import os\nsaid = 'nothing'\ntry:\n{body}\n"
        "except BaseException as error:\n    said = f'refused: {error!r}'\n"
        "class Model:\n    def predict(self, x):\n        return [said[:500]] * len(x)\n"
        "model = Model()\n"
    )
    return models.save_source(source, path)


def _said(*texts: str) -> Callable[[Scene, str], bool]:
    return lambda _, said: not said.startswith("refused") and any(text in said for text in texts)


def _files(_scene: Scene, said: str) -> bool:
    return _scene.files_changed()


def _stopped(place: Scene, said: str) -> bool:
    return place.signalled()


def _connects(name: str, kind: str, address: str, listener: str) -> Attack:
    body = f"import socket\ns = socket.socket({kind})\ns.settimeout(5)\ns.connect({address})\n"
    body += "s.sendall(TOKEN.encode())\ns.close()"
    return Attack(name, body, lambda place, _: place.connected(getattr(place, listener)))


PLAIN_FORK = """
pid = os.fork()
if pid == 0:
    import time; time.sleep(600)
said = f'forked {pid}'
os.kill(pid, 9)
"""
OWNED_DESCRIPTOR = """
import fcntl, signal
try:
    r, w = os.pipe()
except OSError:
    r, w = 3, 4  # under the lock: the requests' pipe, which the worker writes to next
fcntl.fcntl(r, fcntl.F_SETOWN, PID)
fcntl.fcntl(r, 10, signal.SIGKILL)  # F_SETSIG
fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)
os.write(w, b'x') if w != 4 else None
"""
TRACE = """
import ctypes
c = ctypes.CDLL(None, use_errno=True)
c.ptrace.argtypes = [ctypes.c_long] * 4
said = str(c.ptrace(0x4206, PID, 0, 0x100000))  # PTRACE_SEIZE, killed with its tracer
"""
PEEK = """
import ctypes
class Span(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
c = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(4)
here, there = Span(ctypes.addressof(buffer), 4), Span(MEMORY_AT, 4)
c.process_vm_readv(PID, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
said = repr(buffer.raw)
"""
THREADS = """
import threading
threading.stack_size(64 << 10)
hold, count = threading.Event(), 0
try:
    for count in range(400):
        threading.Thread(target=hold.wait, daemon=True).start()
except RuntimeError:
    pass
hold.set()
said = str(count)
"""
DNS = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
label = lambda text: bytes([len(text)]) + text.encode()
head = bytes([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
s.sendto(head + label(TOKEN) + label('example') + bytes([0, 0, 1, 0, 1]), ('127.0.0.1', UDP_PORT))
"""
MEMFD = """
fd = os.memfd_create('x')
os.write(fd, b'y' * 10)
said = f'wrote to {fd}'
"""
DESCRIPTORS = """
found = []
for fd in range(6, 1024):
    try:
        os.fstat(fd); found.append(fd)
    except OSError:
        pass
said = f'found {found}' if FD in found else 'nothing'
"""
MEMORY = "import mmap\nm = mmap.mmap(-1, 3 << 30, flags=mmap.{})\nm[0] = m[-1] = 1\nsaid = 'took'"
OWN_LIMITS = (
    "import resource\nsoft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard - 1))\nsaid = 'set'"
)

ATTACKS: tuple[Attack, ...] = (
    _connects("TCP", "socket.AF_INET, socket.SOCK_STREAM", "('127.0.0.1', PORT)", "tcp"),
    _connects("multipath TCP", "socket.AF_INET, socket.SOCK_STREAM, 262", "('127.0.0.1', PORT)", "tcp"),
    _connects("UNIX socket", "socket.AF_UNIX, socket.SOCK_STREAM", "UNIX", "unix"),
    _connects("abstract UNIX socket", "socket.AF_UNIX", "ABSTRACT", "abstract"),
    Attack(
        "UDP",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(TOKEN.encode(), "
        "('127.0.0.1', UDP_PORT))",
        lambda place, _: place.told(),
    ),
    Attack("DNS question", DNS, lambda place, _: place.told()),
    Attack("resolving", "import socket\nsaid = str(socket.gethostbyname('localhost'))", _said("127.")),
    Attack(
        "listening", "import socket\nsocket.create_server(('127.0.0.1', 0))\nsaid = 'open'", _said("open")
    ),
    Attack("socket pair", "import socket\nsocket.socketpair()\nsaid = 'open'", _said("open")),
    Attack("fork", PLAIN_FORK, _said("forked")),
    Attack("exec", "os.execv('/bin/sh', ['sh', '-c', f'echo x > {FOLDER}/made'])", _files),
    Attack("system", "said = f'status {os.system(\"true\")}'", _said("status 0")),
    Attack(
        "subprocess",
        "import subprocess\nsaid = subprocess.check_output('echo x', shell=True).decode()",
        _said("x"),
    ),
    Attack(
        "posix_spawn",
        "os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', f'echo x > {FOLDER}/made'], {}), 0)",
        _files,
    ),
    Attack("memfd", MEMFD, _said("wrote")),
    Attack("thread bomb", THREADS, lambda _, said: said.isdigit() and int(said) > 300, "process limit"),
    Attack("memory bomb", MEMORY.format("MAP_PRIVATE"), _said("took")),
    Attack("shared memory bomb", MEMORY.format("MAP_SHARED"), _said("took")),
    Attack("reading passwd", "said = open('/etc/passwd').read()", _said("root:")),
    Attack("listing home", "said = f'saw {os.listdir(HOME)}'", _said("saw")),
    Attack("reading a file of the user's", "said = open(f'{FOLDER}/kept').read()", _said(SECRET)),
    Attack("reading beside the house", "said = open(f'{PROJECT}/pyproject.toml').read()", _said("[project]")),
    Attack("reading a process's environment", "said = open(f'/proc/{PID}/environ').read()", _said(SECRET)),
    Attack(
        "reading the parent's environment",
        "said = open(f'/proc/{os.getppid()}/environ').read()",
        _said("="),
    ),
    Attack("inherited descriptors", DESCRIPTORS, _said("found")),
    Attack("kill", "os.kill(PID, 9)", _stopped),
    Attack("kill by pidfd", "import signal\nsignal.pidfd_send_signal(os.pidfd_open(PID), 9)", _stopped),
    Attack("kill by sigqueue", "import ctypes\nctypes.CDLL(None).sigqueue(PID, 15, 0)", _stopped),
    Attack("kill by a descriptor's owner", OWNED_DESCRIPTOR, _stopped),
    Attack("ptrace", TRACE, _stopped),
    Attack("reading memory", PEEK, _said("ELF")),
    Attack(
        "prlimit",
        "import resource\nresource.prlimit(PID, resource.RLIMIT_NOFILE, (77, 77))",
        lambda place, _: resource.prlimit(place.sentinel.pid, resource.RLIMIT_NOFILE) == (77, 77),
    ),
    Attack(
        "pinning a process",
        "os.sched_setaffinity(PID, {max(os.sched_getaffinity(PID))})",
        lambda place, _: len(os.sched_getaffinity(place.sentinel.pid)) == 1,
    ),
    Attack("its own limits", OWN_LIMITS, _said("set")),
    Attack("creating a file", "open(f'{FOLDER}/made', 'x')", _files),
    Attack("overwriting a file", "open(f'{FOLDER}/kept', 'r+').write('x')", _files),
    Attack("emptying a file", "os.truncate(f'{FOLDER}/kept', 0)", _files),
    Attack("removing a file", "os.unlink(f'{FOLDER}/kept')", _files),
    Attack("renaming a file", "os.rename(f'{FOLDER}/kept', f'{FOLDER}/moved')", _files),
    Attack("changing a mode", "os.chmod(f'{FOLDER}/kept', 0o777)", _files),
    Attack("changing times", "os.utime(f'{FOLDER}/kept', (2, 2))", _files),
    Attack("making a folder", "os.mkdir(f'{FOLDER}/made')", _files),
    Attack("making a link", "os.symlink('/etc', f'{FOLDER}/made')", _files),
    Attack("making a pipe", "os.mkfifo(f'{FOLDER}/made')", _files),
)
