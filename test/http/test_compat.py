"""Which httpd the module was built for: it says so when it is loaded, and an httpd that lacks what was compiled
in refuses it in words instead of the linker's, or none (mod_osproxy/compat.h)."""
import re
import struct
import subprocess

import pytest

from osptest import Httpd
from osptest.place import TOP, apxs, httpd_program

HEADERS = ("ap_mmn.h", "ap_release.h")


def defined(name):
    """A number that httpd's headers define."""
    texts = [open(f"{apxs('INCLUDEDIR')}/{header}", encoding="utf-8").read() for header in HEADERS]
    return int(re.search(rf"^#define {name} +(\d+)", "".join(texts), re.M)[1])


MAJOR, MINOR = defined("MODULE_MAGIC_NUMBER_MAJOR"), defined("MODULE_MAGIC_NUMBER_MINOR")
RELEASE = f"2.4.{defined('AP_SERVER_PATCHLEVEL_NUMBER')}"


def needed():
    """The least minor number that this build runs with: the highest of compat.h that these headers reach."""
    text = (TOP / "mod_osproxy/compat.h").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"#define OSP_MAGIC_MINOR (\d+)", text)]
    assert len(numbers) > 1
    return max(number for number in numbers if number <= MINOR)


@pytest.mark.only("event")
def test_the_log_says_at_start_and_at_reload_which_httpd_it_was_built_for(start):
    version = re.search(r'#define OSP_VERSION "(.*)"', (TOP / "mod_osproxy/osproxy.h").read_text())[1]
    httpd = start("")
    line = (f"OSP0004: mod_osproxy/{version}, built for httpd {RELEASE} (module magic number "
            f"{MAJOR}:{MINOR}), runs in {RELEASE} ({MAJOR}:{MINOR})")
    assert httpd.log_text().count(line) == 1, httpd.log_text()
    httpd.reload()
    assert httpd.log_text().count(line) == 2, httpd.log_text()


@pytest.fixture
def httpd_that_says(tmp_path):
    """Makes a copy of httpd whose own modules carry another minor number."""
    def make(minor):
        program = open(httpd_program(), "rb").read()
        old, new = (struct.pack("=ii", MAJOR, number) for number in (MINOR, minor))
        assert old in program
        path = tmp_path / f"httpd-{minor}"
        path.write_bytes(program.replace(old, new))
        path.chmod(0o755)
        return path
    return make


def configtest(program, httpd):
    done = subprocess.run([program, *httpd.command("-t")[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, env=httpd.env)
    return done.returncode, done.stdout


@pytest.fixture
def configured():
    httpd = Httpd("event")
    yield httpd
    httpd.cleanup()


def test_an_httpd_that_is_too_old_refuses_the_module_and_says_what_to_do(configured, httpd_that_says):
    status, output = configtest(httpd_that_says(needed() - 1), configured)
    assert status != 0
    assert (f"OSP0005: this mod_osproxy was built for httpd {RELEASE} and needs module magic number "
            f"{MAJOR}:{needed()}; httpd {RELEASE} has {MAJOR}:{needed() - 1}. Build it with the apxs of this "
            "httpd") in output


def test_an_older_httpd_that_has_all_of_it_takes_the_module(configured, httpd_that_says):
    assert configtest(httpd_that_says(needed()), configured) == (0, "Syntax OK\n")


def test_a_newer_httpd_takes_the_module(configured, httpd_that_says):
    assert configtest(httpd_that_says(MINOR + 50), configured) == (0, "Syntax OK\n")
