/* A driver in C whose domains live in memory: what the C header of the driver interface is good for.

   gcc -std=c11 -shared -fPIC -O2 -I driver-api/include -o libc_driver.so tests/plugins/c-driver/c-driver.c -lpthread

   With -DCHEAT=... it breaks the lock rules at each start: see cheat.h. */

#include "lockstep_kit.h"
#include <pthread.h>
#include <sys/random.h>

#pragma GCC diagnostic ignored "-Wunused-parameter" /* a table's functions take what the table says */

typedef LockstepRResultDomainRecordFault Answer;
typedef LockstepRResultROptionDomainRecordFault Found;

typedef struct {
    LockstepUuid uuid;
    char *name, *xml;
    uint64_t memory_kib;
    uint32_t vcpus, state, reason, autostart;
    int32_t id; /* -1 while it does not run */
} Domain;

static LockstepHostRef host;
static const LockstepLockV1 *locks;
static const LockstepLogV1 *logs;
static const LockstepEventV1 *events;
static uint64_t site; /* the one place that logs */

/* A leaf: held for a look or a change, never while the host is called. */
static pthread_mutex_t leaf = PTHREAD_MUTEX_INITIALIZER;
static Domain *domains;
static size_t count;
static int32_t last_id;

static const LockstepDone done = {.tag = LOCKSTEP_IS_OK};
#define FAULT(CODE, ...) lockstep_fault(LOCKSTEP_CODE_##CODE, LOCKSTEP_ORIGIN_DOMAIN, __VA_ARGS__)
#define REFUSED(CODE, ...) LOCKSTEP_ERR(LockstepDone, FAULT(CODE, __VA_ARGS__))
#define NOBODY FAULT(NO_DOMAIN, "no domain with this UUID; 'list --all' shows those that there are")

static void drop_record(LockstepDomainRecord *record)
{
    lockstep_drop_string(&record->name);
    lockstep_drop_string(&record->os_type);
}

static void drop_port(LockstepPortRecord *port) /* of which there are none */
{
}

LOCKSTEP_VECTOR(records, LockstepRVecDomainRecord, LockstepDomainRecord, drop_record)
LOCKSTEP_VECTOR(ports, LockstepRVecPortRecord, LockstepPortRecord, drop_port)

static LockstepDomainRecord record(const Domain *domain)
{
    return (LockstepDomainRecord){
        .uuid = domain->uuid, .name = lockstep_string(domain->name), .os_type = lockstep_string("hvm"),
        .max_memory_kib = domain->memory_kib, .memory_kib = domain->memory_kib, .id = domain->id,
        .state = domain->state, .reason = domain->reason, .vcpus = domain->vcpus,
        .flags = LOCKSTEP_PERSISTENT | (domain->autostart ? LOCKSTEP_AUTOSTART : 0),
    };
}

static bool same(LockstepUuid one, LockstepUuid other)
{
    return memcmp(&one, &other, sizeof one) == 0;
}

/* Under the leaf. */
static Domain *find(LockstepUuid uuid)
{
    for (size_t i = 0; i < count; i++)
        if (same(domains[i].uuid, uuid))
            return &domains[i];
    return NULL;
}

static void say(const char *message, LockstepRStr name)
{
    LockstepField fields[] = {{.index = 0, .kind = LOCKSTEP_KIND_DEBUG, .text = lockstep_lend(message)},
                              {.index = 1, .kind = LOCKSTEP_KIND_TEXT, .text = name}};
    LockstepParent parent = {.kind = LOCKSTEP_PARENT_CURRENT};
    if (logs && logs->enabled(host.obj, site))
        logs->event(host.obj, site, parent, (LockstepRSliceField){fields, name.length ? 2 : 1});
}

/* Of a copy: the leaf is not held any more. The event leaves when the locks are given back. */
static void tell(const LockstepDomainRecord *domain, uint32_t event, uint32_t detail)
{
    LockstepRStr name = {domain->name.inner.buffer, domain->name.inner.length};
    char *text = lockstep_copy(name);
    say(event == LOCKSTEP_EVENT_STARTED ? "started" : "changed", name);
    LockstepEventRecord happened = {.uuid = domain->uuid, .name = lockstep_string(text ? text : ""), .id = domain->id,
                                    .kind = LOCKSTEP_LIFECYCLE, .event = event, .detail = detail};
    LockstepDone told = events->emit(host.obj, happened);
    if (told.tag == LOCKSTEP_IS_ERR)
        lockstep_drop_string(&told.err.message);
    free(text);
}

