"""Random verbs over eight guests, each answer and each state compared with a model of what a domain is.

One thread a guest, so that its model knows everything that happened to it. Guests and supervisors are killed by that thread
too; the host is killed under all of them at once, and then a call may or may not have been done.
"""
import os, random, signal, sys, threading, time, uuid

import libvirt

URI, SEED, VERBS, GUESTS = os.environ["URI"], int(os.environ["SEED"]), int(os.environ["VERBS"]), 8
GUEST, HOST_KILLS, PATIENCE = os.environ["GUEST"], int(os.environ["HOST_KILLS"]), 180
OFF, RUNNING, PAUSED, ABSENT = "shut off", "running", "paused", "absent"
STATES = {libvirt.VIR_DOMAIN_RUNNING: RUNNING, libvirt.VIR_DOMAIN_PAUSED: PAUSED, libvirt.VIR_DOMAIN_SHUTOFF: OFF}
OK, NO_DOMAIN, INVALID = 0, libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID
NO_METADATA, NO_SUPPORT = libvirt.VIR_ERR_NO_DOMAIN_METADATA, libvirt.VIR_ERR_NO_SUPPORT
# A call whose connection died: nobody knows whether it was done.
LOST = {libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_NO_CONNECT,
        libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_OPERATION_ABORTED, libvirt.VIR_ERR_OPERATION_FAILED}
libvirt.registerErrorHandler(lambda _ctx, _error: None, None)
libvirt.virEventRegisterDefaultImpl()
lock = threading.Lock()
done, counts, wrong, kills = 0, {}, [], 0
reboots, told = {}, threading.Condition()


def events():
    while True:
        libvirt.virEventRunDefaultImpl()


def rebooted(_conn, domain, _opaque):
    with told:
        reboots[domain.UUIDString()] = reboots.get(domain.UUIDString(), 0) + 1
        told.notify_all()


class Wrong(Exception):
    pass


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


