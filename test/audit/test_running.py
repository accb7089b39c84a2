"""A finding never takes a server down: start and reload with errors, on all MPMs."""
import pytest

from osptest import Backend, Httpd, vhost


@pytest.fixture(scope="module")
def backend():
    server = Backend()
    yield server
    server.close()


def conf(address, backend, fault):
    return vhost(address, f"{fault}\nProxyTimeout 120\nKeepAliveTimeout 30\n"
                 f"ProxyPass /MyApp {backend.url}/MyApp ttl=60\n", port=443)


def test_a_start_with_an_error_works_and_logs_it(mpm, backend):
    httpd = Httpd(mpm)
    httpd.conf = conf(httpd.address, backend, "ProxyErrorOverride On")
    assert httpd.configtest()[0] != 0
    with httpd:
        httpd.expect_log(r"OSP1001.*\[error-override\]")
        httpd.allow_log("OSP100")
        assert httpd.ask("https", "/MyApp").status == 200
        assert httpd.log_text().count("[error-override]") == 1


def test_a_reload_into_an_error_works_and_logs_it(mpm, backend):
    httpd = Httpd(mpm)
    httpd.conf = conf(httpd.address, backend, "")
    with httpd:
        httpd.allow_log("OSP100")
        assert httpd.ask("https", "/MyApp").status == 200
        for _ in range(3):
            httpd.reload(conf(httpd.address, backend,
                              "ProxyErrorOverride On\nOSProxyModule Missing mobile"))
            assert httpd.ask("https", "/MyApp").status == 200
        httpd.expect_log(r"OSP1001.*\[error-override\]")
        httpd.expect_log(r"OSP1001.*\[referenced-content\]")
        assert httpd.log_text().count("[error-override]") == 3


def test_a_start_without_the_engine_says_nothing(mpm, backend):
    httpd = Httpd(mpm)
    httpd.conf = conf(httpd.address, backend, "ProxyErrorOverride On").replace(
        "OSProxyEngine On", "OSProxyEngine Off")
    with httpd:
        assert httpd.ask("https", "/MyApp").status == 200
        assert "OSP100" not in httpd.log_text()
