"""The filter's code, run by a small interpreter of classic BPF: both tables, whatever machine this is."""

import errno

import pytest

from lockdown import seccomp

PID = 4321
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
EPERM, ENOSYS = seccomp.ERRNO | errno.EPERM, seccomp.ERRNO | errno.ENOSYS
# Of other calls than the listed ones, from asm/unistd_64.h and asm-generic/unistd.h.
REFUSED = {
    "x86_64": {"socket": 41, "connect": 42, "sendto": 44, "bind": 49, "listen": 50, "socketpair": 53,
               "fork": 57, "vfork": 58, "execve": 59, "shmget": 29, "msgget": 68, "truncate": 76,
               "rename": 82, "mkdir": 83, "creat": 85, "unlink": 87, "chmod": 90, "ptrace": 101,
               "mount": 165, "tkill": 200, "mbind": 237, "keyctl": 250, "unshare": 272,
               "perf_event_open": 298, "process_vm_readv": 310, "seccomp": 317, "memfd_create": 319,
               "bpf": 321, "execveat": 322, "userfaultfd": 323, "pidfd_send_signal": 424,
               "io_uring_setup": 425, "pidfd_open": 434, "landlock_create_ruleset": 444, "future": 999},
    "aarch64": {"setxattr": 5, "unlinkat": 35, "mount": 40, "truncate": 45, "fchmodat": 53, "unshare": 97,
                "ptrace": 117, "tkill": 130, "rt_sigqueueinfo": 138, "msgget": 186, "shmget": 194,
                "socket": 198, "socketpair": 199, "bind": 200, "connect": 203, "sendto": 206,
                "keyctl": 219, "execve": 221, "mbind": 235, "perf_event_open": 241,
                "process_vm_readv": 270, "renameat2": 276, "seccomp": 277, "memfd_create": 279, "bpf": 280,
                "execveat": 281, "userfaultfd": 282, "pidfd_send_signal": 424, "io_uring_setup": 425,
                "pidfd_open": 434, "future": 999},
}  # fmt: skip


def run(code: bytes, machine: int, number: int, *arguments: int) -> int:
    """What the kernel would answer; offsets of `struct seccomp_data`, little-endian."""
    words = {0: number, 4: machine}
    for i in range(6):
        value = arguments[i] if i < len(arguments) else 0
        words[16 + 8 * i], words[20 + 8 * i] = value & 0xFFFFFFFF, value >> 32
    instructions = list(seccomp.INSTRUCTION.iter_unpack(code))
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = instructions[at]
        at += 1
        if operation == seccomp.RETURN:
            return int(value)
        if operation == seccomp.LOAD:
            accumulator = words[value]
        elif operation == seccomp.AND:
            accumulator &= value
        else:
            holds = accumulator == value if operation == seccomp.EQUAL else accumulator >= value
            at += if_true if holds else if_false


@pytest.fixture(params=ARCHITECTURE)
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def answer(machine: str, name: str, *arguments: int) -> int:
    numbers = {**seccomp.ARCHITECTURES[machine].numbers, **REFUSED[machine]}
    return run(seccomp.program(machine, PID), ARCHITECTURE[machine], numbers[name], *arguments)


def test_what_is_not_listed_is_refused(machine: str) -> None:
    listed = seccomp.ARCHITECTURES[machine].numbers
    assert not REFUSED[machine].keys() & listed.keys()
    assert not set(REFUSED[machine].values()) & set(listed.values())
    assert {answer(machine, name) for name in REFUSED[machine]} == {EPERM}


def test_every_plain_call_is_allowed_whatever_its_arguments(machine: str) -> None:
    names = seccomp.PLAIN & seccomp.ARCHITECTURES[machine].numbers.keys()
    assert {"read", "write", "mmap", "futex", "exit_group", "newfstatat"} <= names
    assert {answer(machine, name, *[(1 << 64) - 1] * 6) for name in names} == {seccomp.ALLOW}


def test_every_call_in_a_table_has_its_rule_and_no_two_share_a_number(machine: str) -> None:
    numbers = seccomp.ARCHITECTURES[machine].numbers
    assert numbers.keys() <= seccomp.PLAIN | seccomp.CHECKED | set(seccomp.ABSENT)
    assert len(set(numbers.values())) == len(numbers)


def test_a_call_that_is_to_be_checked_is_checked() -> None:
    assert seccomp._checks(PID).keys() == seccomp.CHECKED


def test_calls_of_another_architecture_kill(machine: str) -> None:
    code = seccomp.program(machine, PID)
    for foreign in (0x40000003, 0xC000003E, 0xC00000B7, 0x40000028):
        if foreign != ARCHITECTURE[machine]:
            assert run(code, foreign, 39) == seccomp.KILL_PROCESS


def test_x32_calls_kill() -> None:
    assert answer("x86_64", "read") == seccomp.ALLOW
    code = seccomp.program("x86_64", PID)
    assert run(code, ARCHITECTURE["x86_64"], 0x40000000) == seccomp.KILL_PROCESS
    assert run(code, ARCHITECTURE["x86_64"], 0xFFFFFFFF) == seccomp.KILL_PROCESS


def test_threads_may_be_made_and_nothing_else(machine: str) -> None:
    assert answer(machine, "clone", 0x3D0F00) == seccomp.ALLOW  # glibc
    assert answer(machine, "clone", 0x7D0F00) == seccomp.ALLOW  # musl
    for flags in (0, 17, 0x4111, 0x3D0F00 | 0x10000000, 0x3D0F00 & ~0x10000, 0x3D0F11, 0x3D2F00):
        assert answer(machine, "clone", flags) == EPERM
    assert answer(machine, "clone3") == ENOSYS


def test_files_open_for_reading_only(machine: str) -> None:
    close_on_exec = 0o2000000
    assert answer(machine, "openat", 0, 0, close_on_exec) == seccomp.ALLOW
    for flags in (0o1, 0o2, 0o3, 0o100, 0o1000, 0o1101 | close_on_exec, 0o20200001):
        assert answer(machine, "openat", 0, 0, flags) == EPERM
    assert answer(machine, "openat2") == ENOSYS


@pytest.mark.parametrize("name", ["kill", "tgkill"])
def test_signals_reach_only_the_process_itself(machine: str, name: str) -> None:
    assert answer(machine, name, PID, PID, 6) == seccomp.ALLOW
    for pid in (0, 1, PID + 1, (1 << 64) - 1, (1 << 32) - PID):
        assert answer(machine, name, pid, pid, 6) == EPERM


def test_limits_may_be_asked_for_and_not_set(machine: str) -> None:
    assert answer(machine, "prlimit64", 0, 7, 0, 1 << 40) == seccomp.ALLOW
    for pid, new in ((0, 1 << 40), (0, 4096), (PID, 0), (1, 0)):
        assert answer(machine, "prlimit64", pid, 7, new, 0) == EPERM


def test_no_option_of_fcntl_prctl_or_ioctl_reaches_outside(machine: str) -> None:
    for name, argument, refused in (
        ("fcntl", 1, (8, 10, 15, 1026, 1031)),  # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_NOTIFY, F_SETPIPE_SZ
        ("ioctl", 1, (0x5412, 0x5413)),  # TIOCSTI
        ("prctl", 0, (1, 4, 22, 38)),  # who it dies with, dumpable, seccomp, privileges
    ):
        for value in refused:
            assert answer(machine, name, *[0] * argument, value) == EPERM
    assert answer(machine, "fcntl", 3, 1030) == seccomp.ALLOW