class Guest:
    """What one domain is expected to be, and the verbs that change it."""

    def __init__(self, number):
        self.rng = random.Random(SEED * 100 + number)
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_OID, f"walk{number}"))
        self.names = [f"walk{number}-{os.getpid()}", f"other{number}-{os.getpid()}"]
        self.state, self.persistent, self.autostart = ABSENT, False, False
        # Titles of what runs and of the definition.
        self.live, self.stored = None, None
        self.conn = None
        self.trail = []

    # --- what is

    def connect(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.conn = libvirt.open(URI)
                self.conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, rebooted, None)
                return
            except libvirt.libvirtError:
                if time.monotonic() > deadline:
                    raise
                threading.Event().wait(0.02)

    def domain(self):
        return self.conn.lookupByUUIDString(self.uuid)

    def actual(self):
        """The domain as the host shows it; asked again when the host dies in between."""
        while True:
            try:
                try:
                    domain = self.domain()
                    return STATES.get(domain.state()[0], "?"), bool(domain.isPersistent())
                except libvirt.libvirtError as error:
                    if error.get_error_code() == NO_DOMAIN:
                        return ABSENT, False
                    raise
            except libvirt.libvirtError as error:
                if error.get_error_code() not in LOST:
                    raise
                self.connect()

    def until(self, states, why):
        deadline = time.monotonic() + PATIENCE
        while True:
            actual = self.actual()
            if actual[0] in states:
                return actual
            if time.monotonic() > deadline:
                raise Wrong(f"{why}: still {actual}, expected {states}")
            threading.Event().wait(0.01)

    def supervisor(self):
        mine = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
        for pid in mine:
            words = command_line(pid)
            if b"__supervise" in words[1:2] and words[2:3] in ([name.encode()] for name in self.names):
                if state_of(pid) != "Z":
                    return pid
        return None

    # --- the model

    def expect(self, *allowed):
        """The model's answers: pairs of a code and what is then true."""
        return allowed

    def gone(self):
        """What a domain is after its guest has ended."""
        self.state = OFF if self.persistent else ABSENT
        self.live = None

    def xml(self, title):
        words = f"<title>{title}</title>" if title else ""
        return (GUEST.replace("<name>@NAME@</name>", f"<name>{self.names[0]}</name><uuid>{self.uuid}</uuid>{words}")
                .replace("</devices>", "</devices><on_crash>destroy</on_crash><on_reboot>restart</on_reboot>"))

    def active(self):
        return self.state in (RUNNING, PAUSED)

    def call(self, work):
        """The code of a call's answer; None when its connection died."""
        before = kills
        try:
            work()
            return OK
        except libvirt.libvirtError as error:
            code = error.get_error_code()
            # Refusals come from the driver or from the host, deaths of connections from the library.
            dead = not self.conn.isAlive() or kills != before or error.get_error_domain() in (
                libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE)
            if code in LOST and dead:
                return None
            self.message = str(error)
            return code

    # --- verbs: each answers (the code that came, the codes that may come) and has moved the model

    def verb(self, name, work, allowed, after):
        code = self.call(work)
        # A kernel that a loaded machine keeps from answering in time may yet do what it was told.
        if code is None or code == libvirt.VIR_ERR_OPERATION_TIMEOUT:
            return self.uncertain(name)
        if code not in allowed:
            raise Wrong(f"{name} of what is {self.state}{' persistent' if self.persistent else ''}: code {code}"
                        f" ({getattr(self, 'message', '')}), expected {allowed}")
        if code == OK and after:
            after()
        return code

    def uncertain(self, name):
        """The host died under a call. Whatever was asked, it ends with a domain that does not run."""
        self.connect()
        before = (self.state, self.persistent)
        state, persistent = self.actual()
        changes = {"define": (ABSENT, OFF), "undefine": (OFF, ABSENT)}
        if persistent != self.persistent and name not in changes:
            raise Wrong(f"after {name} was cut off: persistent is {persistent}, was {self.persistent}")
        started = name in ("start", "start_paused", "create", "reset", "reboot", "kill_guest", "kill_supervisor")
        ended = name in ("destroy", "shutdown", "reboot", "reset", "kill_guest", "kill_supervisor")
        was, now = self.active(), state in (RUNNING, PAUSED)
        if now and not was and not started or was and not now and not ended:
            raise Wrong(f"after {name} was cut off: {state}, was {before[0]}")
        while True:
            try:
                self.domain().destroy()
            except libvirt.libvirtError as error:
                if error.get_error_code() in LOST and error.get_error_code() != libvirt.VIR_ERR_OPERATION_FAILED:
                    self.connect()
                    continue
                if error.get_error_code() not in (INVALID, NO_DOMAIN):
                    raise
            break
        self.persistent = persistent
        state, _ = self.until((OFF, ABSENT), f"after {name} was cut off")
        self.gone()
        if state != self.state:
            raise Wrong(f"after {name} was cut off: {state}, expected {self.state}")
        self.reread()
        return None

    def reread(self):
        """What cannot be known after a call that was cut off is taken from the host."""
        if self.state == ABSENT:
            self.autostart, self.stored = False, None
            return
        while True:
            try:
                domain = self.domain()
                self.autostart = bool(domain.autostart())
                if domain.name() != self.names[0]:
                    self.names.reverse()
                self.stored = self.title(libvirt.VIR_DOMAIN_AFFECT_CONFIG)
                return
            except libvirt.libvirtError as error:
                if error.get_error_code() not in LOST:
                    raise
                self.connect()

    def title(self, flags):
        try:
            return self.domain().metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, flags)
        except libvirt.libvirtError as error:
            if error.get_error_code() == NO_METADATA:
                return None
            raise

    def present(self, code):
        return [NO_DOMAIN] if self.state == ABSENT else [code]

    def define(self):
        title = self.rng.choice([None, "one", "two"])

        def after():
            self.persistent, self.stored = True, title
            if self.state == ABSENT:
                self.state = OFF
        return self.verb("define", lambda: self.conn.defineXML(self.xml(title)), [OK], after)

    def undefine(self):
        def after():
            self.persistent, self.autostart, self.stored = False, False, None
            if not self.active():
                self.state = ABSENT
        codes = self.present(OK if self.persistent else INVALID)
        return self.verb("undefine", lambda: self.domain().undefine(), codes, after)

    def begun(self, state, title):
        def after():
            self.state, self.live = state, title
        return after

    def start(self, flags=0, state=RUNNING, name="start"):
        codes = self.present(INVALID if self.active() else OK)
        return self.verb(name, lambda: self.domain().createWithFlags(flags), codes, self.begun(state, self.stored))

    def start_paused(self):
        return self.start(libvirt.VIR_DOMAIN_START_PAUSED, PAUSED, "start_paused")

    def create(self):
        codes = [INVALID] if self.active() else [OK]
        return self.verb("create", lambda: self.conn.createXML(self.xml("once")), codes, self.begun(RUNNING, "once"))

    def destroy(self):
        codes = self.present(OK if self.active() else INVALID)
        return self.verb("destroy", lambda: self.domain().destroy(), codes, self.gone)

    def suspend(self):
        def after():
            self.state = PAUSED
        return self.verb("suspend", lambda: self.domain().suspend(), self.present(OK if self.active() else INVALID), after)

    def resume(self):
        def after():
            self.state = RUNNING
        codes = self.present(OK if self.state == PAUSED else INVALID)
        return self.verb("resume", lambda: self.domain().resume(), codes, after)

    def shutdown(self):
        codes = self.present(OK if self.state == RUNNING else INVALID)
        code = self.verb("shutdown", lambda: self.domain().shutdown(), codes, None)
        if code == OK:
            self.gone()
            self.until((self.state,), "shutdown")
        return code

    def again(self, name, work):
        """A guest that is started anew under its id."""
        codes = self.present(OK if self.state == RUNNING or (self.state == PAUSED and name == "reset") else INVALID)
        before, since = reboots.get(self.uuid, 0), kills
        try:
            number = self.domain().ID() if self.active() else -1
        except libvirt.libvirtError:
            return self.uncertain(name)
        code = self.verb(name, work, codes, None)
        if code != OK:
            return code
        # The state is "running" all the time; that the guest answers again is told by an event, which dies with the host.
        with told:
            came = told.wait_for(lambda: reboots.get(self.uuid, 0) != before or kills != since, PATIENCE)
        if kills != since:
            return self.uncertain(name)
        if not came:
            raise Wrong(f"{name}: the guest is not started again, {self.actual()}")
        self.state = RUNNING
        shown = self.call(lambda: self.domain().ID())
        if shown == OK and self.domain().ID() != number:
            raise Wrong(f"{name}: the id changed from {number}")
        return OK

    def reboot(self):
        return self.again("reboot", lambda: self.domain().reboot())

    def reset(self):
        return self.again("reset", lambda: self.domain().reset())

    def kill(self, name, victim):
        if not self.active():
            return "skipped"
        before = kills
        supervisor = self.supervisor()
        pid = supervisor and victim(supervisor)
        if not pid:
            if kills != before:
                return self.uncertain(name)
            raise Wrong(f"{name}: there is no process of what is {self.state}")
        os.kill(pid, signal.SIGKILL)
        self.gone()
        self.until((self.state,), name)
        return OK

    def kill_guest(self):
        # The first process of a PID namespace: all that is in there dies with it.
        return self.kill("kill_guest", lambda supervisor: next(iter(children(supervisor)), None))

    def kill_supervisor(self):
        return self.kill("kill_supervisor", lambda supervisor: supervisor)

    def set_autostart(self):
        on = self.rng.random() < 0.5

        def after():
            self.autostart = on
        codes = self.present(OK if self.persistent else INVALID)
        return self.verb("autostart", lambda: self.domain().setAutostart(on), codes, after)

    def set_title(self):
        title = self.rng.choice(["red", "green", "blue"])
        flags = self.rng.choice([0, libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG, 3])
        live = bool(flags & 1) or (flags == 0 and self.active())
        config = bool(flags & 2) or (flags == 0 and not self.active())
        fits = (not live or self.active()) and (not config or self.persistent)

        def after():
            if live:
                self.live = title
            if config:
                self.stored = title
        kind = libvirt.VIR_DOMAIN_METADATA_TITLE
        return self.verb("title", lambda: self.domain().setMetadata(kind, title, None, None, flags),
                         self.present(OK if fits else INVALID), after)

    def rename(self):
        def after():
            self.names.reverse()
        codes = self.present(OK if self.state == OFF and self.persistent else INVALID)
        return self.verb("rename", lambda: self.domain().rename(self.names[1]), codes, after)

    def look(self):
        """Everything that the model knows, read in one go."""
        found = {}

        def work():
            domain = self.domain()
            found["document"] = domain.XMLDesc()
            found["state"] = STATES.get(domain.state()[0])
            found["id"] = domain.ID()
            found["persistent"], found["autostart"] = bool(domain.isPersistent()), bool(domain.autostart())
            found["live"] = self.title(libvirt.VIR_DOMAIN_AFFECT_LIVE) if self.active() else None
            found["stored"] = self.title(libvirt.VIR_DOMAIN_AFFECT_CONFIG) if self.persistent else None
            found["info"] = domain.info()
        code = self.verb("look", work, self.present(OK), None)
        if code != OK:
            return code
        wanted = {"state": self.state, "persistent": self.persistent, "autostart": self.autostart, "live": self.live,
                  "stored": self.stored}
        for key, value in wanted.items():
            if found[key] != value:
                raise Wrong(f"look: {key} is {found[key]!r}, expected {value!r}")
        if (found["id"] > 0) != self.active() or f"<name>{self.names[0]}</name>" not in found["document"]:
            raise Wrong(f"look: id {found['id']}, {found['document'][:200]}")
        return OK


