/* A call that takes locks until no more fit: the host is not asked for one that could not be noted, and gets all back. */

#include "lockstep_host.h"
#include <assert.h>

static uint64_t asked, back;

static LockstepRResultHeldFault acquire(LockstepHostObj obj, LockstepCall call, LockstepLockKey key, uint32_t mode, uint64_t wait)
{
    (void)obj, (void)call, (void)key, (void)mode, (void)wait;
    return LOCKSTEP_OK(LockstepRResultHeldFault, ((LockstepHeld){.handle = ++asked}));
}

static LockstepRResultHeldFault lookup(LockstepHostObj obj, LockstepCall call, LockstepUuid uuid, uint32_t mode, uint64_t wait)
{
    LockstepLockKey key = {LOCKSTEP_RANK_DOMAIN, uuid};
    return acquire(obj, call, key, mode, wait);
}

static LockstepDone release(LockstepHostObj obj, LockstepCall call, uint64_t handle, uint32_t flags)
{
    (void)obj, (void)call, (void)flags;
    assert(handle == asked - back); /* the last one first */
    back++;
    return (LockstepDone){.tag = LOCKSTEP_IS_OK};
}

static void refused(LockstepDone answer)
{
    assert(answer.tag == LOCKSTEP_IS_ERR && answer.err.code == LOCKSTEP_CODE_INTERNAL);
    lockstep_drop_string(&answer.err.message);
}

int main(void)
{
    static const LockstepLockV1 locks = {.acquire = acquire, .lookup = lookup, .release = release};
    LockstepHost host = {.locks = &locks};
    LockstepHolds holds = {.count = 0};
    LockstepCall call = {0};
    LockstepUuid uuid = {{0}};
    for (int i = 0; i < 15; i++)
        assert(lockstep_take(&host, call, &holds, LOCKSTEP_RANK_DOMAIN, uuid).tag == LOCKSTEP_IS_OK);
    assert(lockstep_look_up(&host, call, &holds, uuid).tag == LOCKSTEP_IS_OK);
    refused(lockstep_take(&host, call, &holds, LOCKSTEP_RANK_DOMAIN, uuid));
    refused(lockstep_look_up(&host, call, &holds, uuid));
    assert(asked == 16 && holds.count == 16);
    lockstep_let_go(&host, call, &holds);
    assert(back == 16 && holds.count == 0);
    return 0;
}
