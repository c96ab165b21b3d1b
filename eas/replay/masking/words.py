"""Pseudonyms of words, numbers, ids and bytes. Everything follows from a key: the same word has the same pseudonym in
every file that is masked with it, and nobody without the key can tell which word it was by trying.

A pseudonym has the length of what it stands for, in characters and, in the charset that is named, in bytes. Letters
become letters of the same script and case, digits digits; nothing else is changed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxyz"
DIGITS = "0123456789"
HEX = "abcdef"
#: Ids that are shorter name nobody, and longer ones have room for no two to become the same.
SHORTEST_ID = 4
#: Longer ids are no numbers to reckon with.
LONGEST_ID = 64
_ROUNDS = 6

_ALPHANUMERIC = re.compile(r"[0-9A-Za-z]+")
_HEX_ID = re.compile(r"[0-9a-f]+|[0-9A-F]+")
#: Words whose pseudonyms are remembered, for speed.
_REMEMBERED = 50_000
#: Pseudonyms that are remembered, to tell them from leaks.
_REMEMBERED_PSEUDONYMS = 300_000


class Words:
    """All pseudonyms of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = blake2b(key, person=b"eas-session-mask").digest()
        #: Pseudonyms so far, in lower case: where one is found, that is no leak of the word that it happens to be.
        self.made: set[str] = set()
        self.word = lru_cache(_REMEMBERED)(self._word)
        self.number = lru_cache(_REMEMBERED)(self._number)
        self.id_part = lru_cache(_REMEMBERED)(self._id_part)

    def stream(self, purpose: str, text: bytes, length: int) -> bytes:
        """That many bytes that follow from the key, the purpose and the text."""
        seed = blake2b(text, key=self._key, person=purpose.encode()[:16]).digest()
        blocks = [seed]
        for number in range(1, -(-length // len(seed))):
            blocks.append(blake2b(number.to_bytes(8, "big"), key=seed).digest())
        return b"".join(blocks)[:length]

    def _word(self, word: str, charset: str = "utf-8") -> str:
        """Letters of any script. The same word in other letters of case is the same pseudonym in those."""
        made = self._other_word(word, charset)
        if len(made) >= SHORTEST_ID and len(self.made) < _REMEMBERED_PSEUDONYMS:
            self.made.add(made.lower())
        return made

    def _other_word(self, word: str, charset: str) -> str:
        lower = "".join(_lower(letter, charset) for letter in word)
        for attempt in range(8):
            chosen = self._letters(lower, charset, attempt)
            made = "".join(map(_in_case, chosen, word))
            if _fits(made, word, charset) and made.lower() != word.lower():
                return made
        return made if _fits(made, word, charset) else "".join(chosen)

    def _letters(self, lower: str, charset: str, attempt: int) -> str:
        numbers = self.stream(f"word {attempt}", lower.encode("utf-8", "surrogatepass"), 2 * len(lower))
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return "".join(
            _picked(alphabet(letter, charset), first << 8 | second)
            for letter, (first, second) in zip(lower, pairs, strict=True)
        )

    def _number(self, digits: str) -> str:
        """Decimal digits of any script; the first one is no zero where it was none."""
        for attempt in range(8):
            numbers = self.stream(f"number {attempt}", digits.encode("utf-8", "surrogatepass"), len(digits))
            made = "".join(map(_digit, digits, numbers))
            if len(made) > 1 and digits[0] != "0" and unicodedata.digit(made[0]) == 0:
                made = _digit(digits[0], numbers[0] % 9 + 1) + made[1:]
            if made != digits:
                break
        return made

    # Ids -------------------------------------------------------------------------------------------------------------

    def id(self, text: str) -> str:
        """Ids that differ stay different: whoever replays a session finds one by the other. Parts between other
        characters are changed each for itself, so that an id which begins with another one still does."""
        return _ALPHANUMERIC.sub(lambda found: self.id_part(found[0]), text)

    def _id_part(self, part: str) -> str:
        if len(part) < SHORTEST_ID:
            return part
        is_hex = _HEX_ID.fullmatch(part) is not None
        made = self._permuted(part, is_hex)
        while not is_hex and _HEX_ID.fullmatch(made):  # else it might be what a part of hex digits becomes
            made = self._permuted(made, False)
        return made

    def _permuted(self, part: str, is_hex: bool) -> str:
        """One of all texts of the same form, and no other text becomes the same one: a Feistel network."""
        alphabets = [_id_alphabet(letter, is_hex) for letter in part]
        if len(part) > LONGEST_ID:
            numbers = self.stream("long id", part.encode(), len(part))
            return "".join(map(_picked, alphabets, numbers))
        half = len(part) // 2
        sides = [_Digits(alphabets[:half]), _Digits(alphabets[half:])]
        values = [sides[0].number(part[:half]), sides[1].number(part[half:])]
        shape = "".join(letters[0] for letters in alphabets).encode()
        for turn in range(_ROUNDS):
            this, other = turn % 2, 1 - turn % 2
            said = b"%d %d " % (turn, values[other]) + shape
            values[this] = (values[this] + int.from_bytes(self.stream("id", said, 48), "big")) % sides[this].count
        return sides[0].text(values[0]) + sides[1].text(values[1])


class _Digits:
    """Texts with an alphabet for each place <-> numbers below `count`."""

    def __init__(self, alphabets: Sequence[str]) -> None:
        self._alphabets = alphabets
        self.count = 1
        for letters in alphabets:
            self.count *= len(letters)

    def number(self, text: str) -> int:
        value = 0
        for letters, letter in zip(self._alphabets, text, strict=True):
            value = value * len(letters) + letters.index(letter)
        return value

    def text(self, value: int) -> str:
        out = []
        for letters in reversed(self._alphabets):
            value, place = divmod(value, len(letters))
            out.append(letters[place])
        return "".join(reversed(out))


def _id_alphabet(letter: str, is_hex: bool) -> str:
    if letter in DIGITS:
        return DIGITS
    lower = HEX if is_hex else "abcdefghijklmnopqrstuvwxyz"
    return lower if letter.islower() else lower.upper()


def _picked(letters: str, number: int) -> str:
    return letters[number % len(letters)]


def _digit(digit: str, number: int) -> str:
    return chr(ord(digit) - unicodedata.digit(digit) + number % 10)


# Letters -------------------------------------------------------------------------------------------------------------


def _lower(letter: str, charset: str) -> str:
    """Itself where the other one has more bytes, or fewer."""
    lower = letter.lower()
    if letter.isascii():
        return lower
    return lower if len(lower) == 1 and _bytes(lower, charset) == _bytes(letter, charset) else letter


def _in_case(made: str, original: str) -> str:
    """`made` in capitals where the other one is one, and has one."""
    if not original.isupper():
        return made
    upper = made.upper()
    return upper if len(upper) == 1 else made


def _fits(made: str, word: str, charset: str) -> bool:
    if made.isascii() and word.isascii():
        return True
    try:
        return len(made.encode(charset)) == len(word.encode(charset))
    except UnicodeError:
        return False


@lru_cache(20_000)
def alphabet(letter: str, charset: str) -> str:
    """What may stand for a letter: neighbours of the same kind that the charset has, in as many bytes. Itself is always
    among them."""
    if letter in VOWELS:
        return VOWELS
    if letter in CONSONANTS:
        return CONSONANTS
    return "".join(_neighbours(letter, charset)) or letter


def _neighbours(letter: str, charset: str) -> Iterator[str]:
    kind, length = unicodedata.category(letter), _bytes(letter, charset)
    has_upper = len(letter.upper()) == 1 and letter.upper() != letter
    start = ord(letter) & ~0x3F
    for code in range(start, start + 0x40):
        other = chr(code)
        if unicodedata.category(other) != kind or _bytes(other, charset) != length or ord(other) < 0x80:
            continue
        upper = other.upper()
        if has_upper and (len(upper) != 1 or upper.lower() != other or _bytes(upper, charset) != length):
            continue
        yield other


def _bytes(letter: str, charset: str) -> int:
    """How many bytes a letter has; -1 where the charset does not have it."""
    try:
        return len(letter.encode(charset))
    except UnicodeError:
        return -1
