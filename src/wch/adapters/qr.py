"""QR codes as pictures that a bank's app can read off another screen."""

import io

import attrs

SCALE = 8
"""Pixels a module: a Pix code of 200 characters is some 450 pixels wide, which no phone shrinks until it blurs."""

QUIET_ZONE = 4
"""Modules of white around it, as ISO/IEC 18004 wants."""


@attrs.frozen
class SegnoQrCodes:
    """Draws them with segno, which needs nothing beside Python."""

    def png(self, text: str) -> bytes:
        """The text as a QR code, a seventh of which may be covered and it is still read."""
        import segno  # noqa: PLC0415 - only who is paid by a code needs it

        picture = io.BytesIO()
        segno.make_qr(text, error="M").save(picture, kind="png", scale=SCALE, border=QUIET_ZONE)
        return picture.getvalue()
