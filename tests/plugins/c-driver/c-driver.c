/* A driver in C whose domains are definitions on disk and states in memory: what the C header of the driver interface is
   good for. Locks, events, files and texts are in the headers beside it, so that what is left is a driver.

   gcc -std=c11 -shared -fPIC -O2 -I driver-api/include -o libc_driver.so tests/plugins/c-driver/c-driver.c -pthread

   With -DCHEAT=... it breaks the lock rules at each start: see cheat.h. */

#define _GNU_SOURCE
#include "lockstep_file.h"
#include "lockstep_host.h"
#include <pthread.h>

#pragma GCC diagnostic ignored "-Wunused-parameter" /* a table's functions take what the table says */

typedef LockstepRResultDomainRecordFault Answer;
typedef LockstepRResultROptionDomainRecordFault Found;
typedef LockstepRResultRVecDomainRecordFault All;
typedef LockstepRResultRVecPortRecordFault Ports;
typedef LockstepRResultNodeRecordFault Node;
typedef LockstepRResultRStringFault Text;
typedef LockstepRResultU64Fault Number;
typedef LockstepRResultObjFault Made;
typedef LockstepDone Done;

typedef struct {
    LockstepUuid uuid;
    char *name, *type, *xml, *next; /* next: what it will be when it was stopped; NULL without a change */
    uint64_t memory_kib;
    uint32_t vcpus, state, reason, autostart;
    int32_t id;    /* -1 while it does not run */
    bool fleeting; /* it runs without a definition */
} Domain;

/* One driver: the object that each of its calls brings back. */
typedef struct {
    LockstepHost host;
    char *folder;         /* of the definitions */
    pthread_mutex_t leaf; /* for what is below: held for a look or a change, never while the host or the disk is asked */
    Domain *domains;
    size_t count;
    int32_t last_id;
} Driver;

static const Done done = {.tag = LOCKSTEP_IS_OK};
#define ME Driver *me = (Driver *)obj
#define FAULT(CODE, ...) lockstep_fault(LOCKSTEP_CODE_##CODE, LOCKSTEP_ORIGIN_DOMAIN, __VA_ARGS__)
#define FAILED(TYPE, CODE, ...) LOCKSTEP_ERR(TYPE, FAULT(CODE, __VA_ARGS__))
#define NOBODY(TYPE) LOCKSTEP_ERR(TYPE, nobody(uuid))
#define KNOWN(TYPE, WHAT, FLAGS)                                                                                       \
    if (flags & ~(uint32_t)(FLAGS))                                                                                    \
    return FAILED(TYPE, INVALID_ARG, "unknown flags %#x to " WHAT, flags)
#define MARK "<!--starts with the host-->" /* at the end of a definition's file */

static void drop_record(LockstepDomainRecord *record)
{
    lockstep_drop_string(&record->name), lockstep_drop_string(&record->os_type);
}

static void drop_port(LockstepPortRecord *port) {} /* of which there are none */

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

static LockstepFault nobody(LockstepUuid uuid)
{
    char text[37];
    lockstep_write_uuid(uuid, text);
    return FAULT(NO_DOMAIN, "no domain with UUID '%s'; 'list --all' shows those that there are", text);
}

/* Without the leaf. */
static void tell(Driver *me, const LockstepDomainRecord *domain, uint32_t event, uint32_t detail)
{
    char *name = lockstep_copy((LockstepRStr){domain->name.inner.buffer, domain->name.inner.length});
    lockstep_log(&me->host, event == LOCKSTEP_EVENT_STARTED ? "started" : "changed", name ? name : "");
    lockstep_tell(&me->host, domain->uuid, name ? name : "", domain->id, event, detail);
    free(name);
}

#ifdef CHEAT
#include "cheat.h"
#endif

/* ---- changes: Virt before Domain; persist, then apply, then tell ---- */

static void drop_texts(Domain *domain)
{
    free(domain->name), free(domain->type), free(domain->xml), free(domain->next);
}

