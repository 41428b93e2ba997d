/* A driver in C whose domains are definitions on disk and states in memory: what the C header of the driver interface is
   good for.

   gcc -std=c11 -shared -fPIC -O2 -I driver-api/include -o libc_driver.so tests/plugins/c-driver/c-driver.c -pthread

   With -DCHEAT=... it breaks the lock rules at each start: see cheat.h. */

#define _GNU_SOURCE
#include "lockstep_kit.h"
#include "store.h"
#include <pthread.h>
#include <sys/random.h>

#pragma GCC diagnostic ignored "-Wunused-parameter" /* a table's functions take what the table says */

typedef LockstepRResultDomainRecordFault Answer;
typedef LockstepRResultROptionDomainRecordFault Found;
typedef LockstepRResultRStringFault Text;
typedef LockstepRResultU64Fault Number;
typedef LockstepRResultHeldFault Held;

typedef struct {
    LockstepUuid uuid;
    char *name, *type, *xml;
    char *next; /* what it will be when it was stopped; NULL without a change */
    uint64_t memory_kib;
    uint32_t vcpus, state, reason, autostart;
    int32_t id;    /* -1 while it does not run */
    bool fleeting; /* it runs without a definition */
} Domain;

/* What a change makes of a domain, and how it is told. */
typedef struct {
    uint32_t state, reason, event, detail;
} Change;

#define TO(STATE, REASON, EVENT, DETAIL)                                                                               \
    ((Change){LOCKSTEP_STATE_##STATE, LOCKSTEP_REASON_##REASON, LOCKSTEP_EVENT_##EVENT, LOCKSTEP_DETAIL_##DETAIL})

/* One driver: the object that each of its calls brings back. */
typedef struct {
    LockstepHostRef host;
    const LockstepLockV1 *locks;
    const LockstepLogV1 *logs;
    const LockstepEventV1 *events;
    uint64_t site; /* the one place that logs */
    char *folder;  /* of the definitions */
    pthread_mutex_t leaf; /* for what is below: held for a look or a change, never while the host is called */
    Domain *domains;
    size_t count;
    int32_t last_id;
} Driver;

static const LockstepDone done = {.tag = LOCKSTEP_IS_OK};
#define ME Driver *me = (Driver *)obj
#define FAULT(CODE, ...) lockstep_fault(LOCKSTEP_CODE_##CODE, LOCKSTEP_ORIGIN_DOMAIN, __VA_ARGS__)
#define FAILED(TYPE, CODE, ...) LOCKSTEP_ERR(TYPE, FAULT(CODE, __VA_ARGS__))
#define NOBODY(TYPE) FAILED(TYPE, NO_DOMAIN, "no domain with this UUID; 'list --all' shows those that there are")

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
        .uuid = domain->uuid, .name = lockstep_string(domain->name), .os_type = lockstep_string(domain->type),
        .max_memory_kib = domain->memory_kib, .memory_kib = domain->memory_kib, .id = domain->id,
        .state = domain->state, .reason = domain->reason, .vcpus = domain->vcpus,
        .flags = (domain->fleeting ? 0 : LOCKSTEP_PERSISTENT) | (domain->autostart ? LOCKSTEP_AUTOSTART : 0) |
                 (domain->next ? LOCKSTEP_UPDATED : 0),
    };
}

/* Under the leaf. */
static Domain *find(Driver *me, LockstepUuid uuid)
{
    for (size_t i = 0; i < me->count; i++)
        if (memcmp(&me->domains[i].uuid, &uuid, sizeof uuid) == 0)
            return &me->domains[i];
    return NULL;
}

static void say(Driver *me, const char *message, LockstepRStr name)
{
    LockstepField fields[] = {{.index = 0, .kind = LOCKSTEP_KIND_DEBUG, .text = lockstep_lend(message)},
                              {.index = 1, .kind = LOCKSTEP_KIND_TEXT, .text = name}};
    LockstepParent parent = {.kind = LOCKSTEP_PARENT_CURRENT};
    if (me->logs && me->logs->enabled(me->host.obj, me->site))
        me->logs->event(me->host.obj, me->site, parent, (LockstepRSliceField){fields, name.length ? 2 : 1});
}

