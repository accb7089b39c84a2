"""conf.d/recipes/capacity.conf and build/capacity.py: thousands of clients keep their connections, and
no newcomer waits for one of them to go.

The time-out of idle connections is raised so far that none ends by itself in these tests: a newcomer who
is answered while nobody has gone did not wait.
"""
import re
import subprocess
import sys

import pytest

from idle import Idle, weigh
from lab.faults import FaultsProcess, raise_limit
from lab.process import Process
from load import Load, in_thread
from osptest import Httpd, addresses, both
from osptest.conf import ssl_proxy
from osptest.farm import FARM
from osptest.place import TOP
from recipe import text_of

sys.path.insert(0, str(TOP / "build"))
import capacity  # noqa: E402

PATIENT = "KeepAliveTimeout 600\n"
NEWCOMERS = 20
HTTP, HTTPS = 9000, 1000        # make capacity-test: 9000 of each
# What Debian's packages write into mpm_event.conf.
DEBIAN = """StartServers 2
MinSpareThreads 25
MaxSpareThreads 75
ThreadLimit 64
ThreadsPerChild 25
MaxRequestWorkers 150
MaxConnectionsPerChild 0
"""
KB = 1024


# ---- the computation ---------------------------------------------------------------------------------

def directives(text):
    """{name: value} of the lines that are no comments."""
    return dict(re.findall(r"^ *([A-Z]\w+) (\d+)$", text, re.M))


def test_the_recipe_is_what_is_computed_for_9000_clients_on_two_cores():
    size = capacity.size_for("event", 9000, cores=2, memory=4096)
    assert directives(text_of("capacity")) == {name: str(value) for name, value, _ in size.directives}


@pytest.mark.parametrize("mpm", capacity.MPMS)
@pytest.mark.parametrize("clients", [1, 1000, 9000, 40000])
@pytest.mark.parametrize("cores", [1, 2, 16])
def test_all_clients_fit_while_requests_are_under_way(mpm, clients, cores):
    size = capacity.size_for(mpm, clients, cores=cores, memory=1 << 20)
    assert size.held_busy >= max(clients, capacity.ENOUGH) and size.held >= size.held_busy
    if mpm != "prefork":
        threads, workers = size.value("ThreadsPerChild"), size.value("MaxRequestWorkers")
        assert workers % threads == 0 and workers // threads >= cores
        assert size.value("ServerLimit") >= 2 * workers // threads
        assert size.value("ThreadLimit") >= threads and size.value("MaxSpareThreads") >= workers
        assert workers >= 2 * size.busy or mpm == "worker"
    else:
        assert size.value("ServerLimit") >= size.value("MaxRequestWorkers")


def test_more_pins_need_more_descriptors_and_memory():
    few, many = (capacity.size_for("event", 9000, cores=2, memory=8192, pins=pins) for pins in (0, 5000))
    assert many.files >= few.files + 1000 and many.needs > few.needs + 150


def test_what_does_not_fit_is_refused_with_what_would(capsys):
    assert capacity.main("--clients 9000 --mpm prefork --memory 2048 --cores 2".split()) == 1
    told = capsys.readouterr().err
    most = int(re.search(r"room for (\d+); use event", told)[1])
    assert 1000 <= most < 9000
    # What it says would fit does, and one more does not.
    assert capacity.main(["--clients", str(most), *"--mpm prefork --memory 2048 --cores 2".split()]) == 0
    assert capacity.main(["--clients", str(most + 1), *"--mpm prefork --memory 2048 --cores 2".split()]) == 1


