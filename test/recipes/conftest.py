"""Fixtures of the recipes' tests."""
import contextlib
import os
import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "http"), str(HERE.parent)]
from osptest import Backend, httpd as httpd_code, tls  # noqa: E402
from osptest.farm import Farm  # noqa: E402
from osptest.place import MPMS, module_path  # noqa: E402
from recipe import RecipeHttpd, text_of  # noqa: E402

# The MPM of a recipe unless --mpm says another; event where none is named. On prefork there is no http/2:
# it has recipes that are not asked over it.
SPREAD = {f"test_{name}.py": mpm for mpm, names in {
    "worker": """compression content_switching header_manipulation security_headers server_obfuscation
        several_domains traceability""",
    "prefork": "http_redirection https_offload lifetime"}.items() for name in names.split()}
# The long ones first, so that they do not end alone.
FIRST = ("test_capacity.py", "test_single_sign_on.py", "test_load_balancing.py", "test_application_firewall.py",
         "test_several_front_ends.py")


def pytest_addoption(parser):
    parser.addoption("--mpm", choices=(*MPMS, "all"), help="ask recipes on this MPM, not on one each")


def pytest_configure(config):
    config.addinivalue_line("markers", "only(mpm, ...): the MPMs that a test is for")
    if os.getuid() != 0:
        raise pytest.UsageError("these tests start httpd on ports 80 and 443: run them as root")
    if not module_path().exists():
        raise pytest.UsageError(f"{module_path()} is missing: run make first")


def pytest_generate_tests(metafunc):
    if "serve" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("mpm") or SPREAD.get(metafunc.definition.path.name, "event")
        metafunc.parametrize("mpm", MPMS if wanted == "all" else [wanted], indirect=True)


def _possible(item):
    params = item.callspec.params if hasattr(item, "callspec") else {}
    only = item.get_closest_marker("only")
    return "serve" not in item.fixturenames or (
        params["mpm"] in (only.args if only else MPMS)
        and not (params["mpm"] == "prefork" and params.get("client") == "h2"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if _possible(item)]
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


@pytest.fixture(scope="module")
def mpm(request):
    return request.param


@pytest.fixture(scope="module")
def apps(tmp_path_factory):
    """apps("1", "1"): a farm of two app servers of that version."""
    with contextlib.ExitStack() as stack:
        def run(*versions, **options):
            farm = Farm(tmp_path_factory.mktemp("farm"), *versions, **options)
            stack.callback(farm.stop)
            return farm
        yield run


@pytest.fixture(scope="module")
def farm(apps):
    """One app server of the demo farm."""
    return apps("1")


@pytest.fixture(scope="module")
def app():
    """An app server that records what it is asked and says what it is told; see _fresh."""
    server = Backend()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _fresh(request):
    """The app server forgets the test before."""
    if "app" in request.fixturenames:
        request.getfixturevalue("app").reset()


@pytest.fixture(scope="module")
def serve(apps, mpm):
    """serve("recipe", OSP_…=value, …): an httpd with one recipe, its certificate filled in; it ends
    before the app servers do. several={recipe: values} instead of a name takes more than one. What differs
    in values only is not audited again."""
    tested = set()
    with contextlib.ExitStack() as stack:
        def run(name=None, *, several=None, configtest=True, **options):
            values = {word: options.pop(word) for word in list(options) if word.startswith("OSP_")}
            several = several or {name: values}
            for recipe, given in several.items():
                certificate(recipe, given)
            httpd = RecipeHttpd(several, mpm=mpm, **options)
            if configtest and tuple(several) not in tested:
                tested.add(tuple(several))
                code, output = httpd.configtest()
                found = re.search(r"(\d+) errors?, (\d+) warnings?", output)
                assert code == 0 and found and found.groups() == ("0", "0"), output
            stack.enter_context(httpd)
            return httpd
        yield run


def certificate(recipe, values):
    """Fills in every pair of OSP_…CERTIFICATE… and OSP_…KEY… that the recipe has."""
    for before, after in re.findall(r"^Define OSP_(\w*)CERTIFICATE(\w*) ", text_of(recipe), re.M):
        if f"OSP_{before}CERTIFICATE{after}" not in values:
            cert, key = tls.certificate_for("apps.example.com")
            chain = cert.with_suffix(".chain.crt")
            chain.write_text(cert.read_text() + tls.authority().cert.read_text())
            values |= {f"OSP_{before}CERTIFICATE{after}": str(chain), f"OSP_{before}KEY{after}": str(key)}


@pytest.fixture(autouse=True)
def _error_log():
    """The error log of every running server is part of the test."""
    yield
    problems = [found for server in list(httpd_code.running) if (found := server.log.check())]
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
