"""Tests of mod_osproxy on a real httpd: servers, back ends and clients, each in a small file.

place    where things are: httpd's programs, the module under test, loopback addresses
tls      a test CA and certificates
wire     HTTP/1.1 messages as bytes, for both ends
backend  app servers that record what reached them and give scripted answers (h2backend: HTTP/2)
client   clients that send exactly the bytes they are told (h2client: HTTP/2)
conf     pieces of httpd configuration
errorlog the error log as part of every test
httpd    the server under test
"""
from .backend import Answer, Backend
from .client import Connection, ask, curl, raw
from .conf import balancer, both, proxy_pass, vhost
from .h2backend import H2Backend
from .h2client import H2Connection
from .httpd import Httpd
from .place import addresses, module_path

__all__ = [
    "Answer", "Backend", "Connection", "H2Backend", "H2Connection", "Httpd", "addresses", "ask",
    "balancer", "both", "curl", "module_path", "proxy_pass", "raw", "vhost",
]
