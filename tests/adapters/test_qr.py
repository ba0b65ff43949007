"""Codes as pictures: what a phone's camera needs to read them."""

import struct
import zlib

from wch.adapters.qr import QUIET_ZONE, SCALE, SegnoQrCodes

PIX = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D"


def pixels(png: bytes) -> list[list[bool]]:
    """Which pixels of a grey picture of one bit are black."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, width, height = 8, b"", 0, 0
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert (depth, colour) == (1, 0)
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    raw, stride = zlib.decompress(data), (width + 7) // 8 + 1
    lines, above = [], bytes(stride - 1)
    for row in range(height):
        by, line = raw[row * stride], raw[row * stride + 1 : (row + 1) * stride]
        assert by in {0, 2}
        above = bytes((one + other) % 256 for one, other in zip(line, above, strict=True)) if by else line
        lines.append(above)
    return [[not line[x // 8] >> (7 - x % 8) & 1 for x in range(width)] for line in lines]


def modules(png: bytes) -> list[list[bool]]:
    """One value a module, the quiet zone left out."""
    seen = pixels(png)
    return [row[SCALE * QUIET_ZONE : -SCALE * QUIET_ZONE : SCALE] for row in seen][
        SCALE * QUIET_ZONE : -SCALE * QUIET_ZONE : SCALE
    ]


def test_a_code_has_a_quiet_zone_and_three_finders() -> None:
    seen = pixels(SegnoQrCodes().png(PIX))
    margin = SCALE * QUIET_ZONE
    found = modules(SegnoQrCodes().png(PIX))
    size = len(found)
    finder = [
        [True] * 7,
        [True, *[False] * 5, True],
        *[[True, False, True, True, True, False, True]] * 3,
        [True, *[False] * 5, True],
        [True] * 7,
    ]

    assert not any(any(row[:margin]) or any(row[-margin:]) for row in seen)
    assert not any(any(row) for row in (*seen[:margin], *seen[-margin:]))
    assert (size - 17) % 4 == 0
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        assert [row[left : left + 7] for row in found[top : top + 7]] == finder


def test_two_codes_are_two_pictures_and_one_is_always_the_same() -> None:
    draw = SegnoQrCodes()

    assert draw.png(PIX) == draw.png(PIX)
    assert draw.png(PIX) != draw.png(PIX[:-1] + "E")


def test_a_pix_code_fits_a_phone() -> None:
    """Large enough to be read from another screen, and far below what WhatsApp takes of a picture."""
    png = SegnoQrCodes().png(PIX)

    assert 300 < len(pixels(png)) < 1000
    assert len(png) < 100_000
