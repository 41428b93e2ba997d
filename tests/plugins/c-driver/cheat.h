/* Ways to break the lock rules that the types of Rust forbid; each start tries the one that CHEAT names. */

#define ORDER 1          /* Update while Domain is held */
#define DOUBLE_RELEASE 2 /* one hold given back twice */
#define FORGED_HANDLE 3  /* a number that nobody handed out */
#define LEFT 4           /* a hold that is still there at the return */
#define FORGOTTEN 5      /* a hold that is forgotten, then a lower level */

typedef LockstepRResultHeldFault Held;

static Held take(Driver *me, LockstepCall call, uint32_t rank, LockstepUuid uuid)
{
    return me->host.locks->acquire(me->host.ref.obj, call, (LockstepLockKey){rank, uuid}, LOCKSTEP_EXCLUSIVE, 0);
}

static LockstepDone give(Driver *me, LockstepCall call, uint64_t handle)
{
    return me->host.locks->release(me->host.ref.obj, call, handle, 0);
}

static LockstepDone cheat(Driver *me, LockstepCall call, LockstepUuid uuid)
{
    LockstepUuid none = {{0}};
    uint32_t first = CHEAT == DOUBLE_RELEASE ? LOCKSTEP_RANK_UPDATE : LOCKSTEP_RANK_DOMAIN;
    Held held = take(me, call, first, uuid), second;
    if (held.tag == LOCKSTEP_IS_ERR)
        return LOCKSTEP_ERR(LockstepDone, held.err);
    LockstepDone answer;
    switch (CHEAT) {
    case ORDER:
        second = take(me, call, LOCKSTEP_RANK_UPDATE, none);
        give(me, call, held.ok.handle);
        return second.tag == LOCKSTEP_IS_ERR ? LOCKSTEP_ERR(LockstepDone, second.err) : done;
    case FORGOTTEN:
        second = take(me, call, LOCKSTEP_RANK_FILTER, none);
        return second.tag == LOCKSTEP_IS_ERR ? LOCKSTEP_ERR(LockstepDone, second.err) : done;
    case DOUBLE_RELEASE:
        give(me, call, held.ok.handle);
        return give(me, call, held.ok.handle);
    case FORGED_HANDLE:
        answer = give(me, call, held.ok.handle ^ 1);
        give(me, call, held.ok.handle);
        return answer;
    default: /* LEFT */
        return FAILED(LockstepDone, OPERATION_FAILED, "a hold was left");
    }
}
