"""Fuzz the inspector of disk images: change honest files and look for a crash, or for one accepted that reaches outside itself.

    python -m tests.fuzz [--seconds 3600] [--workers 2] [--seed N]

Each file that the inspector takes is shown to ``qemu-img info``, which must not name another file in it. What is found is
kept in the directory that is printed, and the exit status is 1. The tests run a few seconds of it.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import random
import shlex
import struct
import subprocess
import sys
import tempfile
import time

from common import inspector

QEMU_NAMES = {"vhd": "vpc"}
# What qemu-img makes: (format, its options).
HONEST = (("qcow2", ""), ("qcow2", "compat=0.10"), ("qcow2", "cluster_size=2M"), ("qcow2", "extended_l2=on,cluster_size=128k"),
          ("vmdk", ""), ("vmdk", "subformat=streamOptimized"), ("vdi", ""), ("vdi", "static=on"), ("vhdx", ""), ("vpc", ""),
          ("vpc", "subformat=fixed"), ("raw", ""))
_PATH = "/etc/passwd"
TEXTS = [t.encode("latin-1") for t in (
    _PATH, f'parentFileNameHint="{_PATH}"\n', f'\nRW 2048 FLAT "{_PATH}" 0\n', f'\nRW 2048 SPARSE "{_PATH}"\n',
    'createType="monolithicFlat"\n', "# Disk DescriptorFile\nversion=1\n", "parentCID=12345678\n", "json:{}", "raw\0\0\0\0\0",
    "QFI\xfb", "KDMV", "conectix", "vhdxfile", "LUKS\xba\xbe", "\0", "\n")]
NUMBERS = (0, 1, 2, 3, 4, 5, 8, 64, 104, 112, 512, 0x200, 1024, 4096, 65536, 1 << 31, (1 << 32) - 1, 1 << 62, 1 << 63,
           (1 << 64) - 1)


def corpus(directory: pathlib.Path, command: list[str]) -> list[bytes]:
    """Honest files of every format, one mebibyte each, with a little data."""
    source = directory / "source.raw"
    source.write_bytes(os.urandom(4096) + b"\0" * ((1 << 20) - 4096))
    found = []
    for number, (fmt, options) in enumerate(HONEST):
        path = directory / f"{number}.{fmt}"
        words = ["convert", "-f", "raw", "-O", fmt, *(["-o", options] if options else []), str(source), str(path)]
        subprocess.run([*command, *words], check=True, capture_output=True)
        found.append(path.read_bytes())
    return found


def _text(data: bytearray, rng: random.Random, at: int) -> None:
    text = rng.choice(TEXTS)
    data[at:at + len(text)] = text


def _number(data: bytearray, rng: random.Random, at: int) -> None:
    form = rng.choice((">I", "<I", ">Q", "<Q", ">H", "<H"))
    value = rng.choice(NUMBERS) % (1 << 8 * struct.calcsize(form))
    at = at // struct.calcsize(form) * struct.calcsize(form)
    data[at:at + struct.calcsize(form)] = struct.pack(form, value)


def _bits(data: bytearray, rng: random.Random, at: int) -> None:
    data[at] ^= 1 << rng.randrange(8)


def _backing(data: bytearray, rng: random.Random, at: int) -> None:
    """A name where qcow2 may keep its backing file's."""
    data[8:20] = struct.pack(">QI", rng.choice((at, 0)), rng.choice((len(_PATH), 0)))
    data[at:at + len(_PATH)] = _PATH.encode()


def _cut(data: bytearray, rng: random.Random, at: int) -> None:
    del data[rng.choice((at, rng.randrange(1, len(data)))):]


def mutated(samples: list[bytes], rng: random.Random) -> bytes:
    data = bytearray(rng.choice(samples))
    other = rng.choice(samples)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if len(data) < 16:
            break
        # Mostly where the headers of some format are, or the end's.
        area = rng.choice((128, 512, 4096, 65536, 1 << 18, len(data)))
        at = rng.randrange(min(area, len(data) - 8))
        at = len(data) - 8 - at if rng.random() < 0.15 and at < len(data) - 8 else at
        what = rng.choice((_text, _text, _number, _number, _number, _bits, _backing, _cut, None, None))
        if what:
            what(data, rng, at)
        elif rng.random() < 0.5:  # a part of another, where it stands in that
            length = rng.choice((4, 8, 64, 512, 4096))
            data[at:at + length] = other[at:at + length]
        else:
            data += other[-rng.choice((512, 1024, 1536)):]
    return bytes(data)


def names_others(path: pathlib.Path, fmt: str, command: list[str]) -> str | None:
    """The other file that qemu-img sees in this one, or None. A file that it cannot open names none."""
    words = [*command, "info", "--output=json", "-U", *(["-f", QEMU_NAMES.get(fmt, fmt)] if fmt != "raw" else []), str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=180)
    if done.returncode:
        return None
    facts = json.loads(done.stdout)
    named = {facts.get("backing-filename"), facts.get("full-backing-filename")}
    specific = facts.get("format-specific", {}).get("data", {})
    named |= {specific.get("data-file"), *(e.get("filename") for e in specific.get("extents", []))}
    return next((n for n in named if n not in (None, str(path))), None)


def work(number: int, seconds: float, seed: int, command: list[str], kept: str, counts) -> None:
    rng = random.Random(seed * 1000 + number)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as place:
        samples = corpus(pathlib.Path(place), command)
        path, end = pathlib.Path(place, "image"), time.monotonic() + seconds
        while time.monotonic() < end:
            data, wrong = mutated(samples, rng), None
            path.write_bytes(data)
            try:
                fmt = inspector.inspect(path).format
                counts[1] += 1
                wrong = names_others(path, fmt, command)
            except inspector.UnsafeImage:
                pass
            except Exception as error:  # what this looks for
                wrong = repr(error)
            counts[0] += 1
            if wrong:
                counts[2] += 1
                pathlib.Path(kept, f"{number}-{counts[2]}").write_bytes(data)
                print(f"{kept}/{number}-{counts[2]}: {wrong}", flush=True)


def run(seconds: float, workers: int, seed: int, command: list[str], kept: str) -> tuple[int, int, int]:
    """(files tried, of which accepted, of which wrongly or with a crash)."""
    shared = [multiprocessing.Array("q", 3, lock=False) for _ in range(workers)]
    running = [multiprocessing.Process(target=work, args=(n, seconds, seed, command, kept, shared[n])) for n in range(workers)]
    for each in running:
        each.start()
    for each in running:
        each.join()
        assert each.exitcode == 0, "a worker ended by an error"
    tried, accepted, wrong = (sum(counts[i] for counts in shared) for i in range(3))
    return tried, accepted, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--qemu-img", default="qemu-img", help="the command, with words before it where it needs some")
    args = parser.parse_args()
    kept = tempfile.mkdtemp(prefix="inspector-")
    tried, accepted, wrong = run(args.seconds, args.workers, args.seed, shlex.split(args.qemu_img), kept)
    print(f"seed {args.seed}: {tried} files in {args.seconds:.0f} s by {args.workers} workers, {accepted} accepted and shown to "
          f"qemu-img, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
