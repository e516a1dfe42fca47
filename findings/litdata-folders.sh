#!/bin/sh
# litdata 0.2.76: iter_webdataset_tar makes one sample of cat/1.png and dog/1.png; the first picture is lost.
#
# Input: a tar file with cat/1.png and dog/1.png, as `tar cf` writes a folder of classes with one file each.
# Expected: two samples, cat/1 and dog/1: the key of the webdataset format is the path up to the first dot of
#   the file's name (webdataset 1.0.2 gives these two).
# Seen: one sample of key 1, with the bytes of dog/1.png. The folders are no part of the key, and a second
#   member of the same field takes the place of the first.
# Only the one module is loaded, since the package imports torch.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
    litdata==0.2.76 webdataset==1.0.2 2>"$place/log" || { cat "$place/log" >&2; exit 2; }
"$place/venv/bin/pip" install --quiet --disable-pip-version-check braceexpand==0.1.7 numpy pyyaml 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import importlib.util
import io
import tarfile
from pathlib import Path

import webdataset

with tarfile.open("two.tar", "w") as tar:
    for name, content in (("cat/1.png", b"the cat"), ("dog/1.png", b"the dog")):
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))

package = importlib.util.find_spec("litdata")
path = Path(package.submodule_search_locations[0]) / "processing" / "media_folder.py"
spec = importlib.util.spec_from_file_location("media_folder", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

found = [(sample["__key__"], sample["png"]) for sample in module.iter_webdataset_tar("two.tar")]
print("litdata", importlib.metadata.version("litdata"), found)
others = [(sample["__key__"], sample["png"]) for sample in webdataset.WebDataset("two.tar", shardshuffle=False)]
print("webdataset", importlib.metadata.version("webdataset"), others)
lost = found == [("1", b"the dog")] and [key for key, _ in others] == ["cat/1", "dog/1"]
print("as described: one sample, the cat is lost" if lost else "the behaviour has changed")
raise SystemExit(0 if lost else 1)
PYTHON
