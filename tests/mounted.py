"""Runs code in a separate mount namespace, where one folder is visible through two mounts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# A separate file system at {top}, in which the folder {top}/merged is a mount of {top}/branch.
MOUNTS = {
    "overlay": "mkdir lower work; mount -t overlay -o lowerdir=lower,upperdir=branch,workdir=work overlay merged",
    "bind": "mount --bind branch merged",
    "bindfs": "bindfs branch merged",
    "mergerfs": "mkdir other; mergerfs branch=RW:other=RW merged",
    "mergerfs, numbers of paths": "mkdir other; mergerfs -o inodecalc=path-hash branch=RW:other=RW merged",
}
_NO_MOUNT = 77


def run(kind: str, top: Path, script: str) -> str:
    """The output of a Python script where `merged` is a mount of `branch`; skips if that cannot be mounted."""
    program = MOUNTS[kind].split("; ")[-1].split(" ")[0]
    unshare = shutil.which("unshare")
    if unshare is None or shutil.which(program) is None:
        pytest.skip(f"needs unshare and {program}")
    if os.geteuid() and program != "mount":
        pytest.skip(f"{program} needs root")
    (top / "script.py").write_text(script)
    shell = f"""mount -t tmpfs tmpfs {top}/in || exit {_NO_MOUNT}
cd {top}/in && mkdir branch merged && {MOUNTS[kind].replace("; ", " && ")} || exit {_NO_MOUNT}
{sys.executable} {top}/script.py; code=$?
cd / && umount {top}/in/merged
exit $code"""
    (top / "in").mkdir()
    options = "-m" if os.geteuid() == 0 else "-rm"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "HOME": str(top / "home"), "XDG_STATE_HOME": str(top / "home")}
    done = subprocess.run([unshare, options, "sh", "-c", shell], capture_output=True, text=True, env=environment)
    if done.returncode == _NO_MOUNT or (not done.stdout and "unshare" in done.stderr):
        pytest.skip(f"{kind} cannot be mounted here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
