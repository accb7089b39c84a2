"""NTLMv2 messages (MS-NLMP), enough of them to sign in and to read who signs in.

MD4 is here because OpenSSL 3 does not offer it any more.
"""
import base64
import functools
import hashlib
import hmac
import os
import struct
import time

SIGNATURE = b"NTLMSSP\0"
# Unicode, OEM, request target, NTLM, always sign, extended session security, 128, 56.
FLAGS = 0x00000001 | 0x2 | 0x4 | 0x200 | 0x8000 | 0x80000 | 0x20000000 | 0x80000000
VERSION = bytes((10, 0, 0x63, 0x45, 0, 0, 0, 15))
TIMESTAMP = 7       # id of MsvAvTimestamp in the target info


def negotiate():
    """The Type-1 message, 40 bytes with a version, as Windows sends it."""
    return SIGNATURE + struct.pack("<II", 1, FLAGS | 0x02000000) + bytes(16) \
        + VERSION


def authenticate(challenge, domain, user, password):
    """The Type-3 message that answers a Type-2 message."""
    if challenge[:12] != SIGNATURE + b"\2\0\0\0":
        raise ValueError("not an NTLM challenge")
    flags, = struct.unpack_from("<I", challenge, 20)
    length, offset = struct.unpack_from("<HxxI", challenge, 40)
    info = challenge[offset:offset + length]
    key = hmac.new(_hash(password), (user.upper() + domain).encode("utf-16-le"),
                   hashlib.md5).digest()
    nonce = os.urandom(8)
    blob = b"\1\1" + bytes(6) + (_timestamp(info) or _now()) + nonce + bytes(4) + info + bytes(4)
    proof = hmac.new(key, challenge[24:32] + blob, hashlib.md5).digest()
    lm = bytes(24) if _timestamp(info) else \
        hmac.new(key, challenge[24:32] + nonce, hashlib.md5).digest() + nonce
    payload, fields, at = b"", b"", 88      # after the version and an empty MIC
    for value in (lm, proof + blob, domain.encode("utf-16-le"), user.encode("utf-16-le"),
                  "LABCLIENT".encode("utf-16-le"), b""):
        fields += struct.pack("<HHI", len(value), len(value), at + len(payload))
        payload += value
    return SIGNATURE + struct.pack("<I", 3) + fields \
        + struct.pack("<I", flags | 0x02000000) + VERSION + bytes(16) + payload


def challenge_message(nonce, domain="LAB", server="IIS01"):
    """A Type-2 message, for the scripted back end."""
    target = domain.encode("utf-16-le")
    info = b"".join(struct.pack("<HH", number, len(value)) + value for number, value in (
        (2, target), (1, server.encode("utf-16-le")), (0, b"")))
    return SIGNATURE + struct.pack("<IHHI", 2, len(target), len(target), 56) \
        + struct.pack("<I", FLAGS & ~2 | 0x00800000 | 0x10000) + nonce + bytes(8) \
        + struct.pack("<HHI", len(info), len(info), 56 + len(target)) + bytes(8) + target + info


def kind(message):
    """1, 2 or 3; 0 for what is no NTLM message."""
    return struct.unpack_from("<I", message, 8)[0] if message[:8] == SIGNATURE \
        and len(message) >= 12 else 0


def user_of(message):
    """The user name in a Type-3 message."""
    length, offset = struct.unpack_from("<HxxI", message, 36)
    return message[offset:offset + length].decode("utf-16-le")


def encode(message):
    return base64.b64encode(message).decode("ascii")


def decode(text):
    return base64.b64decode(text)


@functools.lru_cache(None)
def _hash(password):
    return md4(password.encode("utf-16-le"))


def _timestamp(info):
    at = 0
    while at + 4 <= len(info):
        number, length = struct.unpack_from("<HH", info, at)
        if number == TIMESTAMP:
            return info[at + 4:at + 12]
        if number == 0:
            break
        at += 4 + length
    return None


def _now():
    return struct.pack("<Q", int((time.time() + 11644473600) * 10_000_000))


def md4(data):
    """RFC 1320."""
    mask = 0xffffffff
    a, b, c, d = state = (0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476)
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", 8 * len(data))
    rounds = (
        (lambda x, y, z: x & y | ~x & z, 0, (3, 7, 11, 19), range(16)),
        (lambda x, y, z: x & y | x & z | y & z, 0x5a827999, (3, 5, 9, 13),
         [4 * (i % 4) + i // 4 for i in range(16)]),
        (lambda x, y, z: x ^ y ^ z, 0x6ed9eba1, (3, 9, 11, 15),
         (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)))
    for start in range(0, len(padded), 64):
        words = struct.unpack_from("<16I", padded, start)
        a, b, c, d = state
        for mix, constant, shifts, order in rounds:
            for step, index in enumerate(order):
                value = a + (mix(b, c, d) & mask) + words[index] + constant & mask
                turn = shifts[step % 4]
                a, b, c, d = d, (value << turn | value >> 32 - turn) & mask, b, c
        state = tuple(x + y & mask for x, y in zip(state, (a, b, c, d)))
    return struct.pack("<4I", *state)