# How often each is tried; those that boot a guest are the dear ones.
WEIGHTS = {
    Guest.define: 12, Guest.undefine: 5, Guest.start: 7, Guest.start_paused: 3, Guest.create: 2, Guest.destroy: 4,
    Guest.suspend: 10, Guest.resume: 10, Guest.shutdown: 2, Guest.reboot: 2, Guest.reset: 2, Guest.kill_guest: 1,
    Guest.kill_supervisor: 1, Guest.set_autostart: 8, Guest.set_title: 10, Guest.rename: 6, Guest.look: 30,
}


def walk(guest):
    global done
    guest.connect()
    while True:
        with lock:
            if done >= VERBS or wrong:
                return
            done += 1
        verb = guest.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        guest.trail = [*guest.trail[-30:], f"{guest.state} {verb.__name__}"]
        try:
            code = verb(guest)
            if code is not None and code != "skipped" and verb is not Guest.look:
                state, persistent = guest.actual()
                if (state, persistent) != (guest.state, guest.persistent):
                    raise Wrong(f"{verb.__name__}: is {state} persistent={persistent}, expected {guest.state} {guest.persistent}")
        except Exception as error:
            with lock:
                wrong.append(f"{guest.names[0]}: {type(error).__name__}: {error}; before that: {guest.trail}")
            return
        with lock:
            counts[verb.__name__, code] = counts.get((verb.__name__, code), 0) + 1


