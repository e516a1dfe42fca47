#!/bin/sh
# safetensors 0.8.0 with torch 2.13.0: a conjugated tensor comes back without its conjugation.
#
# Input: half a spectrum of torch.fft.rfft, and its conjugate, x.conj(), which torch calls contiguous; saved by
#   safetensors.torch.save and save_file, with torch.save beside it.
# Expected: the same numbers after loading (as torch.save gives), or an error, as there is for tensors that are not
#   contiguous and as Tensor.numpy() raises for this one.
# Seen: the imaginary parts have the other sign. torch keeps a conjugate as a flag over the same memory, and
#   safetensors copies the memory; x.conj().resolve_conj() is saved rightly. A filter bank stored so shifts phases the
#   other way, while all its magnitudes are right. (Publicly reported as issue 831 of safetensors.)
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 safetensors==0.8.0 \
    2>"$place/log" || { cat "$place/log" >&2; exit 2; }
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import safetensors
import torch
from safetensors.torch import load, load_file, save, save_file

torch.manual_seed(0)
signal = torch.randn(64)
spectrum = torch.fft.rfft(signal)
conjugate = spectrum.conj()
resolved = conjugate.resolve_conj()
assert conjugate.is_contiguous() and torch.equal(conjugate, resolved)
save_file({"it": conjugate}, "it.safetensors")
torch.save({"it": conjugate}, "it.pt")
found = {
    "save": load(save({"it": conjugate}))["it"],
    "save_file": load_file("it.safetensors")["it"],
    "save after resolve_conj": load(save({"it": resolved}))["it"],
    "torch.save": torch.load("it.pt")["it"],
}
print("safetensors", safetensors.__version__, "torch", torch.__version__)
for name, value in found.items():
    apart, other = (value - resolved).abs().max().item(), (value - spectrum).abs().max().item()
    print(f"{name}: difference to what was saved {apart:.2f}, to its conjugate {other:.2f}")
back = torch.fft.irfft(found["save"], 64)
print(f"inverse transform: first values {back[:3].tolist()}, wanted {torch.fft.irfft(resolved, 64)[:3].tolist()}")
lost = all(torch.equal(found[name], spectrum) for name in ("save", "save_file"))
kept = all(torch.equal(found[name], resolved) for name in ("save after resolve_conj", "torch.save"))
print("as described" if lost and kept else "the behaviour has changed")
raise SystemExit(0 if lost and kept else 1)
PYTHON
