"""Judge many random commands: python -m tests.fuzz NUMBER SEED. Ctrl-C ends with what is judged so far."""

import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.fuzz.verdict import run_commands

SENTENCES = Path("outputs/fuzz")


def main(num: int, seed: int, first: int = 0) -> int:
    """Print what is wrong and how often each verdict came; 1 where anything is wrong."""
    started, counts, sentences = time.monotonic(), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as place, suppress(KeyboardInterrupt):
        for number, command, verdict in run_commands(seed, range(first, first + num), Path(place)):
            counts[verdict.kind] += 1
            if verdict.kind == "sentence":
                sentences[verdict.said] += 1
            elif verdict.kind in ("wrong", "late"):
                print(f"{verdict.kind} {number}: {command}\n    {verdict.said}", flush=True)
            if (number + 1) % 100 == 0:
                print(f"{number + 1}: {dict(counts)}, {time.monotonic() - started:.0f} s", flush=True)
    SENTENCES.mkdir(parents=True, exist_ok=True)
    path = SENTENCES / f"sentences_{seed}.txt"
    path.write_text("".join(f"{times}\t{said}\n" for said, times in sentences.most_common()), encoding="utf-8")
    told = ", ".join(f"{counts[kind]} {kind}" for kind in ("trained", "sentence", "late", "wrong"))
    print(f"seed {seed}: {told}, in {time.monotonic() - started:.0f} s; {len(sentences)} distinct sentences in {path}")
    return int(counts["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