/* Without the leaf. The event leaves when the locks are given back. */
static void tell(Driver *me, const LockstepDomainRecord *domain, uint32_t event, uint32_t detail)
{
    LockstepRStr name = {domain->name.inner.buffer, domain->name.inner.length};
    say(me, event == LOCKSTEP_EVENT_STARTED ? "started" : "changed", name);
    LockstepEventRecord happened = {.uuid = domain->uuid, .name = lockstep_string_of(name), .id = domain->id,
                                    .kind = LOCKSTEP_LIFECYCLE, .event = event, .detail = detail};
    LockstepDone told = me->events->emit(me->host.obj, happened);
    if (told.tag == LOCKSTEP_IS_ERR)
        lockstep_drop_string(&told.err.message);
}

static Held take(Driver *me, LockstepCall call, uint32_t rank, LockstepUuid uuid)
{
    return me->locks->acquire(me->host.obj, call, (LockstepLockKey){rank, uuid}, LOCKSTEP_EXCLUSIVE, 0);
}

/* Virt for a moment, then the domain. */
static Held look_up(Driver *me, LockstepCall call, LockstepUuid uuid)
{
    return me->locks->lookup(me->host.obj, call, uuid, LOCKSTEP_EXCLUSIVE, 0);
}

static void give_back(Driver *me, LockstepCall call, Held held)
{
    LockstepDone given = me->locks->release(me->host.obj, call, held.ok.handle, 0);
    if (given.tag == LOCKSTEP_IS_ERR)
        lockstep_drop_string(&given.err.message);
}

#ifdef CHEAT
#include "cheat.h"
#endif

/* ---- documents ---- */

/* The text of <NAME>, to be freed; NULL when there is none. */
static char *element(const char *xml, const char *name)
{
    char open[16], close[16];
    snprintf(open, sizeof open, "<%s", name);
    snprintf(close, sizeof close, "</%s>", name);
    const char *from = xml;
    do
        from = strstr(from + 1, open);
    while (from && !strchr("> \t\n", from[strlen(open)]));
    from = from ? strchr(from, '>') : NULL;
    const char *to = from ? strstr(from, close) : NULL;
    return to ? lockstep_copy((LockstepRStr){(const uint8_t *)from + 1, (size_t)(to - from - 1)}) : NULL;
}

/* Whether it is one <domain> and nothing else. */
static bool is_domain(const char *xml)
{
    const char *end = strstr(xml, "</domain>"), *begin = strstr(xml, "<domain");
    return begin && end && end[strlen("</domain>") + strspn(end + strlen("</domain>"), " \t\r\n")] == '\0' &&
           strspn(xml, " \t\r\n") == (size_t)(begin - xml);
}

/* `<memory unit='MiB'>64</memory>` in KiB; 0 for none that can be read. */
static uint64_t read_memory(const char *xml)
{
    const char *at = strstr(xml, "<memory"), *text = at ? strchr(at, '>') : NULL, *given = at ? strstr(at, "unit=") : NULL;
    char unit[4] = "KiB";
    if (!text || (given && given < text && sscanf(given, "unit=%*['\"]%3[A-Za-z]", unit) != 1))
        return 0;
    unsigned long long value = strtoull(text + 1, NULL, 10);
    int shift = !strcmp(unit, "KiB") ? 0 : !strcmp(unit, "MiB") ? 10 : !strcmp(unit, "GiB") ? 20 : 64;
    return shift < 64 && value < UINT64_C(1) << 40 ? (uint64_t)value << shift : 0;
}

/* A copy without the id of one that ran, to be freed. */
static char *without_id(const char *xml)
{
    char *copy = lockstep_copy(lockstep_lend(xml));
    char *end = copy ? strchr(copy, '>') : NULL, *id = copy ? strstr(copy, " id=") : NULL;
    char *stop = id && id < end ? strchr(id + 5, id[4]) : NULL;
    if (stop && stop < end)
        memmove(id, stop + 1, strlen(stop + 1) + 1);
    return copy;
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
    const char *all = "0123456789abcdef0123456789ABCDEF";
    size_t digits = 0;
    for (; *text; text++) {
        const char *digit = strchr(all, *text);
        if (*text == '-')
            continue;
        if (!digit || digits == 32)
            return false;
        uuid->bytes[digits / 2] = (uint8_t)(uuid->bytes[digits / 2] << 4 | (digit - all) % 16);
        digits++;
    }
    return digits == 32;
}

