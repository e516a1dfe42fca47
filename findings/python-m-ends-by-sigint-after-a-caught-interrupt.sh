#!/bin/sh
# CPython 3.11: `python -m MODULE` ends by SIGINT, not with the exit code that it is given, where a KeyboardInterrupt was
# once caught that had passed through `exec` of a text; `python FILE.py` does not.
#
# Input: a module that catches KeyboardInterrupt from exec("raise KeyboardInterrupt"), goes on, and calls sys.exit(3).
#   Classes of dataclasses and namedtuples are made by `exec`, so Ctrl-C during an import may pass through one.
# Expected: exit code 3 in both cases, since the exception was caught.
# Seen: 3 for the file; for -m the process kills itself with SIGINT (Popen.returncode -2, 130 in a shell). A mark is set
#   where the exception passes (run_eval_code_obj), never taken back, and looked at when SystemExit has been handled
#   (Py_RunMain). A class of one's own that is made of KeyboardInterrupt is not marked: exit code 3.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cat >"$place/caught.py" <<'PYTHON'
import sys


class Own(KeyboardInterrupt):
    pass


try:
    exec(f"raise {sys.argv[1]}", {"Own": Own})
except KeyboardInterrupt:
    print("caught, and going on", flush=True)
sys.exit(3)
PYTHON
cd "$place"
python3 - <<'PYTHON'
import subprocess
import sys


def code(*words: str) -> int:
    return subprocess.run([sys.executable, *words], check=False).returncode


print("python", sys.version.split()[0])
found = {
    "a file": code("caught.py", "KeyboardInterrupt"),
    "-m": code("-m", "caught", "KeyboardInterrupt"),
    "-m, a class of one's own": code("-m", "caught", "Own"),
}
print(found)
seen = found == {"a file": 3, "-m": -2, "-m, a class of one's own": 3}
print("as described: -m forgets the exit code" if seen else "the behaviour has changed")
raise SystemExit(0 if seen else 1)
PYTHON