def test_make_capacity_explains_every_line():
    done = subprocess.run(["make", "-s", "-C", TOP, "capacity", "CLIENTS=9000", "CORES=2", "MEMORY=4096"],
                          capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert directives(done.stdout) == directives(text_of("capacity"))
    for number, line in enumerate(lines):
        if re.match(r" +[A-Z]", line):
            assert lines[number - 1].strip().startswith("# "), line
    assert "ulimit -n 8192" in done.stdout and "LimitNOFILE=8192" in done.stdout


# ---- the audit says the same ------------------------------------------------------------------------

SITE = """<VirtualHost *:80>
ServerName apps.example.com
OSProxyEngine On
ProxyPass / http://192.0.2.1/ ttl=60
</VirtualHost>
"""


def audited(mpm, text):
    """What the audit says of the capacity of these settings."""
    httpd = Httpd(mpm)
    try:
        # Httpd writes an MPM section of its own, which these lines replace.
        code, output = httpd.configtest(text + SITE)
        assert "Syntax OK" in output or code, output
        return re.findall(r"\[capacity\]\s(?:.+\n)(?:    .*\n)*", output)
    finally:
        httpd.cleanup()


@pytest.mark.parametrize("mpm", capacity.MPMS)
@pytest.mark.parametrize("clients", [1, 9000])
def test_the_audit_finds_nothing_in_what_is_computed(mpm, clients):
    size = capacity.size_for(mpm, clients, cores=2, memory=1 << 20)
    assert audited(mpm, capacity.text_of(size, 1 << 20)) == []


@pytest.mark.parametrize("mpm, workers, factor", [
    ("event", 150, 2), ("event", 325, 2), ("event", 100, 8), ("worker", 150, 0), ("prefork", 150, 0)])
def test_the_audit_counts_as_it_is_computed(mpm, workers, factor):
    text = f"MaxRequestWorkers {workers}\n" + (
        "ThreadsPerChild 25\nServerLimit 16\nMaxSpareThreads 400\n" if mpm != "prefork" else "") + (
        f"AsyncRequestWorkerFactor {factor}\n" if factor else "")
    told = audited(mpm, text)
    assert len(told) == 1 and f" {capacity.held(mpm, workers, factor)} idle clients" in " ".join(told[0].split()), told


def test_the_audit_is_content_from_the_same_number_on():
    for clients, silent in ((capacity.ENOUGH, True), (capacity.ENOUGH - 1, False)):
        text = f"ServerLimit {clients}\nMaxRequestWorkers {clients}\n"
        assert (audited("prefork", text) == []) == silent


# ---- real clients -----------------------------------------------------------------------------------

on_event = pytest.mark.only("event")     # the recipe's settings are for it


@pytest.fixture(scope="module")
def back_end(tmp_path_factory):
    raise_limit()
    with FaultsProcess(tmp_path_factory.mktemp("back")) as running:
        yield running


def come_and_weigh(front, crowd, count):
    """Bytes that each of so many clients costs httpd, after a first few who make it warm."""
    crowd.come(200)
    before = weigh(front.children())
    crowd.come(count - 200)
    return (weigh(front.children()) - before) / (count - 200)


def end(front):
    """Killed with its clients there. Their leaving all at once would be work for every thread, of which an
    event child may crash, or when it is then stopped, also without the module (httpd 2.4.71): its threads
    take connections to close from a chain, and one looks at what another has freed."""
    problems = front.log.check()
    assert not problems, problems
    front.cleanup()


def nobody_waits(crowd):
    for _ in range(NEWCOMERS):
        crowd.connect().close()
    assert crowd.gone() == 0


@on_event
def test_nine_thousand_keep_their_connections_and_newcomers_do_not_wait(serve, back_end):
    """http first, then https beside them."""
    front = serve(several={"https-offload": {"OSP_SERVER": back_end.address}, "capacity": {}}, before=PATIENT)
    with Idle(front.address, "http") as plain, Idle(front.address, "https") as secure:
        each = come_and_weigh(front, plain, HTTP)
        nobody_waits(plain)
        assert 0 < each < 48 * KB
        each = come_and_weigh(front, secure, HTTPS)
        nobody_waits(secure)
        nobody_waits(plain)
        assert 0 < each < 96 * KB
        assert len(plain.sockets) == HTTP and plain.gone() == secure.gone() == 0
        end(front)


@on_event
def test_with_the_settings_of_debian_a_newcomer_waits(serve, back_end):
    """The same site, the same clients: the test above can fail."""
    front = serve(several={"https-offload": {"OSP_SERVER": back_end.address}}, before=PATIENT + DEBIAN,
                  configtest=False)
    front.log.allow("AH00484")
    with Idle(front.address, "http") as crowd:
        with pytest.raises(TimeoutError):
            while len(crowd.sockets) <= capacity.held("event", 150, 2):
                crowd.sockets.append(crowd.connect(patience=3))
        assert crowd.gone() == 0 and len(crowd.sockets) > 50
        # Who goes makes room.
        for connection in crowd.sockets[:100]:
            connection.close()
        del crowd.sockets[:100]
        crowd.connect().close()
        end(front)


RELOADS = 1
NOISE = "AH00045|AH03092|AH03490|AH10159|AH00288|AH02032"


def reloads(front):
    """A Load beside idle clients, while the server reloads."""
    async def story(load):
        for _ in range(RELOADS):
            await load.answers(40)
            await in_thread(None, front.reload)
        await load.answers(40)

    front.log.allow(NOISE)
    with Idle(front.address, "https", target="/Echo/") as crowd:
        crowd.come(100)
        load = Load(front.address, users=8)
        load.run(story)
    return load


@on_event
def test_a_reload_loses_nothing_that_stock_httpd_would_not(serve, tmp_path):
    app, server = tmp_path / "app.log", addresses.next()
    farm = Process("APP1", [sys.executable, FARM, "--listen", f"{server}:80", "--log", "--delay", "0.02"],
                   log=app, ready=[(server, 80)])
    try:
        front = serve(several={"https-offload": {"OSP_SERVER": server}, "capacity": {}}, before=PATIENT)
        ours = reloads(front)
        wasted = ours.wasted(app.read_text())
        end(front)
        app.write_text("")
        stock = Httpd(module=False, mpm_conf=text_of("capacity"))
        stock.conf = PATIENT + both(stock.address, ssl_proxy() + f"ProxyPass / http://{server}/\n", head="")
        with stock:
            theirs = reloads(stock)
            wasted_there = theirs.wasted(app.read_text())
            end(stock)
    finally:
        farm.stop()
    assert wasted == wasted_there == [], f"{ours.told()}\nstock httpd: {theirs.told()}"
    assert len(ours.asked) > 80 and len(theirs.asked) > 80