/* The document with a UUID, made up when it has none, to be freed; NULL for one that is wrong. */
static char *with_uuid(const char *xml, LockstepUuid *uuid)
{
    char *given = element(xml, "uuid"), *all = NULL, text[37];
    if (given && read_uuid(given, uuid)) {
        all = lockstep_copy(lockstep_lend(xml));
    } else if (!given && getrandom(uuid, sizeof *uuid, 0) == sizeof *uuid) {
        uint8_t *b = uuid->bytes;
        b[6] = (uint8_t)((b[6] & 0x0f) | 0x40), b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
        write_uuid(*uuid, text);
        int end = (int)(strstr(xml, "</name>") - xml) + (int)strlen("</name>");
        size_t size = strlen(xml) + sizeof "<uuid></uuid>" + sizeof text;
        if ((all = malloc(size)))
            snprintf(all, size, "%.*s<uuid>%s</uuid>%s", end, xml, text, xml + end);
    }
    free(given);
    return all;
}

/* ---- virt.lifecycle/1: changes. Virt before Domain, each given back where it was taken. ---- */

static void drop_texts(Domain *domain)
{
    free(domain->name), free(domain->type), free(domain->xml);
}

/* What a document says, with texts to be freed; without them when it is wrong. */
static Domain read_document(const char *xml)
{
    Domain new = {.state = LOCKSTEP_STATE_SHUTOFF, .id = -1, .memory_kib = read_memory(xml), .vcpus = read_vcpus(xml)};
    if (is_domain(xml))
        new.name = element(xml, "name"), new.type = element(xml, "type");
    char *plain = without_id(xml);
    if (new.name && *new.name && !strpbrk(new.name, "<&/") && new.type && !strpbrk(new.type, "<&") && new.memory_kib && plain)
        new.xml = with_uuid(plain, &new.uuid);
    free(plain);
    if (!new.xml)
        drop_texts(&new);
    return new;
}

/* Under Virt, Domain and the leaf: whether a definition may go in. */
static LockstepDone fits(Driver *me, const Domain *new)
{
    const Domain *old = find(me, new->uuid);
    for (size_t i = 0; i < me->count; i++)
        if (strcmp(me->domains[i].name, new->name) == 0 && &me->domains[i] != old)
            return FAILED(LockstepDone, OPERATION_FAILED, "the name '%s' belongs to another domain", new->name);
    if (old && strcmp(old->name, new->name) != 0)
        return FAILED(LockstepDone, OPERATION_FAILED, "domain '%s' has this UUID already", old->name);
    return done;
}

/* Under Virt, Domain and the leaf: it goes in, or in the place of the old one, and has the texts then. */
static Answer put(Driver *me, Domain new, bool *added)
{
    Domain *old = find(me, new.uuid);
    *added = !old;
    if (old && old->id > 0) {
        /* It goes on as what it was started as. */
        free(old->next), free(new.name), free(new.type);
        old->next = new.xml;
        old->fleeting = false;
        return LOCKSTEP_OK(Answer, record(old));
    }
    if (old) {
        new.autostart = old->autostart;
        drop_texts(old);
    } else {
        Domain *more = realloc(me->domains, (me->count + 1) * sizeof new);
        if (!more)
            return FAILED(Answer, NO_MEMORY, "no memory for domain '%s'", new.name);
        me->domains = more;
        old = &more[me->count++];
    }
    *old = new;
    return LOCKSTEP_OK(Answer, record(old));
}

