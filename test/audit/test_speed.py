"""1000 virtual hosts are audited in under a second, against the same -t without the module."""
import os
import resource

import pytest

from configtest.server import Server

VHOSTS = 1000
LIMIT = 1.0     # seconds of user CPU time


def one_host(number):
    """Several mappings, sections, headers; a few of them at fault."""
    fault = "ProxyVia On\n" if number % 10 == 0 else ""
    return f"""<VirtualHost *:443>
ServerName app{number}.example.com
ServerAlias www.app{number}.example.com {'*.tenant%d.example.net' % number if number % 5 == 0 else ''}
SSLEngine on
SSLCertificateFile ${{CERTS}}/wildcard.crt
SSLCertificateKeyFile ${{CERTS}}/wildcard.key
{fault}RequestHeader set X-Forwarded-Proto https
Header setifempty X-Frame-Options SAMEORIGIN
<Location /App{number}>
Require all granted
</Location>
<LocationMatch ^/(ServiceCenter|Users)>
Require ip 10.0.0.0/8
</LocationMatch>
RewriteEngine On
RewriteCond %{{HTTPS}} off
RewriteRule ^/old/(.*)$ /App{number}/$1 [R]
ProxyPass /App{number} http://10.0.0.11/App{number} ttl=60
ProxyPassReverse /App{number} http://10.0.0.11/App{number}
ProxyPass /Theme{number} balancer://apps/Theme{number}
</VirtualHost>
"""


def own_words(number):
    return f"OSProxyModule App{number} reactive\nOSProxyModule Theme{number}\n"


def configuration(module):
    text = "OSProxyEngine On\n" if module else ""
    text += "<Proxy balancer://apps>\nBalancerMember http://10.0.0.11 ttl=60\n</Proxy>\n"
    for number in range(VHOSTS):
        host = one_host(number)
        if module:
            host = host.replace("SSLEngine on\n", own_words(number) + "SSLEngine on\n")
        text += host
    return text


def user_seconds(server, least_of=3):
    """The least of several runs: what others do on this machine only adds."""
    times = []
    for _ in range(least_of):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        result = server.test(timeout=120)
        times.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
        assert result.code in (0, 1) and not result.died, result.err
    return min(times), result


@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="a sanitizer takes time")
def test_a_thousand_virtual_hosts_take_less_than_a_second(certificates):
    with Server(certificates) as with_module, Server(certificates, module=False) as plain:
        with_module.write_text(configuration(True))
        plain.write_text(configuration(False))
        audited, result = user_seconds(with_module)
        without, _ = user_seconds(plain)
    assert f"osproxy: {VHOSTS} virtual hosts:" in result.err, result.err[-2000:]
    assert result.err.count("[via]") == VHOSTS // 10
    assert audited - without < LIMIT, f"{audited:.2f} s with the audit, {without:.2f} s without"
