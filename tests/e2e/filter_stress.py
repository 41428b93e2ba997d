"""Sixteen threads at the same filters, ports and guests; every call must return, with an answer that makes sense."""
import fcntl, os, random, re, struct, subprocess, sys, threading, time, uuid

import libvirt

URI, SEED, SECONDS = os.environ["URI"], int(os.environ["SEED"]), int(os.environ["SECONDS"])
GUEST, LOCKSTEP = os.environ["GUEST"], os.environ["LOCKSTEP"].split("\n")
PORTS, FILTERS = 10, 6
# What a client may be told when another one was faster.
FAIR = {
    libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_NWFILTER,
    libvirt.VIR_ERR_NO_NWFILTER_BINDING, libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_ABORTED,
}
libvirt.registerErrorHandler(lambda _ctx, _error: None, None)
stop = threading.Event()
counts, wrong, answers = {}, [], threading.Lock()


def tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH14x", name.encode(), 0x1002))
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    return fd


def own(kind, number):
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}{number}")


def mac(port):
    return f"52:54:00:00:01:{port:02x}"


def filter_xml(rng, number):
    """Refers to lower numbers only, so that there is no ring; some want an address."""
    rules = "".join(
        f"<rule action='{rng.choice(['accept', 'drop'])}' direction='{rng.choice(['in', 'out', 'inout'])}' priority='{rng.randint(-500, 900)}'>"
        f"<{rng.choice(['tcp', 'udp'])} dstportstart='{rng.randint(1, 65535)}'/></rule>" for _ in range(rng.randint(1, 5)))
    if rng.random() < 0.5:
        rules += "<rule action='drop' direction='out'><ip match='no' srcipaddr='$IP'/></rule>"
    if number and rng.random() < 0.6:
        rules += f"<filterref filter='stress{rng.randrange(number)}'/>"
    return f"<filter name='stress{number}'><uuid>{own('filter', number)}</uuid>{rules}</filter>"


def binding_xml(rng, port):
    how = rng.choice(["<parameter name='IP' value='10.0.0.%d'/>" % (port + 1), "<parameter name='CTRL_IP_LEARNING' value='any'/>",
                      "<parameter name='CTRL_IP_LEARNING' value='dhcp'/>"])
    return (f"<filterbinding><owner><name>g{port}</name><uuid>{own('guest', port)}</uuid></owner><portdev name='stress{port}'/>"
            f"<mac address='{mac(port)}'/><filterref filter='stress{rng.randrange(FILTERS)}'>{how}</filterref></filterbinding>")


def domain_xml(rng, number):
    document = GUEST.replace("@NAME@", f"guest{number}")
    wanted = rng.choice(["", f"<filterref filter='stress{rng.randrange(FILTERS)}'><parameter name='IP' value='10.0.1.{number}'/></filterref>"])
    nic = f"<interface type='bridge'><source bridge='br0'/><mac address='52:54:00:00:02:{number:02x}'/>{wanted}</interface>"
    return document.replace("</devices>", nic + "</devices>")


def define(conn, rng):
    conn.nwfilterDefineXML(filter_xml(rng, rng.randrange(FILTERS)))


def undefine(conn, rng):
    conn.nwfilterLookupByName(f"stress{rng.randrange(FILTERS)}").undefine()


def bind(conn, rng):
    conn.nwfilterBindingCreateXML(binding_xml(rng, rng.randrange(PORTS)))


def unbind(conn, rng):
    conn.nwfilterBindingLookupByPortDev(f"stress{rng.randrange(PORTS)}").delete()


def look(conn, rng):
    conn.nwfilterLookupByName(f"stress{rng.randrange(FILTERS)}").XMLDesc()
    conn.listAllNWFilterBindings()


def start(conn, rng):
    number = rng.randrange(2)
    try:
        conn.lookupByName(f"guest{number}").destroy()
    except libvirt.libvirtError as error:
        if error.get_error_code() not in FAIR:
            raise
        conn.createXML(domain_xml(rng, number))


def reload(_conn, _rng):
    subprocess.run([*LOCKSTEP, "nwfilter-reload"], check=True, capture_output=True, text=True, timeout=60)


def traffic(taps):
    """Guests that ARP, so that addresses are learned."""
    while not stop.is_set():
        for port, fd in enumerate(taps):
            arp = bytes.fromhex("ffffffffffff" + mac(port).replace(":", "") + "0806" + "0001080006040001" + mac(port).replace(":", "")
                                + f"0a0000{port + 1:02x}" + "000000000000" + "0a0000fe") + bytes(18)
            os.write(fd, arp)
        stop.wait(0.05)


def work(verb, number):
    rng = random.Random(SEED * 100 + number)
    conn = libvirt.open(URI)
    while not stop.is_set():
        try:
            verb(conn, rng)
            answer = "ok"
        except libvirt.libvirtError as error:
            answer = error.get_error_code()
            # A filter that another thread took away is missing in the tree.
            missing = answer == libvirt.VIR_ERR_INTERNAL_ERROR and "does not exist" in str(error)
            if answer not in FAIR and not missing:
                with answers:
                    wrong.append(f"{verb.__name__}: {answer}: {error}")
        except subprocess.CalledProcessError as error:
            answer = "failed"
            with answers:
                wrong.append(f"{verb.__name__}: {error.stderr}")
        with answers:
            counts[verb.__name__, answer] = counts.get((verb.__name__, answer), 0) + 1
    conn.close()


taps = [tap(f"stress{port}") for port in range(PORTS)]
verbs = [define] * 4 + [undefine] * 2 + [bind] * 3 + [unbind] * 2 + [look] * 2 + [start] * 2 + [reload]
threads = [threading.Thread(target=work, args=pair[::-1], daemon=True) for pair in enumerate(verbs)]
threads.append(threading.Thread(target=traffic, args=(taps,), daemon=True))
for thread in threads:
    thread.start()
time.sleep(SECONDS)
stop.set()
for thread in threads:
    thread.join(120)
hung = [thread for thread in threads if thread.is_alive()]
conn = libvirt.open(URI)
for number in range(2):
    try:
        conn.lookupByName(f"guest{number}").destroy()
    except libvirt.libvirtError as error:
        assert error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN, error
try:
    # At least one port stays bound for what is compared afterwards.
    conn.nwfilterBindingCreateXML(re.sub("filter='[^']*'", "filter='clean-traffic'", binding_xml(random.Random(0), 0)))
except libvirt.libvirtError as error:
    assert error.get_error_code() in FAIR, error
print({f"{verb} {answer}": count for (verb, answer), count in sorted(counts.items(), key=str)}, file=sys.stderr)
assert not hung, f"{len(hung)} threads hang"
assert not wrong, wrong[:10]
idle = [verb.__name__ for verb in set(verbs) if not counts.get((verb.__name__, "ok"))]
assert not idle, f"never succeeded: {idle}"
print("good")
