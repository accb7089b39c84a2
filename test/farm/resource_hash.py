"""The hash in the URL of an OutSystems resource: a checksum of the body the client decodes."""
import base64
import hashlib


def resource_hash(body):
    """base64 of the MD5 with '/' written '_', '+' kept and the padding dropped: 22 characters."""
    return base64.b64encode(hashlib.md5(body).digest()).decode().replace("/", "_").rstrip("=")
