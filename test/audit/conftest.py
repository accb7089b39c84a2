"""Fixtures of the audit's tests; every case of the corpus as a parameter."""
import os
import signal
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "http")]
from configtest.case import cases  # noqa: E402
from configtest.certificates import Certificates  # noqa: E402
from osptest.place import MPMS, module_path  # noqa: E402


def pytest_configure(config):
    if os.getuid() != 0:
        raise pytest.UsageError("these tests start httpd on ports 80 and 443: run them as root")
    if not module_path().exists():
        raise pytest.UsageError(f"{module_path()} is missing: run make first")
    # A run that is ended from outside removes its folders as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        every = cases()
        # one process asks all of a case: some questions share an answer
        metafunc.parametrize("case", [pytest.param(case, marks=pytest.mark.xdist_group(case.name))
                                      for case in every], ids=[case.name for case in every])


@pytest.fixture(scope="session")
def certificates():
    return Certificates()


@pytest.fixture(params=MPMS)
def mpm(request):
    return request.param
