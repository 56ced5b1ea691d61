"""How long `specgen generate` takes, and how much memory, for 1, 100 and 1000 entities.

    python benchmarks/generate.py [--runs N] [--entities 1,100,1000]

Each entity has six fields and two operations. All cases run in turn, several rounds, so that a busy
moment of the machine hits all of them alike; medians are reported, and the memory of the whole process
tree (proportional set size, which counts a page that processes share once).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMITS = {1: 0.35, 100: 0.8, 1000: 3.0}
HELP_LIMIT = 0.15
MEMORY_LIMIT_MB = 150

ENTITY = """\
name: entity_{number:04d}
description: Entity number {number}
fields:
  id: uuid
  email: {{type: string, nullable: false, unique: true}}
  status: {{type: "enum(active, inactive, suspended)", nullable: false, default: active}}
  score: {{type: "decimal(10,2)", nullable: false, default: 0, check: "score >= 0"}}
  changed_at: timestamp
  created_at: {{type: timestamp, nullable: false, default: "NOW()"}}

patterns:
  - name: batch_operations
    description: Set the status of the given rows
    operation: set_status_{number:04d}
    operation_type: update
    update_data:
      status: :new_status
      changed_at: "NOW()"
    where_condition: "id = ANY(:ids)"
    progress_tracking: true

  - name: batch_operations
    description: Deactivate what has not changed for long
    operation: deactivate_{number:04d}
    operation_type: update
    update_data:
      status: inactive
      changed_at: "NOW()"
    where_condition: "changed_at < :before AND status = 'active'"
    batch_size: 5000
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--entities", default="1,100,1000")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.entities.split(",")]
    with tempfile.TemporaryDirectory(prefix="specgen-benchmark-") as name:
        projects = {size: make_project(Path(name) / str(size), size) for size in sizes}
        times: dict[str, list[float]] = {}
        for _ in range(arguments.runs):
            times.setdefault("--help", []).append(measure(["--help"]))
            for size, project in projects.items():
                out = project / "generated"
                times.setdefault(f"{size} first", []).append(measure(generate(project, fresh(out))))
                times.setdefault(f"{size} again", []).append(measure(generate(project, out)))
        memory = {
            size: peak_memory(generate(project, project / "again")) for size, project in projects.items()
        }
    report(times, sizes, memory)


def make_project(folder: Path, size: int) -> Path:
    entities = folder / "entities"
    entities.mkdir(parents=True)
    for number in range(size):
        (entities / f"entity_{number:04d}.yaml").write_text(ENTITY.format(number=number), encoding="utf-8")
    return folder


def fresh(folder: Path) -> Path:
    for path in folder.glob("*"):
        path.unlink()
    return folder


def generate(project: Path, out: Path) -> list[str]:
    return ["generate", "--project", str(project), "-o", str(out)]


def command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "specgen", *arguments]


def measure(arguments: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command(arguments), cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began


def peak_memory(arguments: list[str]) -> float:
    """The most that all processes of a run held together, in MB."""
    process = subprocess.Popen(
        command(arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(held(pid) for pid in tree(process.pid)))
        time.sleep(0.005)
    return peak / 1024


def tree(pid: int) -> list[int]:
    pids = [pid]
    for parent in pids:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                pids += map(int, children.read_text().split())
            except OSError:
                continue
    return pids


def held(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def report(times: dict[str, list[float]], sizes: list[int], memory: dict[int, float]) -> None:
    print("| specgen | first, s | again, s | limit, s | memory, MB | limit, MB |")
    print("|---|---|---|---|---|---|")
    print(f"| `--help` | {statistics.median(times['--help']):.2f} | | {HELP_LIMIT} | | |")
    for size in sizes:
        first, again = (statistics.median(times[f"{size} {which}"]) for which in ("first", "again"))
        limit = LIMITS.get(size, "")
        print(
            f"| `generate`, {size:,} entities | {first:.2f} | {again:.2f} | {limit}"
            f" | {memory[size]:.0f} | {MEMORY_LIMIT_MB} |"
        )


if __name__ == "__main__":
    main()