/* What a document says, with texts to be freed; without its document when it is wrong. */
static Domain read_document(const char *xml)
{
    Domain new = {.state = LOCKSTEP_STATE_SHUTOFF, .id = -1, .memory_kib = lockstep_memory(xml), .vcpus = lockstep_vcpus(xml)};
    if (lockstep_is_one(xml, "domain"))
        new.name = lockstep_element(xml, "name"), new.type = lockstep_element(xml, "type");
    char *plain = lockstep_without_id(xml);
    if (new.name && lockstep_is_name(new.name) && new.type && !strpbrk(new.type, "<&") && new.memory_kib && new.vcpus && plain)
        new.xml = lockstep_with_uuid(plain, &new.uuid);
    free(plain);
    return new;
}

/* Under Virt, Domain and the leaf: whether a definition may go in; there is room for it then. */
static Done fits(Driver *me, Domain *new)
{
    const Domain *old = find(me, new->uuid);
    for (size_t i = 0; i < me->count; i++)
        if (strcmp(me->domains[i].name, new->name) == 0 && &me->domains[i] != old)
            return FAILED(Done, OPERATION_FAILED, "the name '%s' belongs to another domain", new->name);
    if (old && strcmp(old->name, new->name) != 0)
        return FAILED(Done, OPERATION_FAILED, "domain '%s' has this UUID already", old->name);
    new->autostart |= old ? old->autostart : 0;
    Domain *more = realloc(me->domains, (me->count + 1) * sizeof *new);
    me->domains = more ? more : me->domains;
    return more ? done : FAILED(Done, NO_MEMORY, "no memory for domain '%s'", new->name);
}

/* Likewise, after that: it goes in, or in the place of the old one. What is left in `new` is to be freed. */
static Domain *put(Driver *me, Domain *new, bool *added)
{
    Domain *old = find(me, new->uuid);
    *added = !old;
    if (old && old->id > 0) { /* it goes on as what it was started as */
        free(old->next);
        old->next = new->xml, old->fleeting = false, new->xml = NULL;
        return old;
    }
    if (old)
        drop_texts(old);
    else
        old = &me->domains[me->count++];
    *old = *new, *new = (Domain){0};
    return old;
}

static Done save(Driver *me, const Domain *domain)
{
    char *text = NULL;
    if (asprintf(&text, "%s%s", domain->next ? domain->next : domain->xml, domain->autostart ? MARK : "") < 0)
        return FAILED(Done, NO_MEMORY, "no memory to write domain '%s'", domain->name);
    int error = lockstep_file_put(me->folder, domain->uuid, text);
    free(text);
    return error ? FAILED(Done, SYSTEM_ERROR, "can not write domain '%s' to '%s': %s", domain->name, me->folder, strerror(error)) : done;
}

