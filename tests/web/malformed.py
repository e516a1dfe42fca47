"""Requests that are wrong in one place: headers, numbers, strings, escapes, lengths."""

import random
import socket
from contextlib import suppress

SURROGATE = '"\\ud800"'
WORDS = ["", "0", "-1", "1e400", "NaN", "nul\x00l", "é", "%", "%zz", "%ed%a0%80", "%00", "\ud7ff", "x" * 5000]
WORDS += [
    "9" * 400,
    "１２",
    "../../etc/passwd",
    "true",
    "[]",
    "{}",
    "last",
    "sample-1",
    "mae",
    "a&a=b",
    "+",
    "0x10",
]
ORIGINS = [
    "null",
    "http://[",
    "http://[::1",
    "http://a:b:c",
    "http://\x7f",
    "//",
    "http://127.0.0.1:99999999",
    "é",
]
PATHS = [
    "models",
    "samples",
    "attention",
    "rollout",
    "similarity",
    "relevance",
    "predict",
    "embed",
    "scene",
    "sound",
]
PATHS += ["pictures/sample-1", "pictures/%ff", "nothing"]
FIELDS = ["model", "picture", "layer", "head", "token", "target", "pool"]
VALUES = [
    "null",
    "true",
    "-0",
    "1e400",
    "NaN",
    '""',
    '"\\u0000"',
    SURROGATE,
    "[]",
    "{}",
    "9" * 400,
    '"9"',
    "[[[]]]",
]
KEYS = ["model", "picture", "hidden", "ratio", "seed", "masking", "of", "\\ud800", ""]


def one(draw: random.Random) -> bytes:
    """A request, with `Connection: close`."""
    kind = draw.randrange(6)
    headers = {"Host": "127.0.0.1", "Connection": "close"}
    method, target, body = "GET", f"/api/{draw.choice(PATHS)}?model=mae&picture=sample-1", b""
    if kind == 0:
        target = f"/api/{draw.choice(PATHS)}?" + "&".join(
            f"{draw.choice(FIELDS)}={_quoted(draw.choice(WORDS))}" for _ in range(draw.randrange(6))
        )
    elif kind == 1:
        headers[draw.choice(["Origin", "Host", "Sec-Fetch-Site", "Content-Length", "Accept", "Range"])] = (
            draw.choice(ORIGINS + WORDS).replace("\x00", "")
        )
    elif kind == 2:
        method, target = "POST", f"/api/{draw.choice(['reconstruct', 'sound'])}"
        known = {"model": '"mae"', "picture": '"sample-1"'}
        known |= {draw.choice(KEYS): draw.choice(VALUES) for _ in range(draw.randrange(4))}
        body = ("{" + ", ".join(f'"{key}": {value}' for key, value in known.items()) + "}").encode()
        if draw.random() < 0.2:
            body = body[: draw.randrange(len(body))] + draw.choice([b"\xff", b"\x00", b"}", b""])
    elif kind == 3:
        method, target = "POST", "/api/pictures"
        body = draw.choice([b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF89a", b"\xff\xd8\xff", b""]) + draw.randbytes(
            40
        )
    elif kind == 4:
        method = draw.choice(
            ["HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PATCH", "get", "X" * 300, "CONNECT"]
        )
        target = draw.choice([target, "/", "/static/main.js", "/static/../app.py", "*", "http://a/", "//"])
    else:
        target = draw.choice([f"/{_quoted(draw.choice(WORDS))}", f"/static/{_quoted(draw.choice(WORDS))}"])
    if body:
        headers.setdefault("Content-Length", str(len(body)))
        headers["Content-Type"] = draw.choice(
            ["application/json", "text/plain", "application/json; charset=x", ""]
        )
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode(errors="surrogatepass") + b"\r\n\r\n" + body


def _quoted(word: str) -> str:
    """As a client would send it that takes some care: blanks and control letters would end the line."""
    return "".join(letter if letter > " " else f"%{ord(letter):02x}" for letter in word)


def status(port: int, request: bytes) -> int:
    """Of the answer; 0 where there is none."""
    with (
        suppress(OSError, ValueError, IndexError),
        socket.create_connection(("127.0.0.1", port), 30) as place,
    ):
        place.sendall(request)
        return int(place.recv(64).split()[1])
    return 0