def chaos():
    """Has the host killed, at moments spread over the verbs."""
    global kills
    rng = random.Random(SEED)
    moments = sorted(rng.randrange(VERBS) for _ in range(HOST_KILLS))
    for moment in moments:
        while done < moment:
            if wrong or done >= VERBS:
                return
            threading.Event().wait(0.01)
        with told:
            kills += 1
            told.notify_all()
        print("kill", flush=True)
        assert sys.stdin.readline().strip() == "serves"


guests = [Guest(number) for number in range(GUESTS)]
threads = [threading.Thread(target=walk, args=(guest,), daemon=True) for guest in guests]
threads.append(threading.Thread(target=chaos, daemon=True))
threading.Thread(target=events, daemon=True).start()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print({f"{verb} {answer}": count for (verb, answer), count in sorted(counts.items(), key=str)}, file=sys.stderr)
for guest in guests:
    if not wrong and guest.state != ABSENT:
        guest.connect()
        if guest.active():
            guest.domain().destroy()
        if guest.persistent:
            guest.domain().undefine()
assert not wrong, "\n".join(wrong)
idle = [verb.__name__ for verb in WEIGHTS if VERBS >= 5000 and not counts.get((verb.__name__, OK))]
assert not idle, f"never succeeded: {idle}"
print("good", flush=True)
