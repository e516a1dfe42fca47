#!/bin/sh
# soundfile 0.14.0 (libsndfile 1.2.2): six channels of Opus stand in another order than six of FLAC.
#
# Input: the same six channels, all silent but one, written as FLAC and as Ogg Opus by PyAV 18.1.0, that is by
#   ffmpeg's libraries. In the file Opus has Vorbis's order: left, centre, right, back left, back right, low.
# Expected: both come back alike: libsndfile's interface has WAV's order (left, right, centre, low, …).
# Seen: of FLAC the sounding channel is where it was put; of Opus channels stand as in the file, so centre is
#   read as the second and right as the third. No line of documentation says that the order depends on the kind.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import av
import numpy as np
import soundfile

RATE = 48000


def written(path, codec, sounding):
    wave = np.zeros((6, RATE), np.float32)
    wave[sounding] = 0.5 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)
    with av.open(path, "w") as out:
        stream = out.add_stream(codec, rate=RATE, layout="5.1")
        wanted = stream.codec_context.codec.audio_formats[0].name
        resampler = av.AudioResampler(wanted, "5.1", RATE, frame_size=4096 if codec == "flac" else 960)
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="5.1")
        frame.sample_rate = RATE
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            for packet in stream.encode(part):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)


print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
found = {}
for path, codec in (("x.flac", "flac"), ("x.opus", "libopus")):
    found[codec] = []
    for sounding in range(6):
        written(path, codec, sounding)
        found[codec].append(int(np.abs(soundfile.read(path)[0]).max(axis=0).argmax()))
    print(f"{codec:10} channel 0 … 5 is read as channel", *found[codec])
same = found["flac"] == list(range(6)) and found["libopus"] == [0, 2, 1, 5, 3, 4]
print("as described" if same else "the behaviour has changed")
raise SystemExit(0 if same else 1)
PYTHON