static Answer keep(Driver *me, Domain *new)
{
    pthread_mutex_lock(&me->leaf);
    Done fit = fits(me, new);
    pthread_mutex_unlock(&me->leaf);
    fit = fit.tag == LOCKSTEP_IS_OK ? save(me, new) : fit;
    if (fit.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(Answer, fit.err);
    bool added;
    pthread_mutex_lock(&me->leaf);
    Answer answer = LOCKSTEP_OK(Answer, record(put(me, new, &added)));
    pthread_mutex_unlock(&me->leaf);
    tell(me, &answer.ok, LOCKSTEP_EVENT_DEFINED, added ? LOCKSTEP_DETAIL_DEFINED_ADDED : LOCKSTEP_DETAIL_DEFINED_UPDATED);
    return answer;
}

static Done hold_both(Driver *me, LockstepCall call, LockstepUuid uuid, LockstepHolds *holds)
{
    Done table = lockstep_take(&me->host, call, holds, LOCKSTEP_RANK_VIRT, uuid);
    return table.tag == LOCKSTEP_IS_OK ? lockstep_take(&me->host, call, holds, LOCKSTEP_RANK_DOMAIN, uuid) : table;
}

static Answer define(LockstepObj obj, LockstepCall call, LockstepRStr document, uint32_t flags)
{
    ME;
    KNOWN(Answer, "define a domain", LOCKSTEP_FLAG_DEFINE_VALIDATE);
    if (!lockstep_is_text(document.data, document.length))
        return FAILED(Answer, XML_ERROR, "the document has a byte of value 0 in it, or is not UTF-8: it must be all text");
    char *xml = lockstep_copy(document);
    if (!xml || strstr(xml, "passwd=")) /* which would have to be kept from those who may not see it */
        return free(xml), FAILED(Answer, CONFIG_UNSUPPORTED, "the driver 'c' keeps no secrets: leave the 'passwd' out");
    Domain new = read_document(xml);
    LockstepHolds holds = {.count = 0};
    Done ready = !new.xml ? FAILED(Done, XML_ERROR, "the document must be one <domain> with a <name> without '<', '&' and '/', an "
                                   "<os><type>, a <memory> in KiB, MiB or GiB, 1 to 1024 in <vcpu> and a UUID in <uuid>, if it "
                                   "has those")
                          : hold_both(me, call, new.uuid, &holds);
    Answer answer = ready.tag == LOCKSTEP_IS_OK ? keep(me, &new) : LOCKSTEP_ERR(Answer, ready.err);
    lockstep_let_go(&me->host, call, &holds);
    return drop_texts(&new), free(xml), answer;
}

/* Under Domain and the leaf. */
static void drop_domain(Driver *me, Domain *domain)
{
    drop_texts(domain);
    *domain = me->domains[--me->count];
}

/* Under Virt and Domain. */
static Done take_out(Driver *me, LockstepUuid uuid)
{
    pthread_mutex_lock(&me->leaf);
    Domain *domain = find(me, uuid);
    Done answer = domain ? done : NOBODY(Done);
    if (domain && domain->fleeting)
        answer = FAILED(Done, OPERATION_INVALID, "domain '%s' has no definition any more", domain->name);
    pthread_mutex_unlock(&me->leaf);
    int error = answer.tag == LOCKSTEP_IS_OK ? lockstep_file_drop(me->folder, uuid) : 0;
    if (error)
        return FAILED(Done, SYSTEM_ERROR, "can not remove a domain from '%s': %s", me->folder, strerror(error));
    if (answer.tag == LOCKSTEP_IS_ERR)
        return answer;
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

static Done undefine(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    ME;
    KNOWN(Done, "undefine a domain", 0);
    LockstepHolds holds = {.count = 0};
    Done answer = hold_both(me, call, uuid, &holds);
    answer = answer.tag == LOCKSTEP_IS_OK ? take_out(me, uuid) : answer;
    lockstep_let_go(&me->host, call, &holds);
    return answer;
}

/* What a change makes of a domain, and how it is told. */
typedef struct {
    uint32_t state, reason, event, detail;
} Change;

#define TO(STATE, REASON, EVENT, DETAIL)                                                                               \
    ((Change){LOCKSTEP_STATE_##STATE, LOCKSTEP_REASON_##REASON, LOCKSTEP_EVENT_##EVENT, LOCKSTEP_DETAIL_##DETAIL})
#define IN(STATE) (1U << LOCKSTEP_STATE_##STATE)
#define ACTIVE (IN(RUNNING) | IN(PAUSED))

/* From one of some states to another, under Domain and the leaf. */
static Answer moved(Driver *me, LockstepUuid uuid, uint32_t from, Change to)
{
    static const char *const names[] = {"in no state", "running", "blocked", "paused", "shutting down", "shut off"};
    Domain *domain = find(me, uuid);
    if (!domain)
        return NOBODY(Answer);
    if (!(from & 1U << domain->state))
        return FAILED(Answer, OPERATION_INVALID, "domain '%s' is %s", domain->name, names[domain->state]);
    domain->id = to.state == LOCKSTEP_STATE_SHUTOFF ? -1 : domain->id < 0 ? ++me->last_id : domain->id;
    domain->state = to.state, domain->reason = to.reason;
    if (domain->id < 0 && domain->next) {
        free(domain->xml);
        domain->xml = domain->next, domain->next = NULL;
        domain->memory_kib = lockstep_memory(domain->xml), domain->vcpus = lockstep_vcpus(domain->xml);
    }
    Answer answer = LOCKSTEP_OK(Answer, record(domain));
    if (domain->id < 0 && domain->fleeting)
        drop_domain(me, domain);
    return answer;
}

static Answer change(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t from, Change to)
{
    ME;
    LockstepHolds holds = {.count = 0};
    Done held = lockstep_look_up(&me->host, call, &holds, uuid);
    if (held.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(Answer, held.err);
    pthread_mutex_lock(&me->leaf);
    Answer answer = moved(me, uuid, from, to);
    pthread_mutex_unlock(&me->leaf);
    if (answer.tag == LOCKSTEP_IS_OK)
        tell(me, &answer.ok, to.event, to.detail);
    lockstep_let_go(&me->host, call, &holds);
    return answer;
}

/* A change whose answer is nothing. */
static Done quietly(Answer answer)
{
    if (answer.tag == LOCKSTEP_IS_OK)
        drop_record(&answer.ok);
    return answer.tag == LOCKSTEP_IS_OK ? done : LOCKSTEP_ERR(Done, answer.err);
}

static Answer start(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    KNOWN(Answer, "start a domain", LOCKSTEP_FLAG_START_PAUSED | LOCKSTEP_FLAG_START_AUTODESTROY); /* the host ends it then */
#ifdef CHEAT
    Done caught = cheat((Driver *)obj, call, uuid);
    if (caught.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(Answer, caught.err);
#endif
    bool paused = flags & LOCKSTEP_FLAG_START_PAUSED;
    return change(obj, call, uuid, IN(SHUTOFF), paused ? TO(PAUSED, PAUSED_USER, STARTED, STARTED_BOOTED)
                                                       : TO(RUNNING, RUNNING_BOOTED, STARTED, STARTED_BOOTED));
}

static Done shutdown(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    KNOWN(Done, "shut a domain down", 0);
    return quietly(change(obj, call, uuid, ACTIVE, TO(SHUTOFF, SHUTOFF_SHUTDOWN, STOPPED, STOPPED_SHUTDOWN)));
}

static Done destroy(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    KNOWN(Done, "destroy a domain", LOCKSTEP_FLAG_DESTROY_GRACEFUL);
    return quietly(change(obj, call, uuid, ACTIVE, TO(SHUTOFF, SHUTOFF_DESTROYED, STOPPED, STOPPED_DESTROYED)));
}

static Done suspend(LockstepObj obj, LockstepCall call, LockstepUuid uuid)
{
    return quietly(change(obj, call, uuid, IN(RUNNING), TO(PAUSED, PAUSED_USER, SUSPENDED, SUSPENDED_PAUSED)));
}

static Done resume(LockstepObj obj, LockstepCall call, LockstepUuid uuid)
{
    return quietly(change(obj, call, uuid, IN(PAUSED), TO(RUNNING, RUNNING_UNPAUSED, RESUMED, RESUMED_UNPAUSED)));
}

static Done set_autostart(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t on)
{
    ME;
    LockstepHolds holds = {.count = 0};
    Done answer = lockstep_look_up(&me->host, call, &holds, uuid);
    if (answer.tag == LOCKSTEP_IS_ERR)
        return answer;
    pthread_mutex_lock(&me->leaf);
    const Domain *known = find(me, uuid);
    Domain copy = known ? *known : (Domain){0}; /* its texts stay as long as Domain is held */
    pthread_mutex_unlock(&me->leaf);
    copy.autostart = on;
    answer = !known ? NOBODY(Done)
             : copy.fleeting ? FAILED(Done, OPERATION_INVALID, "domain '%s' has no definition that could be started", copy.name)
                             : save(me, &copy);
    pthread_mutex_lock(&me->leaf);
    if (answer.tag == LOCKSTEP_IS_OK)
        find(me, uuid)->autostart = on;
    pthread_mutex_unlock(&me->leaf);
    lockstep_let_go(&me->host, call, &holds);
    return answer;
}

/* ---- what it can not, and what it has nothing to do with: its guests are no processes and have no ports ---- */

static Answer create_transient(LockstepObj obj, LockstepCall call, LockstepRStr document, uint32_t flags)
{
    return FAILED(Answer, NO_SUPPORT, "the driver 'c' can not make transient domains; 'define' makes one that stays");
}

static Done reboot(LockstepObj obj, LockstepCall call, LockstepUuid uuid, uint32_t flags)
{
    return FAILED(Done, NO_SUPPORT, "the driver 'c' can not reboot a domain; 'destroy' and 'start' do");
}

static Node node_info(LockstepObj obj)
{
    return FAILED(Node, NO_SUPPORT, "the driver 'c' can not tell facts about the machine");
}

static Done guest_event(LockstepObj obj, LockstepCall call, uint64_t guest, LockstepGuestEventRecord event)
{
    event.notifications.vtable->destructor(&event.notifications);
    lockstep_drop_string(&event.console_tail);
    return done;
}

static Ports filtered_ports(LockstepObj obj, LockstepCall call, LockstepRVecRString filters)
{
    filters.vtable->destructor(&filters);
    return LOCKSTEP_OK(Ports, ports_new(0));
}

/* ---- reads, which take no lock of the order ---- */

static Text capabilities(LockstepObj obj)
{
    return LOCKSTEP_OK(Text, lockstep_string("<guest><os_type>hvm</os_type><arch name='x86_64'><domain type='c'/></arch></guest>"));
}

static Number version(LockstepObj obj)
{
    return LOCKSTEP_OK(Number, 1000);
}

static All list(LockstepObj obj)
{
    ME;
    pthread_mutex_lock(&me->leaf);
    LockstepRVecDomainRecord all = records_new(me->count);
    for (; all.length < me->count && all.length < all.capacity; all.length++)
        all.buffer[all.length] = record(&me->domains[all.length]);
    pthread_mutex_unlock(&me->leaf);
    return LOCKSTEP_OK(All, all);
}

/* The domain with this UUID, or name, or id. */
static Found found(LockstepObj obj, const LockstepUuid *uuid, const LockstepRStr *name, int32_t id)
{
    ME;
    LockstepROptionDomainRecord maybe = LOCKSTEP_NONE(LockstepROptionDomainRecord);
    pthread_mutex_lock(&me->leaf);
    for (size_t i = 0; i < me->count && maybe.tag == LOCKSTEP_IS_NONE; i++) {
        const Domain *domain = &me->domains[i];
        if (uuid ? !memcmp(uuid, &domain->uuid, sizeof *uuid) : name ? lockstep_is(*name, domain->name) : id == domain->id)
            maybe = LOCKSTEP_SOME(LockstepROptionDomainRecord, record(domain));
    }
    pthread_mutex_unlock(&me->leaf);
    return LOCKSTEP_OK(Found, maybe);
}

static Found by_uuid(LockstepObj obj, LockstepUuid uuid)
{
    return found(obj, &uuid, NULL, 0);
}

static Found by_name(LockstepObj obj, LockstepRStr name)
{
    return found(obj, NULL, &name, 0);
}

static Found by_id(LockstepObj obj, int32_t id)
{
    return found(obj, NULL, NULL, id > 0 ? id : 0);
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
    KNOWN(Text, "dump a domain", LOCKSTEP_FLAG_XML_SECURE | LOCKSTEP_FLAG_XML_INACTIVE | LOCKSTEP_FLAG_XML_UPDATE_CPU);
    bool inactive = flags & LOCKSTEP_FLAG_XML_INACTIVE;
    pthread_mutex_lock(&me->leaf);
    const Domain *domain = find(me, uuid);
    const char *xml = !domain ? NULL : domain->next && inactive ? domain->next : domain->xml;
    char *live = domain && domain->id > 0 && !inactive ? lockstep_with_id(xml, domain->id) : NULL;
    Text answer = !domain ? NOBODY(Text) : LOCKSTEP_OK(Text, lockstep_string(live ? live : xml));
    pthread_mutex_unlock(&me->leaf);
    free(live);
    return answer;
}

/* ---- driver.core/1 and the way in ---- */

/* One that was defined in an earlier life; a damaged file is left where it is and told. */
static void defined_before(void *with, const char *file)
{
    Driver *me = with;
    char *xml = lockstep_copy(lockstep_lend(file));
    size_t length = strlen(file), mark = strlen(MARK);
    bool starts = xml && length > mark && strcmp(file + length - mark, MARK) == 0, added;
    if (starts)
        xml[length - mark] = '\0';
    Domain new = read_document(xml ? xml : "");
    new.autostart = starts;
    pthread_mutex_lock(&me->leaf);
    Done fit = new.xml ? fits(me, &new) : FAILED(Done, XML_ERROR, "a definition in '%s' can not be read", me->folder);
    if (fit.tag == LOCKSTEP_IS_OK)
        put(me, &new, &added);
    pthread_mutex_unlock(&me->leaf);
    if (fit.tag == LOCKSTEP_IS_ERR)
        lockstep_log(&me->host, "a definition on disk is left alone", me->folder), lockstep_drop_string(&fit.err.message);
    drop_texts(&new), free(xml);
}

static Done bring_up(LockstepObj obj, LockstepCall call)
{
    ME;
    int error = lockstep_file_each(me->folder, defined_before, me);
    return error ? FAILED(Done, SYSTEM_ERROR, "can not read the definitions in '%s': %s", me->folder, strerror(error)) : done;
}

static Done autostart(LockstepObj obj, LockstepCall call)
{
    ME;
    LockstepRVecDomainRecord all = list(obj).ok;
    for (size_t i = 0; i < all.length; i++) {
        bool wanted = all.buffer[i].flags & LOCKSTEP_AUTOSTART && all.buffer[i].id < 0;
        Done started = wanted ? quietly(start(obj, call, all.buffer[i].uuid, 0)) : done;
        if (started.tag == LOCKSTEP_IS_ERR)
            lockstep_log(&me->host, "a domain can not be started with the host", ""), lockstep_drop_string(&started.err.message);
    }
    all.vtable->destructor(&all);
    return done;
}

static Done close_driver(LockstepObj obj, uint64_t within_ms)
{
    return done; /* no threads, no open files */
}

static Done rebuild_log_filters(LockstepObj obj)
{
    return done; /* the host is asked at each line */
}

static const LockstepCoreV1 core = {bring_up, autostart, close_driver, rebuild_log_filters};
static const LockstepVirtV1 virt = {
    .capabilities = capabilities, .version = version, .node_info = node_info, .list = list, .by_uuid = by_uuid,
    .by_name = by_name, .by_id = by_id, .cpu_time = cpu_time, .dump_xml = dump_xml, .define = define,
    .create = create_transient, .undefine = undefine, .start = start, .shutdown = shutdown, .reboot = reboot,
    .destroy = destroy, .suspend = suspend, .resume = resume, .set_autostart = set_autostart,
    .guest_event = guest_event, .filtered_ports = filtered_ports,
};

static LockstepROptionPlainInterface query(LockstepRStr id)
{
    LOCKSTEP_OFFER(id, CORE_V1, core);
    LOCKSTEP_OFFER(id, VIRT_V1, virt);
    return LOCKSTEP_NONE(LockstepROptionPlainInterface);
}

static Made create(LockstepHostRef host, LockstepRSlicePair config)
{
    Driver *me = calloc(1, sizeof *me);
    if (!me || pthread_mutex_init(&me->leaf, NULL))
        return free(me), FAILED(Made, NO_MEMORY, "no memory for the driver 'c'");
    me->folder = lockstep_option(config, "conf_dir");
    if (me->folder && lockstep_host_open(&me->host, host, "c_driver") && me->host.events)
        return LOCKSTEP_OK(Made, me);
    bool folder = me->folder;
    free(me->folder), free(me);
    return folder ? FAILED(Made, NO_SUPPORT, "the driver 'c' needs lock/1 and event/1 of the host")
                  : FAILED(Made, INVALID_ARG, "the host gave the driver 'c' no folder 'conf_dir'");
}

static const LockstepText needs[] = {LOCKSTEP_TEXT(LOCKSTEP_LOCK_V1_ID), LOCKSTEP_TEXT(LOCKSTEP_EVENT_V1_ID)};
LOCKSTEP_EXPORT(VIRT, "c", "C", "0.1.0", "MIT OR Apache-2.0", needs, query, create);
