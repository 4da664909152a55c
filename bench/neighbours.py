"""`find_duplicates` on hashes alone, compared with imagededup. Prints Markdown.

usage: neighbours.py --imagededup-python FILE [--codes N] [--radius R]

Random 64-bit hashes, a tenth of them a few bits from another one. Each run is a separate process that first makes
the same map, which is not timed; both must return the same result.
"""

import argparse
import json
import subprocess
import sys

PROGRAM = """
import hashlib, json, random, sys, time, warnings
warnings.simplefilter("ignore")
from {module}.methods import PHash
if __name__ == "__main__":
    chance = random.Random(1)
    codes = [chance.getrandbits(64) for _ in range({count})]
    for at in range(0, len(codes) - 1, 10):
        codes[at + 1] = codes[at] ^ (1 << chance.randrange(64)) ^ (1 << chance.randrange(64))
    names = {{f"{{at}}.jpg": f"{{code:016x}}" for at, code in enumerate(codes)}}
    start = time.perf_counter()
    found = PHash(verbose=False).find_duplicates(encoding_map=names, max_distance_threshold={radius}, scores=True)
    seconds = time.perf_counter() - start
    text = json.dumps({{name: sorted(map(list, others)) for name, others in found.items()}}, sort_keys=True)
    print(json.dumps([seconds, hashlib.sha256(text.encode()).hexdigest()]))
"""


def run(python: str, module: str, count: int, radius: int) -> tuple[float, str]:
    program = PROGRAM.format(module=module, count=count, radius=radius)
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    seconds, digest = json.loads(done.stdout.splitlines()[-1])
    return seconds, digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--imagededup-python", required=True)
    parser.add_argument("--codes", type=int, default=50_000)
    parser.add_argument("--radius", type=int, default=10)
    asked = parser.parse_args()
    ours, same = run(sys.executable, "twinpix.compat.imagededup", asked.codes, asked.radius)
    theirs, expected = run(asked.imagededup_python, "imagededup", asked.codes, asked.radius)
    print(
        "| codes | radius | twinpix, seconds | imagededup, seconds | ratio | the same map |\n|---|---|---|---|---|---|"
    )
    agrees = "yes" if same == expected else "no"
    print(f"| {asked.codes:,} | {asked.radius} | {ours:.2f} | {theirs:.1f} | {theirs / ours:.0f} | {agrees} |")


if __name__ == "__main__":
    main()
