"""Programs that write recordings, and their settings. {i} is a WAV file, {o} is the output file."""

from __future__ import annotations

from typing import Any

from benchmarks.valid_files.setting import Tolerance

FLOAT32 = Tolerance(1e-7, 1e-7)  # 32-bit whole numbers have more bits than the float32 that is read
STEP32 = Tolerance(5e-5, 2e-5)  # lossy coders in float32, by two implementations
OPUS = Tolerance(0.25, 0.03)  # below 48 kHz libopus leaves out the band above, opusdec filters it out
FF = "ffmpeg -v error -y -i {i}"
RATES = (8000, 11025, 16000, 22050, 44100, 48000)
HIGH = (*RATES, 88200, 96000, 192000)

# encoder; suffix; bits of the input; channels; rates; "=" or the tolerance; settings one a line
TABLE: tuple[tuple[str, str, int, tuple[int, ...], tuple[int, ...], Any, str], ...] = (
    (
        "ffmpeg",
        ".wav",
        24,
        (1, 2, 3, 6, 8),
        HIGH,
        "=",
        """{F} -c:a pcm_s24le {o}
        {F} -c:a pcm_s32le {o}
        {F} -c:a pcm_f32le {o}
        {F} -c:a pcm_f64le {o}
        {F} -c:a pcm_s24le -rf64 always {o}
        {F} -c:a pcm_s24le -write_bext 1 -metadata title=x -bitexact {o}""",
    ),
    (
        "ffmpeg",
        ".wav",
        16,
        (1, 2, 4),
        HIGH,
        "=",
        "{F} -c:a pcm_s16le {o}\n{F} -c:a pcm_s16le -write_peak on {o}",
    ),
    ("ffmpeg", ".wav", 8, (1, 2), RATES, "=", "{F} -c:a pcm_u8 {o}"),
    ("ffmpeg", ".w64", 24, (1, 2, 5), HIGH, "=", "{F} -c:a pcm_s24le {o}\n{F} -c:a pcm_f32le {o}"),
    (
        "ffmpeg",
        ".aiff",
        24,
        (1, 2, 6),
        HIGH,
        "=",
        "{F} -c:a pcm_s24be {o}\n{F} -c:a pcm_s32be {o}\n{F} -c:a pcm_f32be {o}\n{F} -c:a pcm_f64be {o}",
    ),
    (
        "ffmpeg",
        ".aiff",
        16,
        (1, 2),
        RATES,
        "=",
        "{F} -c:a pcm_s16le {o}\n{F} -c:a pcm_s16be -write_id3v2 1 -metadata title=x {o}",
    ),
    (
        "ffmpeg",
        ".au",
        24,
        (1, 2, 4),
        HIGH,
        "=",
        "{F} -c:a pcm_s24be {o}\n{F} -c:a pcm_s32be {o}\n{F} -c:a pcm_f64be {o}",
    ),
    (
        "ffmpeg",
        ".caf",
        24,
        (1, 2, 6),
        HIGH,
        "=",
        "{F} -c:a pcm_s24le {o}\n{F} -c:a pcm_f32be {o}\n{F} -c:a pcm_s24be {o}",
    ),
    ("ffmpeg", ".caf", 16, (1, 2), RATES, "=", "{F} -c:a alac {o}"),
    (
        "ffmpeg",
        ".flac",
        24,
        (1, 2, 6, 8),
        HIGH,
        "=",
        "{F} -c:a flac -sample_fmt s32 {o}\n{F} -c:a flac -compression_level 12"
        " -sample_fmt s32 {o}\n{F} -c:a flac -sample_fmt s32 -frame_size 177 {o}",
    ),
    ("ffmpeg", ".m4a", 16, (1, 2, 6), RATES, "=", "{F} -c:a alac {o}"),
    ("ffmpeg", ".tta", 16, (1, 2), RATES, "=", "{F} -c:a tta {o}"),
    ("ffmpeg", ".wv", 16, (1, 2), RATES, "=", "{F} -c:a wavpack {o}"),
    ("ffmpeg", ".mka", 24, (1, 2), RATES, "=", "{F} -c:a pcm_s24le {o}\n{F} -c:a flac -sample_fmt s32 {o}"),
    (
        "ffmpeg",
        ".wav",
        16,
        (1, 2),
        RATES,
        Tolerance(1e-7, 1e-7),
        "{F} -c:a pcm_alaw {o}\n{F} -c:a pcm_mulaw {o}",
    ),
    (
        "ffmpeg",
        ".au",
        16,
        (1, 2),
        RATES,
        Tolerance(1e-7, 1e-7),
        "{F} -c:a pcm_alaw {o}\n{F} -c:a pcm_mulaw {o}",
    ),
    ("ffmpeg", ".caf", 16, (1, 2), RATES, Tolerance(1e-7, 1e-7), "{F} -c:a pcm_mulaw {o}"),
    ("ffmpeg", ".wav", 16, (1, 2), RATES, FLOAT32, "{F} -c:a adpcm_ima_wav {o}\n{F} -c:a adpcm_ms {o}"),
    (
        "ffmpeg",
        ".mp3",
        16,
        (1, 2),
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
        STEP32,
        """{F} -c:a libmp3lame -b:a 64k {o}
        {F} -c:a libmp3lame -q:a 4 {o}
        {F} -c:a libmp3lame -q:a 6 -write_xing 0 {o}
        {F} -c:a libmp3lame -b:a 32k -write_xing 0 -id3v2_version 0 {o}
        {F} -c:a libmp3lame -b:a 96k -abr 1 -write_id3v1 1 -metadata title=x {o}""",
    ),
    (
        "ffmpeg",
        ".mp2",
        16,
        (1, 2),
        (16000, 22050, 24000, 32000, 44100, 48000),
        STEP32,
        "{F} -c:a mp2 -b:a 96k {o}",
    ),
    (
        "ffmpeg",
        ".ogg",
        16,
        (1, 2, 3, 6, 8),
        HIGH[:8],
        STEP32,
        "{F} -c:a libvorbis -q:a 2 {o}\n{F} -c:a libvorbis -q:a 8 -page_duration 20000 {o}",
    ),
    (
        "ffmpeg",
        ".opus",
        16,
        (1, 2, 6),
        (8000, 16000, 48000),
        OPUS,
        "{F} -c:a libopus -b:a 64k {o}\n{F} -c:a libopus -vbr off"
        " -frame_duration 60 {o}\n{F} -c:a libopus -application lowdelay -frame_duration 2.5 -b:a 96k {o}",
    ),
    (
        "lame",
        ".mp3",
        16,
        (1, 2),
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
        STEP32,
        """--quiet --cbr -b 64 {i} {o}
        --quiet -V 2 {i} {o}
        --quiet -V 7 --vbr-old {i} {o}
        --quiet --abr 80 {i} {o}
        --quiet -t -V 5 {i} {o}
        --quiet -t --cbr -b 32 {i} {o}
        --quiet -m m {i} {o}
        --quiet -m f {i} {o}
        --quiet -m s -p {i} {o}
        --quiet --add-id3v2 --pad-id3v2 --tt title {i} {o}
        --quiet --id3v1-only --tt title {i} {o}
        --quiet -V 4 --resample 22.05 {i} {o}""",
    ),
    (
        "twolame",
        ".mp2",
        16,
        (1, 2),
        (16000, 22050, 24000, 32000, 44100, 48000),
        STEP32,
        "--quiet -b 64 {i} {o}\n--quiet -b 96 -p {i} {o}\n--quiet -b 128 -m mono {i} {o}",
    ),
    (
        "oggenc",
        ".ogg",
        16,
        (1, 2, 4, 6),
        HIGH[:8],
        STEP32,
        """-Q -q -1 {i} -o {o}
        -Q -q 3 {i} -o {o}
        -Q -q 10 {i} -o {o}
        -Q --managed -b 96 {i} -o {o}
        -Q -q 5 --skeleton {i} -o {o}
        -Q -q 2 -t title -s 7 {i} -o {o}""",
    ),
    (
        "opusenc",
        ".opus",
        16,
        (1, 2, 3, 6),
        (8000, 16000, 24000, 44100, 48000),
        OPUS,
        """--quiet --bitrate 96 {i} {o}
        --quiet --hard-cbr --bitrate 64 --framesize 10 {i} {o}
        --quiet --framesize 2.5 --bitrate 128 {i} {o}
        --quiet --framesize 60 --cvbr --comp 2 {i} {o}
        --quiet --speech --bitrate 16 {i} {o}
        --quiet --framesize 5 --max-delay 0 --padding 9000 {i} {o}""",
    ),
    ("opusenc", ".ogg", 16, (1, 2), (16000, 48000), OPUS, "--quiet --framesize 40 {i} {o}"),
    (
        "flac",
        ".flac",
        24,
        (1, 2, 5, 8),
        HIGH,
        "=",
        """-s -0 {i} -o {o}
        -s -8 -e -p {i} -o {o}
        -s --lax -b 17 {i} -o {o}
        -s --lax -b 16384 -l 32 {i} -o {o}
        -s --no-padding --no-seektable {i} -o {o}
        -s -m -r 0,8 -S 1x -S 100x -P 5000 -T A=b {i} -o {o}""",
    ),
    (
        "flac",
        ".flac",
        16,
        (1, 2),
        HIGH,
        "=",
        "-s -5 {i} -o {o}\n-s -2 --replay-gain {i} -o {o}\n-s -M --lax -b 65535 {i} -o {o}",
    ),
    ("flac", ".flac", 8, (1, 2), RATES, "=", "-s -5 {i} -o {o}"),
    ("flac", ".oga", 16, (1, 2), RATES, "=", "-s --ogg -5 {i} -o {o}"),
    (
        "sox",
        ".wav",
        24,
        (1, 2, 7),
        HIGH,
        "=",
        "-D {i} {o}\n-D {i} -e floating-point -b 32 {o}\n-D {i} -e floating-point -b 64 {o}"
        "\n-D {i} -b 32 {o}\n-D {i} -B {o}",
    ),
    ("sox", ".wav", 8, (1, 2), RATES, "=", "-D {i} -b 8 {o}"),
    ("sox", ".aiff", 24, (1, 2, 4), HIGH, "=", "-D {i} {o}\n-D {i} -b 32 {o}"),
    ("sox", ".aifc", 16, (1, 2), RATES, "=", "-D {i} {o}"),
    ("sox", ".au", 24, (1, 2), HIGH, "=", "-D {i} {o}\n-D {i} -e floating-point -b 32 {o}\n-D {i} -L {o}"),
    ("sox", ".caf", 24, (1, 2), HIGH, "=", "-D {i} {o}"),
    ("sox", ".w64", 16, (1, 2), HIGH, "=", "-D {i} {o}"),
    ("sox", ".wav", 16, (1, 2), RATES, Tolerance(1e-7, 1e-7), "-D {i} -e a-law {o}\n-D {i} -e mu-law {o}"),
    (
        "sox",
        ".wav",
        16,
        (1,),
        RATES,
        FLOAT32,
        "-D {i} -e ima-adpcm {o}\n-D {i} -e ms-adpcm {o}\n-D {i} -e gsm-full-rate {o}",
    ),
    ("sox", ".ogg", 16, (1, 2), RATES, STEP32, "-D {i} -C 4 {o}"),
    ("sox", ".mp3", 16, (1, 2), RATES, STEP32, "-D {i} -C 64.01 {o}\n-D {i} -C -4.2 {o}"),
    ("wavpack", ".wv", 24, (1, 2, 6), HIGH, "=", "-q {i} -o {o}\n-q -hx {i} -o {o}\n-q -f {i} -o {o}"),
)