/* Persist, then apply, then tell. */
static Answer keep(Driver *me, Domain new)
{
    pthread_mutex_lock(&me->leaf);
    LockstepDone fit = fits(me, &new);
    pthread_mutex_unlock(&me->leaf);
    int error = fit.tag == LOCKSTEP_IS_OK ? store_put(me->folder, new.uuid, ".xml", new.xml) : 0;
    Answer answer;
    bool added = false;
    if (fit.tag == LOCKSTEP_IS_ERR) {
        answer = LOCKSTEP_ERR(Answer, fit.err);
    } else if (error) {
        answer = FAILED(Answer, SYSTEM_ERROR, "can not write domain '%s' to '%s': %s", new.name, me->folder, strerror(error));
    } else {
        pthread_mutex_lock(&me->leaf);
        answer = put(me, new, &added);
        pthread_mutex_unlock(&me->leaf);
        if (answer.tag == LOCKSTEP_IS_ERR && added)
            store_drop(me->folder, new.uuid, ".xml");
    }
    if (answer.tag == LOCKSTEP_IS_ERR)
        drop_texts(&new);
    else
        tell(me, &answer.ok, LOCKSTEP_EVENT_DEFINED, added ? LOCKSTEP_DETAIL_DEFINED_ADDED : LOCKSTEP_DETAIL_DEFINED_UPDATED);
    return answer;
}

static Answer define(LockstepObj obj, LockstepCall call, LockstepRStr document, uint32_t flags)
{
    ME;
    if (flags & ~LOCKSTEP_FLAG_DEFINE_VALIDATE)
        return FAILED(Answer, INVALID_ARG, "unknown flags %#x for a definition", flags);
    char *xml = lockstep_copy(document);
    if (!xml || strstr(xml, "passwd=")) /* which would have to be kept from those who may not see it */
        return free(xml), FAILED(Answer, CONFIG_UNSUPPORTED, "the driver 'c' keeps no secrets: leave the 'passwd' out");
    Domain new = read_document(xml);
    free(xml);
    if (!new.xml)
        return FAILED(Answer, XML_ERROR, "the document must be one <domain> with a <name> without '<', '&' and '/', an <os><type>, "
                                         "a <memory> in KiB, MiB or GiB, and in <uuid>, if it has that, a UUID");
    Held table = take(me, call, LOCKSTEP_RANK_VIRT, new.uuid), held = {.tag = LOCKSTEP_IS_ERR};
    Answer answer;
    if (table.tag == LOCKSTEP_IS_OK)
        held = take(me, call, LOCKSTEP_RANK_DOMAIN, new.uuid);
    if (held.tag == LOCKSTEP_IS_ERR) {
        answer = LOCKSTEP_ERR(Answer, table.tag == LOCKSTEP_IS_OK ? held.err : table.err);
        drop_texts(&new);
    } else {
        answer = keep(me, new);
        give_back(me, call, held);
    }
    if (table.tag == LOCKSTEP_IS_OK)
        give_back(me, call, table);
    return answer;
}

/* Under Domain and the leaf. */
static void drop_domain(Driver *me, Domain *domain)
{
    drop_texts(domain);
    *domain = me->domains[--me->count];
}

/* Under Virt and Domain. */
static LockstepDone take_out(Driver *me, LockstepUuid uuid)
{
    pthread_mutex_lock(&me->leaf);
    Domain *domain = find(me, uuid);
    LockstepDone answer = domain ? done : NOBODY(LockstepDone);
    if (domain && domain->fleeting)
        answer = FAILED(LockstepDone, OPERATION_INVALID, "domain '%s' has no definition any more", domain->name);
    pthread_mutex_unlock(&me->leaf);
    if (answer.tag == LOCKSTEP_IS_ERR)
        return answer;
    int error = store_drop(me->folder, uuid, ".xml");
    if (!error)
        error = store_drop(me->folder, uuid, ".autostart");
    if (error)
        return FAILED(LockstepDone, SYSTEM_ERROR, "can not remove a domain from '%s': %s", me->folder, strerror(error));
    pthread_mutex_lock(&me->leaf);
    domain = find(me, uuid);
    LockstepDomainRecord gone = record(domain);
    free(domain->next), domain->next = NULL;
    domain->fleeting = true, domain->autostart = 0;
    if (domain->id < 0)
        drop_domain(me, domain);
    pthread_mutex_unlock(&me->leaf);
    tell(me, &gone, LOCKSTEP_EVENT_UNDEFINED, LOCKSTEP_DETAIL_UNDEFINED_REMOVED);
    drop_record(&gone);
    return done;
}

