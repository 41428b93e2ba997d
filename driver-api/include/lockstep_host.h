/* The host as a driver in C sees it: its services, locks that are taken and given back, events, log lines.

   Locks: Filter, Update, Virt, Domain, in this order; what a function took it lets go before it returns, on every path. No
   mutex of one's own is held while anything of this file is called. Licence: MIT OR Apache-2.0. */

#ifndef LOCKSTEP_HOST_H
#define LOCKSTEP_HOST_H

#include "lockstep_kit.h"

typedef struct {
    LockstepHostRef ref;
    const LockstepLockV1 *locks;
    const LockstepLogV1 *logs;     /* NULL in a host without it: lines are lost */
    const LockstepEventV1 *events; /* likewise */
    uint64_t site;                 /* the one place that logs */
} LockstepHost;

/* A service's table; NULL when the host has none of this id. */
static inline const void *lockstep_service(LockstepHostRef ref, const char *id)
{
    LockstepROptionInterface offered = ref.query(ref.obj, lockstep_lend(id));
    return offered.tag == LOCKSTEP_IS_SOME ? offered.some.table : NULL;
}

/* Finds the services; false in a host without locks. TARGET is what log lines are called by. */
static inline bool lockstep_host_open(LockstepHost *host, LockstepHostRef ref, const char *target)
{
    static const LockstepRStr fields[] = {{(const uint8_t *)"message", 7}, {(const uint8_t *)"dom", 3}};
    LockstepCallsite site = {.name = lockstep_lend("event"), .target = lockstep_lend(target), .level = 3,
                             .file = lockstep_lend(__FILE__), .line = __LINE__, .fields = {fields, 2}};
    host->ref = ref;
    host->locks = lockstep_service(ref, LOCKSTEP_LOCK_V1_ID);
    host->events = lockstep_service(ref, LOCKSTEP_EVENT_V1_ID);
    host->logs = lockstep_service(ref, LOCKSTEP_LOG_V1_ID);
    host->site = host->logs ? host->logs->register_(ref.obj, site) : 0;
    return host->locks != NULL;
}

/* The value of a pair of the configuration, to be freed; NULL when there is none. */
static inline char *lockstep_option(LockstepRSlicePair config, const char *name)
{
    for (size_t i = 0; i < config.length; i++) {
        const LockstepRVecU8 *is = &config.data[i].name.inner, *value = &config.data[i].value.inner;
        if (lockstep_is((LockstepRStr){is->buffer, is->length}, name))
            return lockstep_copy((LockstepRStr){value->buffer, value->length});
    }
    return NULL;
}

/* A line at level INFO about a domain or filter, or about nothing (""). */
static inline void lockstep_log(const LockstepHost *host, const char *message, const char *object)
{
    LockstepField fields[] = {{.index = 0, .kind = LOCKSTEP_KIND_DEBUG, .text = lockstep_lend(message)},
                              {.index = 1, .kind = LOCKSTEP_KIND_TEXT, .text = lockstep_lend(object)}};
    LockstepParent parent = {.kind = LOCKSTEP_PARENT_CURRENT};
    if (host->logs && host->logs->enabled(host->ref.obj, host->site))
        host->logs->event(host->ref.obj, host->site, parent, (LockstepRSliceField){fields, *object ? 2 : 1});
}

/* An event of a domain's life; it leaves when the locks are given back. */
static inline void lockstep_tell(const LockstepHost *host, LockstepUuid uuid, const char *name, int32_t id, uint32_t event,
                                 uint32_t detail)
{
    if (!host->events)
        return;
    LockstepEventRecord happened = {.uuid = uuid, .name = lockstep_string(name), .id = id, .kind = LOCKSTEP_LIFECYCLE,
                                    .event = event, .detail = detail};
    LockstepDone told = host->events->emit(host->ref.obj, happened);
    if (told.tag == LOCKSTEP_IS_ERR)
        lockstep_drop_string(&told.err.message);
}

/* How many locks a call can hold by this file: Filter, Update, Virt and domains. A driver that takes more domains at once
   defines it before it includes this. */
#ifndef LOCKSTEP_HOLDS
#define LOCKSTEP_HOLDS 16
#endif

/* What a call holds. */
typedef struct {
    uint64_t handles[LOCKSTEP_HOLDS];
    size_t count;
} LockstepHolds;

/* Whether one more fits, which is asked before the lock is: nobody could give it back. */
static inline LockstepDone lockstep_room(const LockstepHolds *holds)
{
    if (holds->count < LOCKSTEP_HOLDS)
        return (LockstepDone){.tag = LOCKSTEP_IS_OK};
    return LOCKSTEP_ERR(LockstepDone, lockstep_fault(LOCKSTEP_CODE_INTERNAL, LOCKSTEP_ORIGIN_LOCKING,
                                                     "a call of the driver holds %zu locks and wants one more: compile the "
                                                     "driver with a larger LOCKSTEP_HOLDS, or give some back before", holds->count));
}

/* Notes what was answered; there is room for it. */
static inline LockstepDone lockstep_held(LockstepHolds *holds, LockstepRResultHeldFault answer)
{
    if (answer.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(LockstepDone, answer.err);
    holds->handles[holds->count++] = answer.ok.handle;
    return (LockstepDone){.tag = LOCKSTEP_IS_OK};
}

/* Takes one lock exclusively; UUID counts for Domain alone. Error 1 (INTERNAL) when LOCKSTEP_HOLDS are held already. */
static inline LockstepDone lockstep_take(const LockstepHost *host, LockstepCall call, LockstepHolds *holds, uint32_t rank,
                                         LockstepUuid uuid)
{
    LockstepLockKey key = {rank, uuid};
    LockstepDone room = lockstep_room(holds);
    if (room.tag == LOCKSTEP_IS_ERR)
        return room;
    return lockstep_held(holds, host->locks->acquire(host->ref.obj, call, key, LOCKSTEP_EXCLUSIVE, 0));
}

/* Takes Virt for a moment, then the domain. Error 1 likewise. */
static inline LockstepDone lockstep_look_up(const LockstepHost *host, LockstepCall call, LockstepHolds *holds,
                                            LockstepUuid uuid)
{
    LockstepDone room = lockstep_room(holds);
    if (room.tag == LOCKSTEP_IS_ERR)
        return room;
    return lockstep_held(holds, host->locks->lookup(host->ref.obj, call, uuid, LOCKSTEP_EXCLUSIVE, 0));
}

/* Gives back all of it, the last one first. */
static inline void lockstep_let_go(const LockstepHost *host, LockstepCall call, LockstepHolds *holds)
{
    while (holds->count) {
        LockstepDone given = host->locks->release(host->ref.obj, call, holds->handles[--holds->count], 0);
        if (given.tag == LOCKSTEP_IS_ERR)
            lockstep_drop_string(&given.err.message);
    }
}

#endif /* LOCKSTEP_HOST_H */