static LockstepRResultHeldFault take(LockstepCall call, uint32_t rank, LockstepUuid uuid)
{
    LockstepLockKey key = {.rank = rank, .uuid = uuid};
    return locks->acquire(host.obj, call, key, LOCKSTEP_EXCLUSIVE, 0);
}

static void give_back(LockstepCall call, LockstepRResultHeldFault held)
{
    LockstepDone given = locks->release(host.obj, call, held.ok.handle, 0);
    if (given.tag == LOCKSTEP_IS_ERR)
        lockstep_drop_string(&given.err.message);
}

#ifdef CHEAT
#include "cheat.h"
#endif

/* Moves a domain from shut off to running or back, under its lock. */
static Answer move(LockstepCall call, LockstepUuid uuid, bool start, uint32_t reason, uint32_t detail)
{
    LockstepRResultHeldFault held = locks->lookup(host.obj, call, uuid, LOCKSTEP_EXCLUSIVE, 0);
    if (held.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(Answer, held.err);
    Answer answer;
    pthread_mutex_lock(&leaf);
    Domain *domain = find(uuid);
    if (!domain) {
        answer = LOCKSTEP_ERR(Answer, NOBODY);
    } else if (start == (domain->id > 0)) {
        const char *why = start ? "runs already" : "does not run; 'start' starts it";
        answer = LOCKSTEP_ERR(Answer, FAULT(OPERATION_INVALID, "domain '%s' %s", domain->name, why));
    } else {
        domain->id = start ? ++last_id : -1;
        domain->state = start ? LOCKSTEP_STATE_RUNNING : LOCKSTEP_STATE_SHUTOFF;
        domain->reason = reason;
        answer = LOCKSTEP_OK(Answer, record(domain));
    }
    pthread_mutex_unlock(&leaf);
    if (answer.tag == LOCKSTEP_IS_OK)
        tell(&answer.ok, start ? LOCKSTEP_EVENT_STARTED : LOCKSTEP_EVENT_STOPPED, detail);
    give_back(call, held);
    return answer;
}

static LockstepDone stop(LockstepCall call, LockstepUuid uuid, uint32_t flags, uint32_t reason, uint32_t detail)
{
    if (flags)
        return REFUSED(INVALID_ARG, "unknown flags %#x to end a domain", flags);
    Answer answer = move(call, uuid, false, reason, detail);
    if (answer.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(LockstepDone, answer.err);
    drop_record(&answer.ok);
    return done;
}

/* ---- virt.lifecycle/1: changes ---- */

/* The text of <NAME> in a document, to be freed; NULL when it has none. */
static char *element(const char *xml, const char *name)
{
    char open[16], close[16];
    snprintf(open, sizeof open, "<%s>", name);
    snprintf(close, sizeof close, "</%s>", name);
    const char *from = strstr(xml, open);
    const char *to = from ? strstr(from, close) : NULL;
    if (!to)
        return NULL;
    from += strlen(open);
    return lockstep_copy((LockstepRStr){(const uint8_t *)from, (size_t)(to - from)});
}

/* `<memory unit='MiB'>64</memory>` in KiB; 0 for none that can be read. */
static uint64_t read_memory(const char *xml)
{
    const char *at = strstr(xml, "<memory");
    unsigned long long value = 0;
    char unit[4] = "KiB";
    if (!at || (sscanf(at, "<memory>%llu", &value) != 1 &&
                sscanf(at, "<memory unit=%*['\"]%3[A-Za-z]%*['\"]>%llu", unit, &value) != 2))
        return 0;
    int shift = !strcmp(unit, "KiB") ? 0 : !strcmp(unit, "MiB") ? 10 : !strcmp(unit, "GiB") ? 20 : 64;
    return shift < 64 && value < UINT64_C(1) << 40 ? (uint64_t)value << shift : 0;
}

static uint32_t read_vcpus(const char *xml)
{
    const char *at = strstr(xml, "<vcpu");
    unsigned value = 1;
    if (at && sscanf(at, "<vcpu>%u", &value) != 1)
        sscanf(at, "<vcpu%*[^>]>%u", &value);
    return value;
}

static bool read_uuid(const char *text, LockstepUuid *uuid)
{
    size_t digits = 0;
    for (; *text && digits <= 32; text++) {
        const char *all = "0123456789abcdef0123456789ABCDEF", *digit = strchr(all, *text);
        if (*text == '-')
            continue;
        if (!digit || digits == 32)
            return false;
        uuid->bytes[digits / 2] = (uint8_t)(uuid->bytes[digits / 2] << 4 | (digit - all) % 16);
        digits++;
    }
    return digits == 32;
}

/* A document with its UUID, made up when it has none; NULL for one that is wrong. */
static char *with_uuid(const char *xml, LockstepUuid *uuid)
{
    char *given = element(xml, "uuid"), text[64], *all = NULL;
    if (given && read_uuid(given, uuid)) {
        all = lockstep_copy(lockstep_lend(xml));
    } else if (!given && getrandom(uuid, sizeof *uuid, 0) == sizeof *uuid) {
        uint8_t *b = uuid->bytes;
        b[6] = (uint8_t)((b[6] & 0x0f) | 0x40), b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
        size_t end = (size_t)(strstr(xml, "</name>") - xml) + strlen("</name>"), at = 0;
        for (size_t i = 0; i < sizeof uuid->bytes; i++)
            at += (size_t)sprintf(text + at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
        size_t size = strlen(xml) + sizeof "<uuid></uuid>" + at;
        if ((all = malloc(size)))
            snprintf(all, size, "%.*s<uuid>%s</uuid>%s", (int)end, xml, text, xml + end);
    }
    free(given);
    return all;
}

/* Under Virt and the leaf: puts a definition in, or in the place of the old one. */
static Answer put(LockstepUuid uuid, char *name, char *xml, bool *added)
{
    Domain *old = find(uuid);
    for (size_t i = 0; i < count; i++)
        if (strcmp(domains[i].name, name) == 0 && !same(domains[i].uuid, uuid))
            return LOCKSTEP_ERR(Answer, FAULT(OPERATION_FAILED, "the name '%s' belongs to another domain", name));
    if (old && (old->id > 0 || strcmp(old->name, name) != 0))
        return LOCKSTEP_ERR(Answer, FAULT(OPERATION_FAILED, "domain '%s' can be defined anew while it is shut off, by "
                                          "its own name", old->name));
    *added = !old;
    if (old) {
        free(old->name), free(old->xml);
    } else {
        Domain *more = realloc(domains, (count + 1) * sizeof *domains);
        if (!more)
            return LOCKSTEP_ERR(Answer, FAULT(NO_MEMORY, "no memory for domain '%s'", name));
        domains = more;
        old = &domains[count++];
        *old = (Domain){.uuid = uuid, .state = LOCKSTEP_STATE_SHUTOFF, .id = -1};
    }
    old->name = name, old->xml = xml;
    old->memory_kib = read_memory(xml), old->vcpus = read_vcpus(xml);
    return LOCKSTEP_OK(Answer, record(old));
}

static Answer define(LockstepObj obj, LockstepCall call, LockstepRStr document, uint32_t flags)
{
    if (flags & ~LOCKSTEP_FLAG_DEFINE_VALIDATE)
        return LOCKSTEP_ERR(Answer, FAULT(INVALID_ARG, "unknown flags %#x for a definition", flags));
    LockstepUuid uuid = {{0}};
    char *given = lockstep_copy(document), *name = given ? element(given, "name") : NULL;
    if (!name || !*name || strpbrk(name, "<&/")) {
        free(given), free(name);
        return LOCKSTEP_ERR(Answer, FAULT(XML_ERROR, "the document has no <name> without '<', '&' and '/'"));
    }
    char *xml = read_memory(given) ? with_uuid(given, &uuid) : NULL;
    free(given);
    if (!xml) {
        free(name);
        return LOCKSTEP_ERR(Answer, FAULT(XML_ERROR, "the document's <uuid> is none, or it has no <memory> in KiB, MiB or GiB"));
    }
    LockstepRResultHeldFault held = take(call, LOCKSTEP_RANK_VIRT, (LockstepUuid){{0}});
    if (held.tag == LOCKSTEP_IS_ERR) {
        free(name), free(xml);
        return LOCKSTEP_ERR(Answer, held.err);
    }
    bool added = false;
    pthread_mutex_lock(&leaf);
    Answer answer = put(uuid, name, xml, &added);
    pthread_mutex_unlock(&leaf);
    if (answer.tag == LOCKSTEP_IS_ERR)
        free(name), free(xml);
    else
        tell(&answer.ok, LOCKSTEP_EVENT_DEFINED, added ? LOCKSTEP_DETAIL_DEFINED_ADDED : LOCKSTEP_DETAIL_DEFINED_UPDATED);
    give_back(call, held);
    return answer;
}

static LockstepDone undefine(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    if (flags)
        return REFUSED(INVALID_ARG, "unknown flags %#x to undefine a domain", flags);
    LockstepRResultHeldFault table = take(call, LOCKSTEP_RANK_VIRT, uuid);
    if (table.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(LockstepDone, table.err);
    LockstepRResultHeldFault held = take(call, LOCKSTEP_RANK_DOMAIN, uuid);
    if (held.tag == LOCKSTEP_IS_ERR) {
        give_back(call, table);
        return LOCKSTEP_ERR(LockstepDone, held.err);
    }
    LockstepDone answer = done;
    LockstepDomainRecord gone;
    pthread_mutex_lock(&leaf);
    Domain *domain = find(uuid);
    if (!domain) {
        answer = LOCKSTEP_ERR(LockstepDone, NOBODY);
    } else if (domain->id > 0) {
        answer = REFUSED(OPERATION_INVALID, "domain '%s' runs; destroy it first", domain->name);
    } else {
        gone = record(domain);
        free(domain->name), free(domain->xml);
        *domain = domains[--count];
    }
    pthread_mutex_unlock(&leaf);
    if (answer.tag == LOCKSTEP_IS_OK) {
        tell(&gone, LOCKSTEP_EVENT_UNDEFINED, LOCKSTEP_DETAIL_UNDEFINED_REMOVED);
        drop_record(&gone);
    }
    give_back(call, held);
    give_back(call, table);
    return answer;
}

static Answer start(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    if (flags)
        return LOCKSTEP_ERR(Answer, FAULT(INVALID_ARG, "unknown flags %#x to start a domain", flags));
#ifdef CHEAT
    LockstepDone caught = cheat(call, uuid);
    if (caught.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(Answer, caught.err);
#endif
    return move(call, uuid, true, LOCKSTEP_REASON_RUNNING_BOOTED, LOCKSTEP_DETAIL_STARTED_BOOTED);
}

static LockstepDone shutdown(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    return stop(call, uuid, flags, LOCKSTEP_REASON_SHUTOFF_SHUTDOWN, LOCKSTEP_DETAIL_STOPPED_SHUTDOWN);
}

static LockstepDone destroy(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    uint32_t others = flags & ~LOCKSTEP_FLAG_DESTROY_GRACEFUL;
    return stop(call, uuid, others, LOCKSTEP_REASON_SHUTOFF_DESTROYED, LOCKSTEP_DETAIL_STOPPED_DESTROYED);
}

static LockstepDone set_autostart(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t on)
{
    LockstepRResultHeldFault held = locks->lookup(host.obj, call, uuid, LOCKSTEP_EXCLUSIVE, 0);
    if (held.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(LockstepDone, held.err);
    pthread_mutex_lock(&leaf);
    Domain *domain = find(uuid);
    if (domain)
        domain->autostart = on;
    pthread_mutex_unlock(&leaf);
    give_back(call, held);
    return domain ? done : LOCKSTEP_ERR(LockstepDone, NOBODY);
}

/* ---- what it can not ---- */

#define CAN_NOT(WHAT) FAULT(NO_SUPPORT, "the driver 'c' can not " WHAT)

static Answer create_transient(LockstepObj obj, LockstepCall call, LockstepRStr document, uint32_t flags)
{
    return LOCKSTEP_ERR(Answer, CAN_NOT("make transient domains; 'define' makes one that stays"));
}

static LockstepDone reboot(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    return LOCKSTEP_ERR(LockstepDone, CAN_NOT("reboot a domain; 'destroy' and 'start' do"));
}

static LockstepDone pause_or_resume(LockstepObj obj, LockstepCall call, LockstepUuid uuid)
{
    return LOCKSTEP_ERR(LockstepDone, CAN_NOT("pause a domain or let it go on"));
}

static LockstepRResultNodeRecordFault node_info(LockstepObj obj)
{
    return LOCKSTEP_ERR(LockstepRResultNodeRecordFault, CAN_NOT("tell facts about the machine"));
}

/* ---- virt.lifecycle/1: reads, which take no lock of the order ---- */

static LockstepRResultRStringFault capabilities(LockstepObj obj)
{
    const char *guest = "<guest><os_type>hvm</os_type><arch name='x86_64'><domain type='c'/></arch></guest>";
    return LOCKSTEP_OK(LockstepRResultRStringFault, lockstep_string(guest));
}

static LockstepRResultU64Fault version(LockstepObj obj)
{
    return LOCKSTEP_OK(LockstepRResultU64Fault, 1000);
}

static LockstepRResultRVecDomainRecordFault list(LockstepObj obj)
{
    pthread_mutex_lock(&leaf);
    LockstepRVecDomainRecord all = records_new(count);
    while (all.length < count && all.length < all.capacity) {
        all.buffer[all.length] = record(&domains[all.length]);
        all.length++;
    }
    pthread_mutex_unlock(&leaf);
    return LOCKSTEP_OK(LockstepRResultRVecDomainRecordFault, all);
}

/* Under the leaf, which it gives back. */
static Found found(const Domain *domain)
{
    LockstepROptionDomainRecord maybe = LOCKSTEP_NONE(LockstepROptionDomainRecord);
    if (domain)
        maybe = LOCKSTEP_SOME(LockstepROptionDomainRecord, record(domain));
    pthread_mutex_unlock(&leaf);
    return LOCKSTEP_OK(Found, maybe);
}

static Found by_uuid(LockstepObj obj, LockstepUuid uuid)
{
    pthread_mutex_lock(&leaf);
    return found(find(uuid));
}

static Found by_name(LockstepObj obj, LockstepRStr name)
{
    pthread_mutex_lock(&leaf);
    size_t i = 0;
    while (i < count && !lockstep_is(name, domains[i].name))
        i++;
    return found(i < count ? &domains[i] : NULL);
}

static Found by_id(LockstepObj obj, int32_t id)
{
    pthread_mutex_lock(&leaf);
    size_t i = 0;
    while (i < count && (id <= 0 || domains[i].id != id))
        i++;
    return found(i < count ? &domains[i] : NULL);
}

static LockstepRResultU64Fault cpu_time(LockstepObj obj, LockstepUuid uuid)
{
    pthread_mutex_lock(&leaf);
    bool known = find(uuid);
    pthread_mutex_unlock(&leaf);
    return known ? LOCKSTEP_OK(LockstepRResultU64Fault, 0) : LOCKSTEP_ERR(LockstepRResultU64Fault, NOBODY);
}

static LockstepRResultRStringFault dump_xml(LockstepObj obj, LockstepUuid uuid, uint32_t flags)
{
    if (flags & ~(LOCKSTEP_FLAG_XML_SECURE | LOCKSTEP_FLAG_XML_INACTIVE | LOCKSTEP_FLAG_XML_UPDATE_CPU))
        return LOCKSTEP_ERR(LockstepRResultRStringFault, FAULT(INVALID_ARG, "unknown flags %#x for a document", flags));
    LockstepRResultRStringFault answer;
    pthread_mutex_lock(&leaf);
    const Domain *domain = find(uuid);
    if (domain)
        answer = LOCKSTEP_OK(LockstepRResultRStringFault, lockstep_string(domain->xml));
    else
        answer = LOCKSTEP_ERR(LockstepRResultRStringFault, NOBODY);
    pthread_mutex_unlock(&leaf);
    return answer;
}

/* ---- what it has nothing to do with: its guests are no processes, its domains have no ports ---- */

static LockstepDone guest_event(LockstepObj obj, LockstepCall call, uint64_t guest, LockstepGuestEventRecord event)
{
    event.notifications.vtable->destructor(&event.notifications);
    lockstep_drop_string(&event.console_tail);
    return done;
}

static LockstepRResultRVecPortRecordFault filtered_ports(LockstepObj obj, LockstepCall call, LockstepRVecRString filters)
{
    filters.vtable->destructor(&filters);
    return LOCKSTEP_OK(LockstepRResultRVecPortRecordFault, ports_new(0));
}

/* ---- driver.core/1 and the way in ---- */

static LockstepDone bring_up(LockstepObj obj, LockstepCall call)
{
    say("at your service", lockstep_lend(""));
    return done;
}

static LockstepDone autostart(LockstepObj obj, LockstepCall call)
{
    return done; /* whatever was defined is gone with the last host */
}

static LockstepDone close_driver(LockstepObj obj, uint64_t within_ms)
{
    return done;
}

static LockstepDone rebuild_log_filters(LockstepObj obj)
{
    return done; /* the host is asked at each line */
}

static const LockstepCoreV1 core = {bring_up, autostart, close_driver, rebuild_log_filters};
static const LockstepVirtV1 virt = {
    .capabilities = capabilities, .version = version, .node_info = node_info, .list = list, .by_uuid = by_uuid,
    .by_name = by_name, .by_id = by_id, .cpu_time = cpu_time, .dump_xml = dump_xml, .define = define,
    .create = create_transient, .undefine = undefine, .start = start, .shutdown = shutdown, .reboot = reboot,
    .destroy = destroy, .suspend = pause_or_resume, .resume = pause_or_resume, .set_autostart = set_autostart,
    .guest_event = guest_event, .filtered_ports = filtered_ports,
};
static const LockstepStamp core_stamp = LOCKSTEP_CORE_V1_STAMP, virt_stamp = LOCKSTEP_VIRT_V1_STAMP;

static LockstepROptionPlainInterface query(LockstepRStr id)
{
    if (lockstep_is(id, LOCKSTEP_CORE_V1_ID))
        return LOCKSTEP_SOME(LockstepROptionPlainInterface, ((LockstepPlainInterface){&core_stamp, &core}));
    if (lockstep_is(id, LOCKSTEP_VIRT_V1_ID))
        return LOCKSTEP_SOME(LockstepROptionPlainInterface, ((LockstepPlainInterface){&virt_stamp, &virt}));
    return LOCKSTEP_NONE(LockstepROptionPlainInterface);
}

static const void *service(const char *id)
{
    LockstepROptionInterface offered = host.query(host.obj, lockstep_lend(id));
    return offered.tag == LOCKSTEP_IS_SOME ? offered.some.table : NULL;
}

static LockstepRResultObjFault create(LockstepHostRef lent, LockstepRSlicePair config)
{
    host = lent;
    locks = service(LOCKSTEP_LOCK_V1_ID);
    events = service(LOCKSTEP_EVENT_V1_ID);
    logs = service(LOCKSTEP_LOG_V1_ID);
    if (!locks || !events)
        return LOCKSTEP_ERR(LockstepRResultObjFault, FAULT(NO_SUPPORT, "this host has no lock/1 or no event/1"));
    static const LockstepRStr fields[] = {{(const uint8_t *)"message", 7}, {(const uint8_t *)"dom", 3}};
    LockstepCallsite place = {.name = lockstep_lend("event"), .target = lockstep_lend("c_driver"), .file = lockstep_lend(__FILE__),
                              .line = __LINE__, .level = 3, .fields = {fields, 2}};
    site = logs ? logs->register_(host.obj, place) : 0;
    return LOCKSTEP_OK(LockstepRResultObjFault, &domains);
}

static const LockstepText needs[] = {LOCKSTEP_TEXT(LOCKSTEP_LOCK_V1_ID), LOCKSTEP_TEXT(LOCKSTEP_EVENT_V1_ID)};
static const LockstepPlainRoot root = {query, create};

__attribute__((visibility("default"))) const LockstepManifest LOCKSTEP_DRIVER = {
    .magic = {'L', 'K', 'S', 'T', 'P', 'D', 'R', 'V'}, .size = sizeof(LockstepManifest), .api_major = LOCKSTEP_API_MAJOR,
    .api_minor = LOCKSTEP_API_MINOR, .abi_stable = {0}, .kind = LOCKSTEP_KIND_VIRT, .panic = LOCKSTEP_PANIC_NONE,
    .name = LOCKSTEP_TEXT("c"), .title = LOCKSTEP_TEXT("C"), .version = LOCKSTEP_TEXT("0.1.0"),
    .rustc = LOCKSTEP_TEXT("gcc " __VERSION__), .licence = LOCKSTEP_TEXT("MIT OR Apache-2.0"), .needs = needs,
    .needs_len = 2, .root = &root,
};