static LockstepDone undefine(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    ME;
    if (flags)
        return FAILED(LockstepDone, INVALID_ARG, "unknown flags %#x to undefine a domain", flags);
    Held table = take(me, call, LOCKSTEP_RANK_VIRT, uuid);
    if (table.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(LockstepDone, table.err);
    Held held = take(me, call, LOCKSTEP_RANK_DOMAIN, uuid);
    LockstepDone answer = held.tag == LOCKSTEP_IS_OK ? take_out(me, uuid) : LOCKSTEP_ERR(LockstepDone, held.err);
    if (held.tag == LOCKSTEP_IS_OK)
        give_back(me, call, held);
    give_back(me, call, table);
    return answer;
}

#define IN(STATE) (1U << LOCKSTEP_STATE_##STATE)
#define ACTIVE (IN(RUNNING) | IN(PAUSED))

/* From one of some states to another, under the domain's lock. */
static Answer move(Driver *me, LockstepCall call, LockstepUuid uuid, uint32_t from, Change to)
{
    static const char *const names[] = {"in no state", "running", "blocked", "paused", "shutting down", "shut off"};
    Held held = look_up(me, call, uuid);
    if (held.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(Answer, held.err);
    Answer answer;
    pthread_mutex_lock(&me->leaf);
    Domain *domain = find(me, uuid);
    if (!domain) {
        answer = NOBODY(Answer);
    } else if (!(from & 1U << domain->state)) {
        answer = FAILED(Answer, OPERATION_INVALID, "domain '%s' is %s", domain->name, names[domain->state]);
    } else {
        if (to.state == LOCKSTEP_STATE_SHUTOFF)
            domain->id = -1;
        else if (domain->id < 0)
            domain->id = ++me->last_id;
        domain->state = to.state;
        domain->reason = to.reason;
        if (domain->id < 0 && domain->next) {
            free(domain->xml);
            domain->xml = domain->next, domain->next = NULL;
            domain->memory_kib = read_memory(domain->xml), domain->vcpus = read_vcpus(domain->xml);
        }
        answer = LOCKSTEP_OK(Answer, record(domain));
        if (domain->id < 0 && domain->fleeting)
            drop_domain(me, domain);
    }
    pthread_mutex_unlock(&me->leaf);
    if (answer.tag == LOCKSTEP_IS_OK)
        tell(me, &answer.ok, to.event, to.detail);
    give_back(me, call, held);
    return answer;
}

static LockstepDone moved(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t from, Change to)
{
    Answer answer = move((Driver *)obj, call, uuid, from, to);
    if (answer.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(LockstepDone, answer.err);
    drop_record(&answer.ok);
    return done;
}

static Answer start(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    ME;
    if (flags & ~(LOCKSTEP_FLAG_START_PAUSED | LOCKSTEP_FLAG_START_AUTODESTROY)) /* the host ends it with its client */
        return FAILED(Answer, INVALID_ARG, "unknown flags %#x to start a domain", flags);
#ifdef CHEAT
    LockstepDone caught = cheat(me, call, uuid);
    if (caught.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(Answer, caught.err);
#endif
    Change to = TO(RUNNING, RUNNING_BOOTED, STARTED, STARTED_BOOTED);
    if (flags & LOCKSTEP_FLAG_START_PAUSED)
        to = TO(PAUSED, PAUSED_USER, STARTED, STARTED_BOOTED);
    return move(me, call, uuid, IN(SHUTOFF), to);
}

static LockstepDone shutdown(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    if (flags)
        return FAILED(LockstepDone, INVALID_ARG, "unknown flags %#x to shut a domain down", flags);
    return moved(obj, call, uuid, ACTIVE, TO(SHUTOFF, SHUTOFF_SHUTDOWN, STOPPED, STOPPED_SHUTDOWN));
}

static LockstepDone destroy(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    if (flags & ~LOCKSTEP_FLAG_DESTROY_GRACEFUL)
        return FAILED(LockstepDone, INVALID_ARG, "unknown flags %#x to destroy a domain", flags);
    return moved(obj, call, uuid, ACTIVE, TO(SHUTOFF, SHUTOFF_DESTROYED, STOPPED, STOPPED_DESTROYED));
}

static LockstepDone suspend(LockstepObj obj, LockstepCall call, LockstepUuid uuid)
{
    return moved(obj, call, uuid, IN(RUNNING), TO(PAUSED, PAUSED_USER, SUSPENDED, SUSPENDED_PAUSED));
}

static LockstepDone resume(LockstepObj obj, LockstepCall call, LockstepUuid uuid)
{
    return moved(obj, call, uuid, IN(PAUSED), TO(RUNNING, RUNNING_UNPAUSED, RESUMED, RESUMED_UNPAUSED));
}

static LockstepDone set_autostart(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t on)
{
    ME;
    Held held = look_up(me, call, uuid);
    if (held.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(LockstepDone, held.err);
    LockstepDone answer = done;
    pthread_mutex_lock(&me->leaf);
    const Domain *known = find(me, uuid);
    if (known && known->fleeting)
        answer = FAILED(LockstepDone, OPERATION_INVALID, "domain '%s' has no definition that could be started", known->name);
    pthread_mutex_unlock(&me->leaf);
    if (answer.tag == LOCKSTEP_IS_ERR)
        return give_back(me, call, held), answer;
    int error = !known ? 0 : on ? store_put(me->folder, uuid, ".autostart", "") : store_drop(me->folder, uuid, ".autostart");
    if (error)
        answer = FAILED(LockstepDone, SYSTEM_ERROR, "can not store in '%s': %s", me->folder, strerror(error));
    pthread_mutex_lock(&me->leaf);
    Domain *domain = find(me, uuid);
    if (!domain)
        answer = NOBODY(LockstepDone);
    else if (!error)
        domain->autostart = on;
    pthread_mutex_unlock(&me->leaf);
    give_back(me, call, held);
    return answer;
}

/* ---- what it can not, and what it has nothing to do with: its guests are no processes and have no ports ---- */

static Answer create_transient(LockstepObj obj, LockstepCall call, LockstepRStr document, uint32_t flags)
{
    return FAILED(Answer, NO_SUPPORT, "the driver 'c' can not make transient domains; 'define' makes one that stays");
}

static LockstepDone reboot(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    return FAILED(LockstepDone, NO_SUPPORT, "the driver 'c' can not reboot a domain; 'destroy' and 'start' do");
}

static LockstepRResultNodeRecordFault node_info(LockstepObj obj)
{
    return FAILED(LockstepRResultNodeRecordFault, NO_SUPPORT, "the driver 'c' can not tell facts about the machine");
}

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

/* ---- virt.lifecycle/1: reads, which take no lock of the order ---- */

static Text capabilities(LockstepObj obj)
{
    const char *guest = "<guest><os_type>hvm</os_type><arch name='x86_64'><domain type='c'/></arch></guest>";
    return LOCKSTEP_OK(Text, lockstep_string(guest));
}

static Number version(LockstepObj obj)
{
    return LOCKSTEP_OK(Number, 1000);
}

static LockstepRResultRVecDomainRecordFault list(LockstepObj obj)
{
    ME;
    pthread_mutex_lock(&me->leaf);
    LockstepRVecDomainRecord all = records_new(me->count);
    for (; all.length < me->count && all.length < all.capacity; all.length++)
        all.buffer[all.length] = record(&me->domains[all.length]);
    pthread_mutex_unlock(&me->leaf);
    return LOCKSTEP_OK(LockstepRResultRVecDomainRecordFault, all);
}

/* The domain with this UUID, or name, or id. */
static Found found(Driver *me, const LockstepUuid *uuid, const LockstepRStr *name, int32_t id)
{
    LockstepROptionDomainRecord maybe = LOCKSTEP_NONE(LockstepROptionDomainRecord);
    pthread_mutex_lock(&me->leaf);
    for (size_t i = 0; i < me->count; i++) {
        const Domain *domain = &me->domains[i];
        if (uuid ? !memcmp(uuid, &domain->uuid, sizeof *uuid) : name ? lockstep_is(*name, domain->name) : id == domain->id) {
            maybe = LOCKSTEP_SOME(LockstepROptionDomainRecord, record(domain));
            break;
        }
    }
    pthread_mutex_unlock(&me->leaf);
    return LOCKSTEP_OK(Found, maybe);
}

static Found by_uuid(LockstepObj obj, LockstepUuid uuid)
{
    return found((Driver *)obj, &uuid, NULL, 0);
}

static Found by_name(LockstepObj obj, LockstepRStr name)
{
    return found((Driver *)obj, NULL, &name, 0);
}

static Found by_id(LockstepObj obj, int32_t id)
{
    return found((Driver *)obj, NULL, NULL, id > 0 ? id : 0);
}

static Number cpu_time(LockstepObj obj, LockstepUuid uuid)
{
    ME;
    pthread_mutex_lock(&me->leaf);
    bool known = find(me, uuid);
    pthread_mutex_unlock(&me->leaf);
    return known ? LOCKSTEP_OK(Number, 0) : NOBODY(Number);
}

static Text dump_xml(LockstepObj obj, LockstepUuid uuid, uint32_t flags)
{
    ME;
    if (flags & ~(LOCKSTEP_FLAG_XML_SECURE | LOCKSTEP_FLAG_XML_INACTIVE | LOCKSTEP_FLAG_XML_UPDATE_CPU))
        return FAILED(Text, INVALID_ARG, "unknown flags %#x for a document", flags);
    pthread_mutex_lock(&me->leaf);
    const Domain *domain = find(me, uuid);
    bool next = domain && domain->next && flags & LOCKSTEP_FLAG_XML_INACTIVE;
    const char *xml = next ? domain->next : domain ? domain->xml : NULL;
    bool live = domain && domain->id > 0 && !(flags & LOCKSTEP_FLAG_XML_INACTIVE);
    char *with_id = NULL;
    if (live && (with_id = malloc(strlen(xml) + 32))) {
        const char *rest = strstr(xml, "<domain") + strlen("<domain");
        sprintf(with_id, "<domain id='%d'%s", (int)domain->id, rest);
    }
    Text answer = !domain ? NOBODY(Text) : LOCKSTEP_OK(Text, lockstep_string(with_id ? with_id : xml));
    pthread_mutex_unlock(&me->leaf);
    free(with_id);
    return answer;
}

/* ---- driver.core/1 ---- */

/* One that was defined in an earlier life; a damaged file is left where it is and told. */
static void defined_before(void *with, const char *xml)
{
    Driver *me = with;
    Domain new = read_document(xml);
    bool added = false;
    if (!new.xml)
        return say(me, "a definition on disk can not be read", lockstep_lend(me->folder));
    new.autostart = store_has(me->folder, new.uuid, ".autostart");
    pthread_mutex_lock(&me->leaf);
    Answer answer = put(me, new, &added);
    pthread_mutex_unlock(&me->leaf);
    if (answer.tag == LOCKSTEP_IS_OK)
        drop_record(&answer.ok);
    else
        lockstep_drop_string(&answer.err.message), drop_texts(&new);
}

static LockstepDone bring_up(LockstepObj obj, LockstepCall call)
{
    ME;
    int error = store_each(me->folder, defined_before, me);
    if (error)
        return FAILED(LockstepDone, SYSTEM_ERROR, "can not read the definitions in '%s': %s", me->folder, strerror(error));
    say(me, "at your service", lockstep_lend(""));
    return done;
}

static LockstepDone autostart(LockstepObj obj, LockstepCall call)
{
    ME;
    LockstepRResultRVecDomainRecordFault all = list(obj);
    for (size_t i = 0; i < all.ok.length; i++) {
        if (!(all.ok.buffer[i].flags & LOCKSTEP_AUTOSTART) || all.ok.buffer[i].id > 0)
            continue;
        Answer answer = start(obj, call, all.ok.buffer[i].uuid, 0);
        if (answer.tag == LOCKSTEP_IS_ERR) {
            say(me, "a domain can not be started with the host", lockstep_lend(""));
            lockstep_drop_string(&answer.err.message);
        } else {
            drop_record(&answer.ok);
        }
    }
    all.ok.vtable->destructor(&all.ok);
    return done;
}

static LockstepDone close_driver(LockstepObj obj, uint64_t within_ms)
{
    return done; /* no threads, no open files */
}

static LockstepDone rebuild_log_filters(LockstepObj obj)
{
    return done; /* the host is asked at each line */
}

/* ---- the way in ---- */

static const LockstepCoreV1 core = {bring_up, autostart, close_driver, rebuild_log_filters};
static const LockstepVirtV1 virt = {
    .capabilities = capabilities, .version = version, .node_info = node_info, .list = list, .by_uuid = by_uuid,
    .by_name = by_name, .by_id = by_id, .cpu_time = cpu_time, .dump_xml = dump_xml, .define = define,
    .create = create_transient, .undefine = undefine, .start = start, .shutdown = shutdown, .reboot = reboot,
    .destroy = destroy, .suspend = suspend, .resume = resume, .set_autostart = set_autostart,
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

static const void *service(LockstepHostRef host, const char *id)
{
    LockstepROptionInterface offered = host.query(host.obj, lockstep_lend(id));
    return offered.tag == LOCKSTEP_IS_SOME ? offered.some.table : NULL;
}

static LockstepRResultObjFault create(LockstepHostRef host, LockstepRSlicePair config)
{
    Driver *me = calloc(1, sizeof *me);
    if (!me || pthread_mutex_init(&me->leaf, NULL))
        return free(me), FAILED(LockstepRResultObjFault, NO_MEMORY, "no memory for the driver 'c'");
    for (size_t i = 0; i < config.length; i++) {
        LockstepRStr name = {config.data[i].name.inner.buffer, config.data[i].name.inner.length};
        LockstepRStr value = {config.data[i].value.inner.buffer, config.data[i].value.inner.length};
        if (lockstep_is(name, "conf_dir"))
            me->folder = lockstep_copy(value);
    }
    if (!me->folder)
        return free(me), FAILED(LockstepRResultObjFault, INVALID_ARG, "the host gave the driver 'c' no folder 'conf_dir'");
    me->host = host;
    me->locks = service(host, LOCKSTEP_LOCK_V1_ID);
    me->events = service(host, LOCKSTEP_EVENT_V1_ID);
    me->logs = service(host, LOCKSTEP_LOG_V1_ID); /* which it can do without */
    if (!me->locks || !me->events)
        return free(me->folder), free(me), FAILED(LockstepRResultObjFault, NO_SUPPORT, "the driver 'c' needs lock/1 and event/1 of the host");
    static const LockstepRStr fields[] = {{(const uint8_t *)"message", 7}, {(const uint8_t *)"dom", 3}};
    LockstepCallsite site = {.name = lockstep_lend("event"), .target = lockstep_lend("c_driver"), .level = 3,
                             .file = lockstep_lend(__FILE__), .line = __LINE__, .fields = {fields, 2}};
    me->site = me->logs ? me->logs->register_(host.obj, site) : 0;
    return LOCKSTEP_OK(LockstepRResultObjFault, me);
}

static const LockstepText needs[] = {LOCKSTEP_TEXT(LOCKSTEP_LOCK_V1_ID), LOCKSTEP_TEXT(LOCKSTEP_EVENT_V1_ID)};
static const LockstepPlainRoot root = {query, create};

const LockstepManifest LOCKSTEP_DRIVER = {
    .magic = {'L', 'K', 'S', 'T', 'P', 'D', 'R', 'V'}, .size = sizeof(LockstepManifest),
    .api_major = LOCKSTEP_API_MAJOR, .api_minor = LOCKSTEP_API_MINOR, .abi_stable = {0, 0, 0},
    .kind = LOCKSTEP_KIND_VIRT, .panic = LOCKSTEP_PANIC_NONE, .name = LOCKSTEP_TEXT("c"), .title = LOCKSTEP_TEXT("C"),
    .version = LOCKSTEP_TEXT("0.1.0"), .rustc = LOCKSTEP_TEXT("gcc " __VERSION__),
    .licence = LOCKSTEP_TEXT("MIT OR Apache-2.0"), .needs = needs, .needs_len = 2, .root = &root,
};
