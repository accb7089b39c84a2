"""The server's half of NTLMv2 (MS-NLMP), as small as checking a password needs: reading Type-1 and
Type-3 messages, writing Type-2. MD4 (RFC 1320) is here because OpenSSL 3 no longer offers it.
"""
import hmac
import struct
import time

SIGNATURE = b"NTLMSSP\0"
UNICODE = 0x00000001
# REQUEST_TARGET, NTLM, ALWAYS_SIGN, TARGET_TYPE_DOMAIN, EXTENDED_SESSIONSECURITY, TARGET_INFO,
# VERSION
FLAGS = UNICODE | 0x00000004 | 0x00000200 | 0x00008000 | 0x00010000 | 0x00080000 | 0x00800000 \
    | 0x02000000
OPTIONAL = 0x40000000 | 0x20000000 | 0x80000000 | 0x00000010  # given when the client asks for them
WINDOWS_EPOCH = 11644473600
VERSION = struct.pack("<BBHxxxB", 10, 0, 17763, 15)
MASK = 0xFFFFFFFF


class NtlmError(Exception):
    """A message that is no NTLM, or not the one that belongs here."""


def md4(data):
    """MD4 of data, 16 bytes."""
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", 8 * len(data))
    rounds = (
        (lambda x, y, z: (x & y) | (~x & z), 0, (3, 7, 11, 19), range(16)),
        (lambda x, y, z: (x & y) | (x & z) | (y & z), 0x5A827999, (3, 5, 9, 13),
         (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)),
        (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, (3, 9, 11, 15),
         (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)),
    )
    for start in range(0, len(padded), 64):
        words = struct.unpack("<16I", padded[start:start + 64])
        a, b, c, d = state
        for mix, constant, shifts, order in rounds:
            for step, word in enumerate(order):
                turn = shifts[step % 4]
                total = (a + mix(b, c, d) + words[word] + constant) & MASK
                a, b, c, d = d, (total << turn | total >> (32 - turn)) & MASK, b, c
        state = [(old + new) & MASK for old, new in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


def ntlmv2_key(user, domain, password):
    """NTOWFv2: what client and server both know."""
    secret = md4(password.encode("utf-16-le"))
    return hmac.digest(secret, (user.upper() + domain).encode("utf-16-le"), "md5")


def message_type(message):
    """1 or 3; NtlmError for everything else."""
    if len(message) < 12 or message[:8] != SIGNATURE:
        raise NtlmError("no NTLMSSP message")
    kind = struct.unpack_from("<I", message, 8)[0]
    if kind not in (1, 3):
        raise NtlmError(f"message type {kind} is not for a server")
    return kind


def challenge_message(negotiate, challenge, domain, computer):
    """The Type-2 answer to a Type-1 message; challenge is 8 random bytes."""
    asked = struct.unpack_from("<I", negotiate, 12)[0] if len(negotiate) >= 16 else 0
    target = domain.encode("utf-16-le")
    dns = f"{domain.lower()}.osproxy.test"
    info = b""
    for number, value in ((2, domain), (1, computer), (4, dns), (3, f"{computer.lower()}.{dns}")):
        data = value.encode("utf-16-le")
        info += struct.pack("<HH", number, len(data)) + data
    info += struct.pack("<HHQ", 7, 8, int((time.time() + WINDOWS_EPOCH) * 10_000_000))
    info += struct.pack("<HH", 0, 0)
    offset = 56
    return (SIGNATURE + struct.pack("<I", 2)
            + struct.pack("<HHI", len(target), len(target), offset)
            + struct.pack("<I", FLAGS | (asked & OPTIONAL)) + challenge + bytes(8)
            + struct.pack("<HHI", len(info), len(info), offset + len(target))
            + VERSION + target + info)


def _field(message, position):
    """The bytes a length/offset triple at position points to."""
    if len(message) < position + 8:
        raise NtlmError("message too short")
    length, _, offset = struct.unpack_from("<HHI", message, position)
    if offset + length > len(message):
        raise NtlmError("field outside the message")
    return message[offset:offset + length]


def authenticate(message, challenge, accounts, domains):
    """The 'DOMAIN\\user' a Type-3 message proves, or None when password or account are wrong.

    accounts maps lower-case user names to passwords; domains are the accepted domain names in
    upper case, its first the one that is reported. NTLMv1 and anonymous messages prove nobody.
    """
    if len(message) < 64:
        raise NtlmError("message too short")
    response = _field(message, 20)
    encoding = "utf-16-le" if struct.unpack_from("<I", message, 60)[0] & UNICODE else "cp437"
    try:
        domain = _field(message, 28).decode(encoding)
        user = _field(message, 36).decode(encoding)
    except UnicodeDecodeError as error:
        raise NtlmError("broken name") from error
    password = accounts.get(user.lower())
    if password is None or len(response) <= 24 or domain.upper() not in domains:
        return None
    proof = hmac.digest(ntlmv2_key(user, domain, password), challenge + response[16:], "md5")
    return f"{domains[0]}\\{user.lower()}" if hmac.compare_digest(proof, response[:16]) else None
