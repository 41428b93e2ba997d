/* A driver of network filters in C, as small as one can be: it keeps filters on disk, and takes Filter before Update.

   gcc -std=c11 -shared -fPIC -O2 -I driver-api/include -o libc_filter_driver.so tests/plugins/c-filter/c-filter.c -pthread

   With -DCHEAT it takes them the other way round, which the host refuses. */

#define _GNU_SOURCE
#include "lockstep_file.h"
#include "lockstep_host.h"
#include <pthread.h>

#pragma GCC diagnostic ignored "-Wunused-parameter" /* a table's functions take what the table says */

typedef LockstepRResultFilterRecordFault Answer;
typedef LockstepRResultRVecFilterRecordFault All;
typedef LockstepRResultRStringFault Text;
typedef LockstepRResultObjFault Made;
typedef LockstepDone Done;

typedef struct {
    LockstepUuid uuid;
    char *name, *xml;
} Filter;

/* One driver: the object that each of its calls brings back. */
typedef struct {
    LockstepHost host;
    char *folder;         /* of the definitions */
    pthread_mutex_t leaf; /* for what is below: held for a look or a change, never while the host or the disk is asked */
    Filter *filters;
    size_t count;
} Driver;

static const Done done = {.tag = LOCKSTEP_IS_OK};
#define ME Driver *me = (Driver *)obj
#define FAILED(TYPE, CODE, ...)                                                                                        \
    LOCKSTEP_ERR(TYPE, lockstep_fault(LOCKSTEP_CODE_##CODE, LOCKSTEP_ORIGIN_NWFILTER, __VA_ARGS__))

static void drop_record(LockstepFilterRecord *record)
{
    lockstep_drop_string(&record->name);
}

LOCKSTEP_VECTOR(records, LockstepRVecFilterRecord, LockstepFilterRecord, drop_record)

static LockstepFilterRecord record(const Filter *filter)
{
    return (LockstepFilterRecord){.uuid = filter->uuid, .name = lockstep_string(filter->name)};
}

/* Under the leaf. */
static Filter *find(Driver *me, LockstepUuid uuid)
{
    for (size_t i = 0; i < me->count; i++)
        if (memcmp(&me->filters[i].uuid, &uuid, sizeof uuid) == 0)
            return &me->filters[i];
    return NULL;
}

static LockstepFault nobody(LockstepUuid uuid)
{
    char text[37];
    lockstep_write_uuid(uuid, text);
    return lockstep_fault(LOCKSTEP_CODE_NO_NWFILTER, LOCKSTEP_ORIGIN_NWFILTER, "there is no filter with UUID '%s'", text);
}

static void drop_texts(Filter *filter)
{
    free(filter->name), free(filter->xml);
}

/* `<filter name='x'> .. </filter>` without references; without its document when it is anything else. */
static Filter read_document(const char *xml)
{
    Filter new = {.name = NULL};
    const char *end = strchr(xml, '>'), *name = strstr(xml, " name="), *stop = NULL;
    if (lockstep_is_one(xml, "filter") && end && name && name < end && strchr("'\"", name[6]))
        stop = strchr(name + 7, name[6]);
    if (stop && stop < end)
        new.name = lockstep_copy((LockstepRStr){(const uint8_t *)name + 7, (size_t)(stop - name - 7)});
    char *uuid = lockstep_element(xml, "uuid");
    bool sound = new.name && lockstep_is_name(new.name) && uuid && lockstep_read_uuid(uuid, &new.uuid);
    new.xml = sound && !strstr(xml, "<filterref") ? lockstep_copy(lockstep_lend(xml)) : NULL;
    return free(uuid), new;
}

/* Under Filter and the leaf: whether it may go in; there is room for it then. */
static Done fits(Driver *me, const Filter *new)
{
    for (size_t i = 0; i < me->count; i++) {
        bool name = strcmp(me->filters[i].name, new->name) == 0, uuid = &me->filters[i] == find(me, new->uuid);
        if (name != uuid)
            return FAILED(Done, OPERATION_FAILED, "filter '%s' has this %s already", me->filters[i].name, name ? "name" : "UUID");
    }
    Filter *more = realloc(me->filters, (me->count + 1) * sizeof *new);
    me->filters = more ? more : me->filters;
    return more ? done : FAILED(Done, NO_MEMORY, "no memory for filter '%s'", new->name);
}

/* Likewise: it goes in, or in the place of the old one, and has the texts then. */
static Answer put(Driver *me, Filter *new)
{
    Filter *old = find(me, new->uuid);
    if (old)
        drop_texts(old);
    else
        old = &me->filters[me->count++];
    *old = *new, *new = (Filter){.name = NULL};
    return LOCKSTEP_OK(Answer, record(old));
}

/* Filter, then Update: no guest is just having its ports made. */
static Done hold(Driver *me, LockstepCall call, LockstepHolds *holds)
{
    LockstepUuid none = {{0}};
#ifdef CHEAT
    uint32_t first = LOCKSTEP_RANK_UPDATE, second = LOCKSTEP_RANK_FILTER;
#else
    uint32_t first = LOCKSTEP_RANK_FILTER, second = LOCKSTEP_RANK_UPDATE;
#endif
    Done taken = lockstep_take(&me->host, call, holds, first, none);
    return taken.tag == LOCKSTEP_IS_OK ? lockstep_take(&me->host, call, holds, second, none) : taken;
}

static Answer define_filter(LockstepObj obj, LockstepCall call, LockstepRStr document, uint32_t flags)
{
    ME;
    if (flags & ~LOCKSTEP_FLAG_DEFINE_VALIDATE)
        return FAILED(Answer, INVALID_ARG, "unknown flags %#x to define a filter", flags);
    if (!lockstep_is_text(document.data, document.length))
        return FAILED(Answer, XML_ERROR, "the filter has a byte of value 0 in it, or is not UTF-8: it must be all text");
    char *xml = lockstep_copy(document);
    Filter new = read_document(xml ? xml : "");
    LockstepHolds holds = {.count = 0};
    Done ready = new.xml ? hold(me, call, &holds)
                         : FAILED(Done, XML_ERROR, "the document must be one <filter name='..'> with a <uuid> and without <filterref>");
    pthread_mutex_lock(&me->leaf);
    ready = ready.tag == LOCKSTEP_IS_OK ? fits(me, &new) : ready;
    pthread_mutex_unlock(&me->leaf);
    int error = ready.tag == LOCKSTEP_IS_OK ? lockstep_file_put(me->folder, new.uuid, new.xml) : 0;
    if (error)
        ready = FAILED(Done, SYSTEM_ERROR, "can not write filter '%s' to '%s': %s", new.name, me->folder, strerror(error));
    if (ready.tag == LOCKSTEP_IS_OK)
        lockstep_log(&me->host, "filter defined", new.name);
    pthread_mutex_lock(&me->leaf);
    Answer answer = ready.tag == LOCKSTEP_IS_OK ? put(me, &new) : LOCKSTEP_ERR(Answer, ready.err);
    pthread_mutex_unlock(&me->leaf);
    lockstep_let_go(&me->host, call, &holds);
    return drop_texts(&new), free(xml), answer;
}

static Done undefine_filter(LockstepObj obj, LockstepCall call, LockstepUuid uuid)
{
    ME;
    LockstepHolds holds = {.count = 0};
    Done answer = hold(me, call, &holds);
    pthread_mutex_lock(&me->leaf);
    answer = answer.tag == LOCKSTEP_IS_OK && !find(me, uuid) ? LOCKSTEP_ERR(Done, nobody(uuid)) : answer;
    pthread_mutex_unlock(&me->leaf);
    int error = answer.tag == LOCKSTEP_IS_OK ? lockstep_file_drop(me->folder, uuid) : 0;
    if (error)
        answer = FAILED(Done, SYSTEM_ERROR, "can not remove a filter from '%s': %s", me->folder, strerror(error));
    pthread_mutex_lock(&me->leaf);
    if (answer.tag == LOCKSTEP_IS_OK) {
        Filter *filter = find(me, uuid);
        drop_texts(filter);
        *filter = me->filters[--me->count];
    }
    pthread_mutex_unlock(&me->leaf);
    lockstep_let_go(&me->host, call, &holds);
    return answer;
}

/* ---- reads, which take no lock of the order ---- */

static All filters(LockstepObj obj)
{
    ME;
    pthread_mutex_lock(&me->leaf);
    LockstepRVecFilterRecord all = records_new(me->count);
    for (; all.length < me->count && all.length < all.capacity; all.length++)
        all.buffer[all.length] = record(&me->filters[all.length]);
    pthread_mutex_unlock(&me->leaf);
    return LOCKSTEP_OK(All, all);
}

static Text filter_xml(LockstepObj obj, LockstepUuid uuid, uint32_t flags)
{
    ME;
    if (flags)
        return FAILED(Text, INVALID_ARG, "unknown flags %#x to dump a filter", flags);
    pthread_mutex_lock(&me->leaf);
    const Filter *filter = find(me, uuid);
    Text answer = filter ? LOCKSTEP_OK(Text, lockstep_string(filter->xml)) : LOCKSTEP_ERR(Text, nobody(uuid));
    pthread_mutex_unlock(&me->leaf);
    return answer;
}

/* ---- driver.core/1 and the way in ---- */

static void defined_before(void *with, const char *xml)
{
    Driver *me = with;
    Filter new = read_document(xml);
    Done fit = new.xml ? fits(me, &new) : FAILED(Done, XML_ERROR, "a file in '%s' is no filter", me->folder);
    if (fit.tag == LOCKSTEP_IS_OK) {
        Answer kept = put(me, &new);
        drop_record(&kept.ok);
    } else {
        lockstep_log(&me->host, "a file is left alone", me->folder), lockstep_drop_string(&fit.err.message);
    }
    drop_texts(&new);
}

static Done bring_up(LockstepObj obj, LockstepCall call)
{
    ME; /* it runs alone */
    int error = lockstep_file_each(me->folder, defined_before, me);
    return error ? FAILED(Done, SYSTEM_ERROR, "can not read the filters in '%s': %s", me->folder, strerror(error)) : done;
}

static Done autostart(LockstepObj obj, LockstepCall call)
{
    return done; /* filters do not start */
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
static const LockstepFilterV1 define = {filters, filter_xml, define_filter, undefine_filter};

static LockstepROptionPlainInterface query(LockstepRStr id)
{
    LOCKSTEP_OFFER(id, CORE_V1, core);
    LOCKSTEP_OFFER(id, FILTER_V1, define);
    return LOCKSTEP_NONE(LockstepROptionPlainInterface);
}

static Made create(LockstepHostRef host, LockstepRSlicePair config)
{
    Driver *me = calloc(1, sizeof *me);
    if (me && !pthread_mutex_init(&me->leaf, NULL) && lockstep_host_open(&me->host, host, "c_filter") &&
        (me->folder = lockstep_option(config, "conf_dir")))
        return LOCKSTEP_OK(Made, me);
    free(me);
    return FAILED(Made, NO_SUPPORT, "the driver 'c-filter' needs memory, lock/1 of the host and its folder 'conf_dir'");
}

static const LockstepText needs[] = {LOCKSTEP_TEXT(LOCKSTEP_LOCK_V1_ID)};
LOCKSTEP_EXPORT(NWFILTER, "c-filter", "Filters in C", "0.1.0", "MIT OR Apache-2.0", needs, query, create);
