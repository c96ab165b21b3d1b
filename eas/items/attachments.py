"""Attachments: what they are called, and their content, whole or a range of it, decoded piece by piece. Pure."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Iterator

from eas.items import mime
from eas.items.markup import clean
from eas.items.native import Part

NORMAL, EMBEDDED_MESSAGE, OLE = 1, 5, 6

_OLE_TYPES = frozenset(("application/oleobject", "application/x-oleobject", "application/x-ole-storage"))
_MESSAGE_TYPES = frozenset(("message/rfc822", "message/global"))


def method_of(part: Part) -> int:
    """[MS-ASAIRS] Method (Attachment)."""
    if part.type in _MESSAGE_TYPES:
        return EMBEDDED_MESSAGE
    return OLE if part.type in _OLE_TYPES else NORMAL


#: What nameless parts are called, by type, else by main type.
_NAME_OF_TYPE = {
    "text/calendar": "invite.ics", "application/ics": "invite.ics", "text/vcard": "contact.vcf",
    "text/html": "text.html", "text/plain": "text.txt", "text/rfc822-headers": "headers.txt",
    "message/delivery-status": "details.txt",
    "message/disposition-notification": "details.txt", "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m", "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s", "application/pgp-signature": "signature.asc",
    "application/pgp-encrypted": "encrypted.asc", "application/ms-tnef": "winmail.dat",
    "application/pdf": "document.pdf",
    "application/zip": "archive.zip", "image/jpeg": "image.jpg", "image/png": "image.png", "image/gif": "image.gif",
    "image/webp": "image.webp", "image/heic": "image.heic", "image/tiff": "image.tif", "image/bmp": "image.bmp",
    "image/svg+xml": "image.svg", "audio/mpeg": "audio.mp3", "audio/wav": "audio.wav", "audio/amr": "audio.amr",
    "video/mp4": "video.mp4", "text": "text.txt", "image": "image.bin", "audio": "audio.bin", "video": "video.bin",
}  # fmt: skip
_DANGEROUS = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
#: Longest name that file systems take.
_MAX_NAME = 255


def display_name(part: Part) -> str:
    """The file name, without anything that a file system or a path could take amiss; that of a message ends ".eml".

    Android asks for the ending.
    """
    name = _DANGEROUS.sub("_", clean(part.filename)).strip(" .")
    if part.type in _MESSAGE_TYPES:
        name = (name or "message").removesuffix(".eml")[: _MAX_NAME - 4]
        return f"{name}.eml"
    if not name:
        main = part.type.partition("/")[0]
        return _NAME_OF_TYPE.get(part.type) or _NAME_OF_TYPE.get(main) or "attachment.bin"
    if len(name) > _MAX_NAME:
        stem, dot, ending = name.rpartition(".")
        keep = len(dot + ending) if stem and len(ending) <= 10 else 0
        name = name[: _MAX_NAME - keep] + (name[-keep:] if keep else "")
    return name


def content_type(part: Part) -> str:
    """[MS-ASAIRS] ContentType. An enclosed message is sent as message/rfc822, what it is called: .eml."""
    return part.type if _MEDIA_TYPE.fullmatch(part.type) else "application/octet-stream"


#: Two tokens of RFC 2045, of a length that RFC 6838 allows: what a message says otherwise is nothing for a header.
_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,127}/[!#$%&'*+.^_`|~0-9A-Za-z-]{1,127}", re.ASCII)


def find(root: Part | None, section: str) -> Part | None:
    """The part that a reference names; None if the message has none such. "" names the whole message, also of one that
    has no structure."""
    if not section:
        return Part(section="", type="message/rfc822", size=-1, offset=0)
    return None if root is None else mime.part_at(root, section)


def decode_range(part: Part, raw: bytes, first: int = 0, last: int | None = None) -> bytes:
    """The decoded octets `first` to `last` (included; None for the end) of a part whose encoded octets are at hand.

    A range beyond the end gives what there is. [MS-ASCMD] Range (ItemOperations).
    """
    data = mime.decode_section(part, raw)
    return data[first:] if last is None else data[first : last + 1]


class Decoder:
    """Decodes a part as its encoded octets come, with no more memory than a piece takes; rare encodings wait for the
    end."""

    def __init__(self, part: Part) -> None:
        self._part, self._rest = part, b""
        self._step = _STEPS.get(part.encoding, _whole if part.encoding in mime.WHOLE_ONLY else _as_it_is)

    def feed(self, piece: bytes) -> bytes:
        """What can be decoded now; b"" for nothing yet."""
        decoded, self._rest = self._step(self._part, self._rest + piece, False)
        return decoded

    def end(self) -> bytes:
        decoded, self._rest = self._step(self._part, self._rest, True)
        return decoded


def decoded_pieces(part: Part, pieces: Iterable[bytes], first: int = 0, last: int | None = None) -> Iterator[bytes]:
    """As `decode_range`, piece by piece; stops reading behind the range."""
    decoder, cut = Decoder(part), Cut(first, last)
    for piece in pieces:
        if wanted := cut.of(decoder.feed(piece)):
            yield wanted
        if cut.done:
            return
    if wanted := cut.of(decoder.end()):
        yield wanted


class Cut:
    """Cuts a range out of octets that come one piece after the other. `last` is included; None for the end."""

    def __init__(self, first: int, last: int | None) -> None:
        self._first, self._last, self._at = first, last, 0

    def of(self, piece: bytes) -> bytes:
        begin = max(self._first - self._at, 0)
        end = len(piece) if self._last is None else self._last + 1 - self._at
        self._at += len(piece)
        return piece[begin:end] if begin < end else b""

    @property
    def done(self) -> bool:
        """Nothing that comes can be wanted any more."""
        return self._last is not None and self._at > self._last


#: Decodes what can be decoded of some octets, and says what is left for the next time; True: there is no next time.
_Step = Callable[[Part, bytes, bool], tuple[bytes, bytes]]


def _as_it_is(part: Part, data: bytes, ended: bool) -> tuple[bytes, bytes]:
    return data, b""


def _whole(part: Part, data: bytes, ended: bool) -> tuple[bytes, bytes]:
    return (mime.decode_section(part, data), b"") if ended else (b"", data)


_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def _base64(part: Part, data: bytes, ended: bool) -> tuple[bytes, bytes]:
    """Four octets make three; what is left over waits for the next piece. Padding within is passed over."""
    data = data.translate(None, _NOT_BASE64)
    whole = len(data) // 4 * 4
    rest = data[whole:]
    decoded = binascii.a2b_base64(data[:whole]) if whole else b""
    if not ended:
        return decoded, rest
    return decoded + (binascii.a2b_base64(rest + b"==="[: 4 - len(rest)]) if len(rest) > 1 else b""), b""


def _quoted(part: Part, data: bytes, ended: bool) -> tuple[bytes, bytes]:
    """Whole lines are decoded: an escape, a soft line break and the white space before it do not cross lines."""
    whole = len(data) if ended else data.rfind(b"\n") + 1
    if not whole and len(data) > _MAX_LINE:
        whole = data.rfind(b"=") if data.rfind(b"=") > len(data) - 3 else len(data)
    return (binascii.a2b_qp(data[:whole]) if whole else b""), data[whole:]


#: Lines of quoted-printable have 76 characters (RFC 2045); longer ones are decoded before their end is seen.
_MAX_LINE = 64 * 1024

_STEPS: dict[str, _Step] = {"base64": _base64, "quoted-printable": _quoted}
