"""What damaged files do: two thousand of them, each in a process with limits. `make fuzz`.

Whole files of every kind that seedmap reads are damaged, one at a time, by chance (seeded), and
given to the command line. Allowed are the right map, checked by an independent reading of the same
files, and one line with exit code 2 (in a study also 3). Anything else is a fault: a traceback, a
wrong map, a hang, more than 1 GB of memory, a file that is left.

    python benchmarks/fuzz.py --number 2000 --seed 0
    python benchmarks/fuzz.py --only 137 --seed 0      one mutant again, with what it says

Runs where processes can be forked (Linux). Leaves with exit code 1 if there is a fault.
"""

import argparse
import logging
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

# Before NumPy comes: a process that has threads cannot be forked safely.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}

from harness.corpus import FAMILIES, Family, make_corpus
from harness.judge import Ended, read_map, run_apart, verdict
from harness.mutants import damage

SHOWN = 5


def main() -> int:
    """Make the files, damage them, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one mutant, by its number")
    parser.add_argument("--family", default="", help="kinds of files whose name holds this")
    options = parser.parse_args()
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # as it reads for the check
    warnings.simplefilter("ignore")
    families = [one for one in FAMILIES if options.family in one.name]
    with tempfile.TemporaryDirectory(prefix="seedmap-fuzz-") as place:
        bench = Bench(Path(place))
        if options.only is not None:
            print("\n".join(bench.mutant(families, options.seed, options.only, talk=True)))
            return 0
        return survey(bench, families, options.seed, options.number)


def survey(bench: "Bench", families: list[Family], seed: int, number: int) -> int:
    """Try many mutants and print a table."""
    ends: dict[str, Counter] = {family.name: Counter() for family in families}
    faults = []
    for at in range(number):
        name, how, end, fault = bench.mutant(families, seed, at)
        ends[name][end] += 1
        if fault:
            faults.append((at, name, how, fault))
            print(f"{at:5} {name}: {how}: {fault}"[:300], flush=True)
    print(f"{'file':22}{'map':>7}{'line':>7}{'fault':>7}")
    for name, found in ends.items():
        print(f"{name:22}{found['map']:7}{found['line']:7}{found['fault']:7}")
    total = sum(ends.values(), Counter())
    print(f"{'all':22}{total['map']:7}{total['line']:7}{total['fault']:7}")
    return 1 if faults else 0


class Bench:
    """A folder of whole files, and one in which they are damaged."""

    def __init__(self, place: Path) -> None:
        self.whole, self.folder = place / "whole", place / "at work"
        make_corpus(self.whole)
        shutil.copytree(self.whole, self.folder)
        self.listed = set(self.folder.rglob("*"))
        self.base = {}
        for family in FAMILIES:
            words = self._words(family, family.damaged[0], family.modes[0])
            shutil.rmtree(self.folder / "OUT", ignore_errors=True)
            ended = run_apart(self.folder, words)
            if ended.code:
                sys.exit(f"{family.name}: the whole files are refused: {ended.said}")
            self.base[family.name] = read_map(family, self.folder)
        shutil.rmtree(self.folder / "OUT")

    def _mend(self, damaged: str) -> None:
        """Bring the whole files back."""
        path = self.folder / damaged
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        whole = self.whole / damaged
        (shutil.copytree if whole.is_dir() else shutil.copy2)(whole, path)
        shutil.rmtree(self.folder / "OUT", ignore_errors=True)
        if set(self.folder.rglob("*")) != self.listed:  # something was left
            shutil.rmtree(self.folder)
            shutil.copytree(self.whole, self.folder)

    @staticmethod
    def _words(family: Family, damaged: str, mode: tuple[str, ...]) -> list[str]:
        return [damaged if word == "DAMAGED" else word for word in (*family.command, *mode)]

    def mutant(
        self, families: list[Family], seed: int, at: int, *, talk: bool = False
    ) -> tuple[str, str, str, str]:
        """Try one mutant; return family, damage, end and fault (empty for none)."""
        chance = random.Random(f"{seed} {at}")
        family = chance.choices(families, [one.weight for one in families])[0]
        damaged = chance.choice(family.damaged)
        mode = chance.choices(family.modes, [2, 1][: len(family.modes)])[0]
        how = damage(self.folder / damaged, chance)
        before = set(self.folder.rglob("*"))
        ended = run_apart(self.folder, self._words(family, damaged, mode))
        base = self.base[family.name] if mode == family.modes[0] else None
        fault = verdict(family, self.folder, before, ended, base)
        if talk:
            tell(self.folder, self._words(family, damaged, mode), ended)
        self._mend(damaged)
        end = "fault" if fault else "line" if ended.code else "map"
        return family.name, f"{Path(damaged).name}: {how}", end, fault


def tell(folder: Path, words: list[str], ended: Ended) -> None:
    """Print all that is known of a mutant, and keep its files."""
    kept = Path(tempfile.mkdtemp(prefix="seedmap-mutant-"))
    shutil.copytree(folder, kept / "files", symlinks=True)
    print(f"cd '{kept / 'files'}'; python -m seedmap {' '.join(words)}")
    print(ended.printed, ended.said, sep="\n")
    print(f"exit code {ended.code}, {ended.seconds:.1f} s, {ended.memory >> 20} MB")


if __name__ == "__main__":
    sys.exit(main())
