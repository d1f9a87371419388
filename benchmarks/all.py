"""Every benchmark of this folder, one after the other, or those that are named.

    python -m benchmarks.all [name ...] [--list]

Each runs as `python -m benchmarks.<name>` does and prints its own figures; at the end a line for each: what
it is for, how long it took, and whether it came to its end. The exit code is the number that did not.
"""

import argparse
import ast
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PARTS = {"__init__", "all", "recorded_run"}  # no benchmarks of their own


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in PARTS)


def purpose(name: str) -> str:
    """The first sentence of the benchmark's docstring."""
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))) or name
    return " ".join(text.split("\n\n")[0].split(": `python")[0].split()).rstrip(".:")


def main(chosen: list[str]) -> int:
    outcomes = []
    for name in chosen:
        print(f"\n== {name}: {purpose(name)}", flush=True)
        started = time.perf_counter()
        code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent).returncode
        outcomes.append((name, time.perf_counter() - started, code))
    print(f"\n{'benchmark':<14}{'seconds':>8}  purpose")
    for name, seconds, code in outcomes:
        failed = f" (FAILED: exit code {code})" if code else ""
        print(f"{name:<14}{seconds:>8.0f}  {purpose(name)}{failed}")
    return sum(code != 0 for _, _, code in outcomes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(names()))
    parser.add_argument("--list", action="store_true", help="only say what there is")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names()):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    if options.list:
        print("\n".join(f"{name:<14}{purpose(name)}" for name in names()))
        sys.exit(0)
    sys.exit(main(options.names or names()))
