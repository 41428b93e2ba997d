/* The frozen tables between the Lockstep host and its drivers, for drivers written in C. Made by a tool: see cbindgen.toml.
   What each function does is told where the traits of the same names are (src/driver.rs), and beside the tables (src/abi).
   lockstep_kit.h, beside this file, makes and frees the texts and vectors that cross. Licence: MIT OR Apache-2.0. */

#ifndef LOCKSTEP_DRIVER_H
#define LOCKSTEP_DRIVER_H

#include <stddef.h>
#include <stdint.h>

/* From abi/manifest.rs. */
// The interface's major version: drivers of another one are refused.
#define LOCKSTEP_API_MAJOR 1U
// The interface's minor version: counts the interfaces that were added; nobody is refused because of it.
#define LOCKSTEP_API_MINOR 5U
// `Manifest::kind`: serves domains.
#define LOCKSTEP_KIND_VIRT 1U
// `Manifest::kind`: serves network filters.
#define LOCKSTEP_KIND_NWFILTER 2U
// `Manifest::panic`: panics unwind, so that the shield can catch them.
#define LOCKSTEP_PANIC_UNWIND 1U
// `Manifest::panic`: a panic ends the whole process.
#define LOCKSTEP_PANIC_ABORT 2U
// `Manifest::panic`: there is no panic in the driver's language.
#define LOCKSTEP_PANIC_NONE 3U

/* From abi/value.rs. */
// `Fault::flags`: the callee panicked; the message says where.
#define LOCKSTEP_PANICKED 1U

/* From abi/lock.rs. */
// The last exclusive holder left without giving the lock back: what it protects must be checked before use.
#define LOCKSTEP_POISONED 1U
// `acquire` flag: exclusive.
#define LOCKSTEP_EXCLUSIVE 1U
// `acquire` flag: do not wait, answer "busy" at once.
#define LOCKSTEP_TRY 2U

/* From abi/log.rs. */
// Most fields of one span or event that cross; the rest is dropped.
#define LOCKSTEP_MAX_FIELDS 32U
// Most bytes of one field's text that cross; the rest is cut off.
#define LOCKSTEP_MAX_TEXT 8192U
// `Field::kind`: a text.
#define LOCKSTEP_KIND_TEXT 0U
// `Field::kind`: formatted by the driver, not to be quoted again.
#define LOCKSTEP_KIND_DEBUG 1U
// `Field::kind`: `i64`.
#define LOCKSTEP_KIND_I64 2U
// `Field::kind`: `u64`.
#define LOCKSTEP_KIND_U64 3U
// `Field::kind`: `f64`.
#define LOCKSTEP_KIND_F64 4U
// `Field::kind`: `bool`.
#define LOCKSTEP_KIND_BOOL 5U
// `Parent::kind`: the span that this thread is in, be it the driver's or the host's.
#define LOCKSTEP_PARENT_CURRENT 0U
// `Parent::kind`: none.
#define LOCKSTEP_PARENT_ROOT 1U
// `Parent::kind`: the one given.
#define LOCKSTEP_PARENT_SPAN 2U

/* From abi/domain.rs. */
// `DomainRecord::flags`: a definition is kept on disk.
#define LOCKSTEP_PERSISTENT 1U
// `DomainRecord::flags`: started with the host.
#define LOCKSTEP_AUTOSTART 2U
// `DomainRecord::flags`: the definition differs from what runs.
#define LOCKSTEP_UPDATED 4U
// `EventRecord::kind`.
#define LOCKSTEP_LIFECYCLE 0U
// `EventRecord::kind`.
#define LOCKSTEP_REBOOT 1U

/* From abi/guest.rs. */
// `GuestEventRecord::kind`.
#define LOCKSTEP_NOTIFIED 0U
// `GuestEventRecord::kind`.
#define LOCKSTEP_EXITED 1U
// `GuestEventRecord::flags`.
#define LOCKSTEP_HAS_CODE 1U
// `GuestEventRecord::flags`.
#define LOCKSTEP_HAS_SIGNAL 2U
// `GuestEventRecord::flags`.
#define LOCKSTEP_OUT_OF_MEMORY 4U
// `GuestEventRecord::flags`.
#define LOCKSTEP_SUPERVISOR_LOST 8U
// `GuestEventRecord::flags`.
#define LOCKSTEP_REQUESTED 16U

/* From lock/level.rs. */
// Nothing is held.
#define LOCKSTEP_RANK_UNLOCKED 0U
// The set of filter definitions.
#define LOCKSTEP_RANK_FILTER 100U
// "Filters do not change now."
#define LOCKSTEP_RANK_UPDATE 200U
// One virt driver's table of domains.
#define LOCKSTEP_RANK_VIRT 300U
// One guest.
#define LOCKSTEP_RANK_DOMAIN 400U

/* From types/domain.rs. */
#define LOCKSTEP_STATE_NO_STATE 0U
#define LOCKSTEP_STATE_RUNNING 1U
#define LOCKSTEP_STATE_BLOCKED 2U
#define LOCKSTEP_STATE_PAUSED 3U
#define LOCKSTEP_STATE_SHUTDOWN 4U
#define LOCKSTEP_STATE_SHUTOFF 5U
#define LOCKSTEP_STATE_CRASHED 6U
#define LOCKSTEP_STATE_PM_SUSPENDED 7U
#define LOCKSTEP_REASON_UNKNOWN 0U
#define LOCKSTEP_REASON_RUNNING_BOOTED 1U
#define LOCKSTEP_REASON_RUNNING_UNPAUSED 5U
#define LOCKSTEP_REASON_RUNNING_CRASHED 10U
#define LOCKSTEP_REASON_PAUSED_USER 1U
#define LOCKSTEP_REASON_PAUSED_STARTING_UP 11U
#define LOCKSTEP_REASON_SHUTDOWN_USER 1U
#define LOCKSTEP_REASON_SHUTOFF_SHUTDOWN 1U
#define LOCKSTEP_REASON_SHUTOFF_DESTROYED 2U
#define LOCKSTEP_REASON_SHUTOFF_CRASHED 3U
#define LOCKSTEP_REASON_SHUTOFF_FAILED 6U
#define LOCKSTEP_REASON_SHUTOFF_DAEMON 8U
#define LOCKSTEP_REASON_CRASHED_PANICKED 1U
#define LOCKSTEP_EVENT_DEFINED 0U
#define LOCKSTEP_EVENT_UNDEFINED 1U
#define LOCKSTEP_EVENT_STARTED 2U
#define LOCKSTEP_EVENT_SUSPENDED 3U
#define LOCKSTEP_EVENT_RESUMED 4U
#define LOCKSTEP_EVENT_STOPPED 5U
#define LOCKSTEP_EVENT_SHUTDOWN 6U
#define LOCKSTEP_EVENT_PM_SUSPENDED 7U
#define LOCKSTEP_EVENT_CRASHED 8U
#define LOCKSTEP_DETAIL_DEFINED_ADDED 0U
#define LOCKSTEP_DETAIL_DEFINED_UPDATED 1U
#define LOCKSTEP_DETAIL_DEFINED_RENAMED 2U
#define LOCKSTEP_DETAIL_UNDEFINED_REMOVED 0U
#define LOCKSTEP_DETAIL_UNDEFINED_RENAMED 1U
#define LOCKSTEP_DETAIL_STARTED_BOOTED 0U
#define LOCKSTEP_DETAIL_SUSPENDED_PAUSED 0U
#define LOCKSTEP_DETAIL_RESUMED_UNPAUSED 0U
#define LOCKSTEP_DETAIL_STOPPED_SHUTDOWN 0U
#define LOCKSTEP_DETAIL_STOPPED_DESTROYED 1U
#define LOCKSTEP_DETAIL_STOPPED_CRASHED 2U
#define LOCKSTEP_DETAIL_STOPPED_FAILED 5U
#define LOCKSTEP_DETAIL_SHUTDOWN_FINISHED 0U
#define LOCKSTEP_DETAIL_CRASHED_PANICKED 0U
#define LOCKSTEP_FLAG_DEFINE_VALIDATE 1U
#define LOCKSTEP_FLAG_START_PAUSED 1U
#define LOCKSTEP_FLAG_START_AUTODESTROY 2U
#define LOCKSTEP_FLAG_START_BYPASS_CACHE 4U
#define LOCKSTEP_FLAG_START_FORCE_BOOT 8U
#define LOCKSTEP_FLAG_START_VALIDATE 16U
#define LOCKSTEP_FLAG_UNDEFINE_MANAGED_SAVE 1U
#define LOCKSTEP_FLAG_UNDEFINE_SNAPSHOTS_METADATA 2U
#define LOCKSTEP_FLAG_UNDEFINE_NVRAM 4U
#define LOCKSTEP_FLAG_UNDEFINE_KEEP_NVRAM 8U
#define LOCKSTEP_FLAG_UNDEFINE_CHECKPOINTS_METADATA 16U
#define LOCKSTEP_FLAG_DESTROY_GRACEFUL 1U
#define LOCKSTEP_FLAG_XML_SECURE 1U
#define LOCKSTEP_FLAG_XML_INACTIVE 2U
#define LOCKSTEP_FLAG_XML_UPDATE_CPU 4U
#define LOCKSTEP_FLAG_XML_MIGRATABLE 8U
// Shutdown and reboot modes (`virDomainShutdownFlagValues`): 0 lets the driver choose.
#define LOCKSTEP_FLAG_SHUTDOWN_ACPI 1U
#define LOCKSTEP_FLAG_SHUTDOWN_AGENT 2U
#define LOCKSTEP_FLAG_SHUTDOWN_INITCTL 4U
#define LOCKSTEP_FLAG_SHUTDOWN_SIGNAL 8U
#define LOCKSTEP_FLAG_AFFECT_LIVE 1U
#define LOCKSTEP_FLAG_AFFECT_CONFIG 2U
#define LOCKSTEP_FLAG_CONSOLE_FORCE 1U
#define LOCKSTEP_FLAG_CONSOLE_SAFE 2U

/* From types/device.rs. */
// Processor time (`virDomainGetSchedulerParameters`): `cpu_shares`, `vcpu_period`, `vcpu_quota`, `global_period`, ...
#define LOCKSTEP_SET_SCHEDULER 0U
// Memory (`virDomainGetMemoryParameters`): `hard_limit`, `soft_limit`, `swap_hard_limit`, in KiB.
#define LOCKSTEP_SET_MEMORY 1U
// Block devices of the host (`virDomainGetBlkioParameters`): `weight`, `device_weight`, `device_read_bytes_sec`, ...
#define LOCKSTEP_SET_BLKIO 2U
// One interface (`virDomainGetInterfaceParameters`): `inbound.average`, `inbound.peak`, ... in KiB/s and KiB.
#define LOCKSTEP_SET_INTERFACE 3U
// One disk (`virDomainGetBlockIoTune`): `total_bytes_sec`, ...
#define LOCKSTEP_SET_BLOCK_IO 4U
// The leases of a DHCP server.
#define LOCKSTEP_SOURCE_LEASE 0U
// The agent in the guest.
#define LOCKSTEP_SOURCE_AGENT 1U
// The host's table of neighbours.
#define LOCKSTEP_SOURCE_ARP 2U
#define LOCKSTEP_STATS_STATE 1U
#define LOCKSTEP_STATS_CPU_TOTAL 2U
#define LOCKSTEP_STATS_BALLOON 4U
#define LOCKSTEP_STATS_VCPU 8U
#define LOCKSTEP_STATS_INTERFACE 16U
#define LOCKSTEP_STATS_BLOCK 32U
#define LOCKSTEP_STATS_PERF 64U
#define LOCKSTEP_STATS_IOTHREAD 128U
#define LOCKSTEP_STATS_MEMORY 256U
#define LOCKSTEP_STATS_DIRTYRATE 512U
#define LOCKSTEP_STATS_VM 1024U
// A change of a device is made even if the guest does not go along (`VIR_DOMAIN_DEVICE_MODIFY_FORCE`).
#define LOCKSTEP_FLAG_DEVICE_FORCE 4U
#define LOCKSTEP_FLAG_MEMORY_MAXIMUM 4U
#define LOCKSTEP_FLAG_VCPU_MAXIMUM 4U
#define LOCKSTEP_FLAG_VCPU_GUEST 8U
#define LOCKSTEP_FLAG_VCPU_HOTPLUGGABLE 16U

/* From types/inspect.rs. */
// From the guest, through the bridge.
#define LOCKSTEP_WAY_OUT 0U
// To the guest, through the bridge.
#define LOCKSTEP_WAY_IN 1U
// From the guest to the host itself.
#define LOCKSTEP_WAY_TO_HOST 2U
// From the host itself to the guest.
#define LOCKSTEP_WAY_FROM_HOST 3U
// It passes.
#define LOCKSTEP_FATE_ACCEPT 0U
// It is gone.
#define LOCKSTEP_FATE_DROP 1U
// It is gone and its sender is told.
#define LOCKSTEP_FATE_REJECT 2U
// It is a fragment and waits for the others.
#define LOCKSTEP_FATE_HELD 3U

/* From error.rs. */
#define LOCKSTEP_CODE_INTERNAL 1U
#define LOCKSTEP_CODE_NO_MEMORY 2U
#define LOCKSTEP_CODE_NO_SUPPORT 3U
#define LOCKSTEP_CODE_NO_CONNECT 5U
#define LOCKSTEP_CODE_INVALID_CONN 6U
#define LOCKSTEP_CODE_INVALID_ARG 8U
#define LOCKSTEP_CODE_OPERATION_FAILED 9U
#define LOCKSTEP_CODE_NO_SOURCE 19U
#define LOCKSTEP_CODE_DOM_EXIST 25U
#define LOCKSTEP_CODE_XML_ERROR 27U
#define LOCKSTEP_CODE_OPERATION_DENIED 29U
#define LOCKSTEP_CODE_PARSE_FAILED 32U
#define LOCKSTEP_CODE_XML_DETAIL 35U
#define LOCKSTEP_CODE_SYSTEM_ERROR 38U
#define LOCKSTEP_CODE_RPC 39U
#define LOCKSTEP_CODE_NO_DOMAIN 42U
#define LOCKSTEP_CODE_AUTH_FAILED 45U
#define LOCKSTEP_CODE_OPERATION_INVALID 55U
#define LOCKSTEP_CODE_INVALID_NWFILTER 61U
#define LOCKSTEP_CODE_NO_NWFILTER 62U
#define LOCKSTEP_CODE_BUILD_FIREWALL 63U
#define LOCKSTEP_CODE_CONFIG_UNSUPPORTED 67U
#define LOCKSTEP_CODE_OPERATION_TIMEOUT 68U
#define LOCKSTEP_CODE_ARGUMENT_UNSUPPORTED 74U
#define LOCKSTEP_CODE_NO_DOMAIN_METADATA 80U
#define LOCKSTEP_CODE_OPERATION_UNSUPPORTED 84U
#define LOCKSTEP_CODE_AGENT_UNRESPONSIVE 86U
#define LOCKSTEP_CODE_RESOURCE_BUSY 87U
#define LOCKSTEP_CODE_ACCESS_DENIED 88U
#define LOCKSTEP_CODE_XML_INVALID_SCHEMA 92U
#define LOCKSTEP_CODE_DEVICE_MISSING 99U
#define LOCKSTEP_CODE_INVALID_NWFILTER_BINDING 100U
#define LOCKSTEP_CODE_NO_NWFILTER_BINDING 101U
#define LOCKSTEP_ORIGIN_NONE 0U
#define LOCKSTEP_ORIGIN_XML 5U
#define LOCKSTEP_ORIGIN_RPC 7U
#define LOCKSTEP_ORIGIN_CONF 9U
#define LOCKSTEP_ORIGIN_REMOTE 13U
#define LOCKSTEP_ORIGIN_DOMAIN 20U
#define LOCKSTEP_ORIGIN_UML 21U
#define LOCKSTEP_ORIGIN_NWFILTER 33U
#define LOCKSTEP_ORIGIN_STREAMS 38U
#define LOCKSTEP_ORIGIN_LOCKING 42U



// A layout report of Rust; of no use in C.
typedef struct LockstepTypeLayout LockstepTypeLayout;

// A text of the driver's image.
typedef struct {
    const uint8_t *ptr;
    size_t len;
} LockstepText;

// Which frozen layout a table was made from.
typedef struct {
    // The table's size in bytes, as the driver's compiler reckons it.
    uint64_t size;
    // The hash of the layout, as the header says it.
    uint64_t hash;
} LockstepStamp;

// Where a table lies.
typedef const void *LockstepTablePtr;

// A table and its stamp.
typedef struct {
    // The stamp; never freed.
    const LockstepStamp *stamp;
    // The table; never freed.
    LockstepTablePtr table;
} LockstepPlainInterface;

// Something or nothing.
enum LockstepROptionPlainInterface_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionPlainInterfaceSomePlainInterface,
    LockstepROptionPlainInterfaceNonePlainInterface,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionPlainInterface_Tag LockstepROptionPlainInterface_Tag;
#else
typedef uint8_t LockstepROptionPlainInterface_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionPlainInterface_Tag tag;
    struct {
        LockstepROptionPlainInterface_Tag some_tag;
        LockstepPlainInterface some;
    };
} LockstepROptionPlainInterface;

// A text that belongs to the caller: UTF-8, not ended by a zero.
typedef struct {
    const uint8_t *data;
    size_t length;
} LockstepRStr;

// A driver's object: made by `Root::create`, first argument of every function of its tables, never freed.
typedef const void *LockstepObj;

// Names a library.
typedef struct {
    const void *executable_identity;
    uint8_t type_id_array[16];
} LockstepUTypeId;

// Who can grow and free a vector: functions of the library that made it.
typedef struct {
    // A bit for each function below: 15.
    uint64_t field_accessibility;
    // For messages of Rust; never followed for a vector.
    const void *type_layout;
    // Says whose vectors these are: an address of the library, and zeros.
    LockstepUTypeId (*type_id)(void);
    // Drops the elements and frees the buffer; the record is dead then.
    void (*destructor)(void*);
    // Makes room for as many elements; 0 for no more than these, 1 for some more.
    void (*grow_capacity_to)(void*, size_t, uint32_t);
    // Gives back what is not used, or does nothing.
    void (*shrink_to_fit)(void*);
} LockstepVecVTable;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    uint8_t *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecU8;

// A text that belongs to whoever holds the record: UTF-8, not ended by a zero.
typedef struct {
    LockstepRVecU8 inner;
} LockstepRString;

// An error on its way across the boundary.
typedef struct {
    // libvirt's code.
    uint32_t code;
    // libvirt's domain.
    uint32_t origin;
    // `PANICKED` or 0; unknown bits are ignored.
    uint32_t flags;
    // The whole chain in words, outermost first.
    LockstepRString message;
} LockstepFault;

// An answer or a fault.
enum LockstepRResultObjFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultObjFaultOkObjFault,
    LockstepRResultObjFaultErrObjFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultObjFault_Tag LockstepRResultObjFault_Tag;
#else
typedef uint8_t LockstepRResultObjFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultObjFault_Tag tag;
    struct {
        LockstepRResultObjFault_Tag ok_tag;
        LockstepObj ok;
    };
    struct {
        LockstepRResultObjFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultObjFault;

// The host's object behind a service table.
typedef const void *LockstepHostObj;

// A table and the report of its layout.
typedef struct {
    // How the maker of the table compiled it.
    const LockstepTypeLayout *layout;
    // The table; never freed.
    LockstepTablePtr table;
} LockstepInterface;

// Something or nothing.
enum LockstepROptionInterface_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionInterfaceSomeInterface,
    LockstepROptionInterfaceNoneInterface,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionInterface_Tag LockstepROptionInterface_Tag;
#else
typedef uint8_t LockstepROptionInterface_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionInterface_Tag tag;
    struct {
        LockstepROptionInterface_Tag some_tag;
        LockstepInterface some;
    };
} LockstepROptionInterface;

// The host as a driver gets it.
typedef struct {
    // First argument of every function of the host's tables; says which driver calls.
    LockstepHostObj obj;
    // The service with this id (`lock/1`), or nothing.
    LockstepROptionInterface (*query)(LockstepHostObj, LockstepRStr);
} LockstepHostRef;

// A name with its value.
typedef struct {
    // The name.
    LockstepRString name;
    // The value.
    LockstepRString value;
} LockstepPair;

// Elements that belong to the caller.
typedef struct {
    const LockstepPair *data;
    size_t length;
} LockstepRSlicePair;

// What the manifest of a driver without `abi_stable` leads to; as `Root`(super::root::Root), but for what a query
// answers.
typedef struct {
    // The interface with this id (`virt.lifecycle/1`), or nothing.
    LockstepROptionPlainInterface (*query)(LockstepRStr);
    // As `Root::create`(super::root::Root::create).
    LockstepRResultObjFault (*create)(LockstepHostRef, LockstepRSlicePair);
} LockstepPlainRoot;

// Who a driver is and what it was built with.
typedef struct {
    // `MAGIC`.
    uint8_t magic[8];
    // Size of this record; a later minor version may append fields, so only a smaller one is refused.
    uint32_t size;
    // `API_MAJOR` of the driver.
    uint16_t api_major;
    // `API_MINOR` of the driver.
    uint16_t api_minor;
    // `ABI_STABLE` of the driver, or `NO_ABI_STABLE`.
    uint16_t abi_stable[3];
    // Always 0.
    uint16_t reserved;
    // `KIND_VIRT` and `KIND_NWFILTER`, or-ed.
    uint32_t kind;
    // `PANIC_UNWIND`, `PANIC_ABORT` or `PANIC_NONE`.
    uint32_t panic;
    // `DriverInfo::name`.
    LockstepText name;
    // `DriverInfo::title`.
    LockstepText title;
    // `DriverInfo::version`.
    LockstepText version;
    // The compiler, of whatever language, as far as it is known.
    LockstepText rustc;
    // The licence, as SPDX writes it.
    LockstepText licence;
    // `DriverInfo::needs`.
    const LockstepText *needs;
    // How many there are.
    size_t needs_len;
    // The frozen root; a `super::plain::PlainRoot` when `abi_stable` says `NO_ABI_STABLE`.
    const LockstepPlainRoot *root;
} LockstepManifest;

// An answer that is nothing, or a fault.
enum LockstepDone_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepDoneOk,
    LockstepDoneErr,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepDone_Tag LockstepDone_Tag;
#else
typedef uint8_t LockstepDone_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepDone_Tag tag;
    struct {
        LockstepDone_Tag err_tag;
        LockstepFault err;
    };
} LockstepDone;

// One call of the host into a driver, or one session that a driver opened on a thread of its own.
typedef struct {
    // Unguessable; every hold is owned by (thread, plug-in, call).
    uint64_t id;
    // The rank of the lowest level that the caller already holds for this call (`Level::RANK`, 0 for none).
    uint32_t level;
    // Whether the level above is held exclusively: 0 or 1.
    uint32_t exclusive;
    // Milliseconds left when the call was made; 0 means no deadline.
    uint64_t deadline_ms;
} LockstepCall;

// The table behind `driver.core/1`; each function is the method of `crate::driver::Driver` of the same name.
typedef struct {
    LockstepDone (*bring_up)(LockstepObj, LockstepCall);
    LockstepDone (*autostart)(LockstepObj, LockstepCall);
    // Milliseconds.
    LockstepDone (*close)(LockstepObj, uint64_t);
    // The host's log filter changed: ask again which callsites are enabled.
    LockstepDone (*rebuild_log_filters)(LockstepObj);
} LockstepCoreV1;

// An answer or a fault.
enum LockstepRResultRStringFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRStringFaultOkRStringFault,
    LockstepRResultRStringFaultErrRStringFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRStringFault_Tag LockstepRResultRStringFault_Tag;
#else
typedef uint8_t LockstepRResultRStringFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRStringFault_Tag tag;
    struct {
        LockstepRResultRStringFault_Tag ok_tag;
        LockstepRString ok;
    };
    struct {
        LockstepRResultRStringFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRStringFault;

// An answer or a fault.
enum LockstepRResultU64Fault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultU64FaultOkU64Fault,
    LockstepRResultU64FaultErrU64Fault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultU64Fault_Tag LockstepRResultU64Fault_Tag;
#else
typedef uint8_t LockstepRResultU64Fault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultU64Fault_Tag tag;
    struct {
        LockstepRResultU64Fault_Tag ok_tag;
        uint64_t ok;
    };
    struct {
        LockstepRResultU64Fault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultU64Fault;

// `NodeInfo` as it crosses.
typedef struct {
    LockstepRString model;
    uint64_t memory_kib;
    uint32_t cpus;
    uint32_t mhz;
    uint32_t nodes;
    uint32_t sockets;
    uint32_t cores;
    uint32_t threads;
} LockstepNodeRecord;

// An answer or a fault.
enum LockstepRResultNodeRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultNodeRecordFaultOkNodeRecordFault,
    LockstepRResultNodeRecordFaultErrNodeRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultNodeRecordFault_Tag LockstepRResultNodeRecordFault_Tag;
#else
typedef uint8_t LockstepRResultNodeRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultNodeRecordFault_Tag tag;
    struct {
        LockstepRResultNodeRecordFault_Tag ok_tag;
        LockstepNodeRecord ok;
    };
    struct {
        LockstepRResultNodeRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultNodeRecordFault;

// Sixteen bytes, most significant first.
typedef struct {
    uint8_t bytes[16];
} LockstepUuid;

// `DomainBrief` as it crosses.
typedef struct {
    LockstepUuid uuid;
    LockstepRString name;
    LockstepRString os_type;
    uint64_t max_memory_kib;
    uint64_t memory_kib;
    // -1 while inactive.
    int32_t id;
    uint32_t state;
    uint32_t reason;
    uint32_t vcpus;
    // `PERSISTENT`, `AUTOSTART`, `UPDATED`.
    uint32_t flags;
} LockstepDomainRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepDomainRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecDomainRecord;

// An answer or a fault.
enum LockstepRResultRVecDomainRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecDomainRecordFaultOkRVecDomainRecordFault,
    LockstepRResultRVecDomainRecordFaultErrRVecDomainRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecDomainRecordFault_Tag LockstepRResultRVecDomainRecordFault_Tag;
#else
typedef uint8_t LockstepRResultRVecDomainRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecDomainRecordFault_Tag tag;
    struct {
        LockstepRResultRVecDomainRecordFault_Tag ok_tag;
        LockstepRVecDomainRecord ok;
    };
    struct {
        LockstepRResultRVecDomainRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecDomainRecordFault;

// Something or nothing.
enum LockstepROptionDomainRecord_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionDomainRecordSomeDomainRecord,
    LockstepROptionDomainRecordNoneDomainRecord,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionDomainRecord_Tag LockstepROptionDomainRecord_Tag;
#else
typedef uint8_t LockstepROptionDomainRecord_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionDomainRecord_Tag tag;
    struct {
        LockstepROptionDomainRecord_Tag some_tag;
        LockstepDomainRecord some;
    };
} LockstepROptionDomainRecord;

// An answer or a fault.
enum LockstepRResultROptionDomainRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultROptionDomainRecordFaultOkROptionDomainRecordFault,
    LockstepRResultROptionDomainRecordFaultErrROptionDomainRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultROptionDomainRecordFault_Tag LockstepRResultROptionDomainRecordFault_Tag;
#else
typedef uint8_t LockstepRResultROptionDomainRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultROptionDomainRecordFault_Tag tag;
    struct {
        LockstepRResultROptionDomainRecordFault_Tag ok_tag;
        LockstepROptionDomainRecord ok;
    };
    struct {
        LockstepRResultROptionDomainRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultROptionDomainRecordFault;

// An answer or a fault.
enum LockstepRResultDomainRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultDomainRecordFaultOkDomainRecordFault,
    LockstepRResultDomainRecordFaultErrDomainRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultDomainRecordFault_Tag LockstepRResultDomainRecordFault_Tag;
#else
typedef uint8_t LockstepRResultDomainRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultDomainRecordFault_Tag tag;
    struct {
        LockstepRResultDomainRecordFault_Tag ok_tag;
        LockstepDomainRecord ok;
    };
    struct {
        LockstepRResultDomainRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultDomainRecordFault;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepRVecU8 *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecRVecU8;

// `GuestEvent` as it crosses.
typedef struct {
    // `NOTIFIED` or `EXITED`.
    uint32_t kind;
    // Of an exit: which of `HAS_CODE` and its kin are true.
    uint32_t flags;
    int32_t code;
    int32_t signal;
    // The datagram, or the last ones before an exit.
    LockstepRVecRVecU8 notifications;
    LockstepRString console_tail;
} LockstepGuestEventRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepPair *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecPair;

// `PortRequest` as it crosses.
typedef struct {
    LockstepUuid owner;
    LockstepRString owner_name;
    LockstepRString port;
    LockstepRString mac;
    LockstepRString filter;
    LockstepRVecPair parameters;
} LockstepPortRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepPortRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecPortRecord;

// An answer or a fault.
enum LockstepRResultRVecPortRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecPortRecordFaultOkRVecPortRecordFault,
    LockstepRResultRVecPortRecordFaultErrRVecPortRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecPortRecordFault_Tag LockstepRResultRVecPortRecordFault_Tag;
#else
typedef uint8_t LockstepRResultRVecPortRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecPortRecordFault_Tag tag;
    struct {
        LockstepRResultRVecPortRecordFault_Tag ok_tag;
        LockstepRVecPortRecord ok;
    };
    struct {
        LockstepRResultRVecPortRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecPortRecordFault;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepRString *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecRString;

// The table behind `virt.lifecycle/1`; each function is the method of `crate::driver::VirtDriver` of the same name.
typedef struct {
    LockstepRResultRStringFault (*capabilities)(LockstepObj);
    LockstepRResultU64Fault (*version)(LockstepObj);
    LockstepRResultNodeRecordFault (*node_info)(LockstepObj);
    LockstepRResultRVecDomainRecordFault (*list)(LockstepObj);
    LockstepRResultROptionDomainRecordFault (*by_uuid)(LockstepObj, LockstepUuid);
    LockstepRResultROptionDomainRecordFault (*by_name)(LockstepObj, LockstepRStr);
    LockstepRResultROptionDomainRecordFault (*by_id)(LockstepObj, int32_t);
    LockstepRResultU64Fault (*cpu_time)(LockstepObj, LockstepUuid);
    LockstepRResultRStringFault (*dump_xml)(LockstepObj, LockstepUuid, uint32_t);
    LockstepRResultDomainRecordFault (*define)(LockstepObj, LockstepCall, LockstepRStr, uint32_t);
    LockstepRResultDomainRecordFault (*create)(LockstepObj, LockstepCall, LockstepRStr, uint32_t);
    LockstepDone (*undefine)(LockstepObj, LockstepCall, LockstepUuid, uint32_t);
    LockstepRResultDomainRecordFault (*start)(LockstepObj, LockstepCall, LockstepUuid, uint32_t);
    LockstepDone (*shutdown)(LockstepObj, LockstepCall, LockstepUuid, uint32_t);
    LockstepDone (*reboot)(LockstepObj, LockstepCall, LockstepUuid, uint32_t);
    LockstepDone (*destroy)(LockstepObj, LockstepCall, LockstepUuid, uint32_t);
    LockstepDone (*suspend)(LockstepObj, LockstepCall, LockstepUuid);
    LockstepDone (*resume)(LockstepObj, LockstepCall, LockstepUuid);
    LockstepDone (*set_autostart)(LockstepObj, LockstepCall, LockstepUuid, uint32_t);
    LockstepDone (*guest_event)(LockstepObj, LockstepCall, uint64_t, LockstepGuestEventRecord);
    LockstepRResultRVecPortRecordFault (*filtered_ports)(LockstepObj, LockstepCall, LockstepRVecRString);
} LockstepVirtV1;

// `ConsoleRef` as it crosses.
typedef struct {
    uint64_t guest;
    uint32_t index;
} LockstepConsoleRefRecord;

// An answer or a fault.
enum LockstepRResultConsoleRefRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultConsoleRefRecordFaultOkConsoleRefRecordFault,
    LockstepRResultConsoleRefRecordFaultErrConsoleRefRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultConsoleRefRecordFault_Tag LockstepRResultConsoleRefRecordFault_Tag;
#else
typedef uint8_t LockstepRResultConsoleRefRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultConsoleRefRecordFault_Tag tag;
    struct {
        LockstepRResultConsoleRefRecordFault_Tag ok_tag;
        LockstepConsoleRefRecord ok;
    };
    struct {
        LockstepRResultConsoleRefRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultConsoleRefRecordFault;

// Something or nothing.
enum LockstepROptionRStr_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionRStrSomeRStr,
    LockstepROptionRStrNoneRStr,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionRStr_Tag LockstepROptionRStr_Tag;
#else
typedef uint8_t LockstepROptionRStr_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionRStr_Tag tag;
    struct {
        LockstepROptionRStr_Tag some_tag;
        LockstepRStr some;
    };
} LockstepROptionRStr;

// The table behind `virt.console/1`; each function is the method of `crate::driver::Console` of the same name.
typedef struct {
    LockstepRResultConsoleRefRecordFault (*console)(LockstepObj, LockstepUuid, LockstepROptionRStr);
} LockstepConsoleV1;

// What the host hands out: an unguessable number that means one hold.
typedef struct {
    // Never 0, never reused.
    uint64_t handle;
    // `POISONED` or 0.
    uint32_t flags;
} LockstepHeld;

// An answer or a fault.
enum LockstepRResultHeldFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultHeldFaultOkHeldFault,
    LockstepRResultHeldFaultErrHeldFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultHeldFault_Tag LockstepRResultHeldFault_Tag;
#else
typedef uint8_t LockstepRResultHeldFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultHeldFault_Tag tag;
    struct {
        LockstepRResultHeldFault_Tag ok_tag;
        LockstepHeld ok;
    };
    struct {
        LockstepRResultHeldFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultHeldFault;

// One lock: a level and a key within it.
typedef struct {
    // `Level::RANK`.
    uint32_t rank;
    // Nil for Filter and Update; ignored for Virt (a driver reaches only its own); the guest for Domain.
    LockstepUuid uuid;
} LockstepLockKey;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepHeld *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecHeld;

// An answer or a fault.
enum LockstepRResultRVecHeldFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecHeldFaultOkRVecHeldFault,
    LockstepRResultRVecHeldFaultErrRVecHeldFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecHeldFault_Tag LockstepRResultRVecHeldFault_Tag;
#else
typedef uint8_t LockstepRResultRVecHeldFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecHeldFault_Tag tag;
    struct {
        LockstepRResultRVecHeldFault_Tag ok_tag;
        LockstepRVecHeld ok;
    };
    struct {
        LockstepRResultRVecHeldFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecHeldFault;

// Elements that belong to the caller.
typedef struct {
    const LockstepUuid *data;
    size_t length;
} LockstepRSliceUuid;

// A session opened from a loan.
typedef struct {
    // The new session.
    LockstepCall call;
    // Its hold.
    LockstepHeld held;
} LockstepAdopted;

// An answer or a fault.
enum LockstepRResultAdoptedFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultAdoptedFaultOkAdoptedFault,
    LockstepRResultAdoptedFaultErrAdoptedFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultAdoptedFault_Tag LockstepRResultAdoptedFault_Tag;
#else
typedef uint8_t LockstepRResultAdoptedFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultAdoptedFault_Tag tag;
    struct {
        LockstepRResultAdoptedFault_Tag ok_tag;
        LockstepAdopted ok;
    };
    struct {
        LockstepRResultAdoptedFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultAdoptedFault;

// An answer or a fault.
enum LockstepRResultCallFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultCallFaultOkCallFault,
    LockstepRResultCallFaultErrCallFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultCallFault_Tag LockstepRResultCallFault_Tag;
#else
typedef uint8_t LockstepRResultCallFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultCallFault_Tag tag;
    struct {
        LockstepRResultCallFault_Tag ok_tag;
        LockstepCall ok;
    };
    struct {
        LockstepRResultCallFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultCallFault;

// The table behind `lock/1`.
typedef struct {
    // Waits for one lock, at most `timeout_ms` (0: the level's default).
    LockstepRResultHeldFault (*acquire)(LockstepHostObj, LockstepCall, LockstepLockKey, uint32_t, uint64_t);
    // Takes the driver's Virt lock shared, then the Domain lock, then gives Virt back: a look-up that holds Virt for
    // no longer than that.
    LockstepRResultHeldFault (*lookup)(LockstepHostObj, LockstepCall, LockstepUuid, uint32_t, uint64_t);
    // Takes several Domain locks in UUID order and answers in the order that was asked; all or none.
    LockstepRResultRVecHeldFault (*acquire_domains)(LockstepHostObj,
                                                    LockstepCall,
                                                    LockstepRSliceUuid,
                                                    uint32_t,
                                                    uint64_t);
    // Gives a hold back; the last argument is 1 when the thread is unwinding, which poisons an exclusive hold.
    LockstepDone (*release)(LockstepHostObj, LockstepCall, uint64_t, uint32_t);
    // Turns an exclusive hold into a shared one without a gap.
    LockstepDone (*downgrade)(LockstepHostObj, LockstepCall, uint64_t);
    // Makes a single-use loan of a shared hold for another thread of the same driver.
    LockstepRResultU64Fault (*lend)(LockstepHostObj, LockstepCall, uint64_t);
    // Opens a session on this thread that already holds what the loan says.
    LockstepRResultAdoptedFault (*adopt)(LockstepHostObj, uint64_t);
    // Opens a session on a thread of the driver's own; the text names it in `lockstep locks`.
    LockstepRResultCallFault (*session_open)(LockstepHostObj, LockstepRStr);
    // Ends a session; what it still holds is swept.
    LockstepDone (*session_close)(LockstepHostObj, LockstepCall);
    // Clears the poison mark of a lock that is held exclusively.
    LockstepDone (*clear_poison)(LockstepHostObj, LockstepCall, uint64_t);
    // Begins a job on the domain whose exclusive hold this is; at most one at a time, refused with code 55 naming it.
    LockstepRResultU64Fault (*job_begin)(LockstepHostObj, LockstepCall, uint64_t, LockstepRStr);
    // Asks the running job of a domain to stop; it sees that in `job_cancelled`.
    LockstepDone (*job_cancel)(LockstepHostObj, LockstepCall, LockstepUuid);
    // 1 once somebody asked the job to stop.
    uint32_t (*job_cancelled)(LockstepHostObj, uint64_t);
    // Ends a job.
    LockstepDone (*job_end)(LockstepHostObj, uint64_t);
} LockstepLockV1;

// Elements that belong to the caller.
typedef struct {
    const LockstepRStr *data;
    size_t length;
} LockstepRSliceRStr;

// A place in the driver's code that logs.
typedef struct {
    // The span's or event's name.
    LockstepRStr name;
    // Usually the module.
    LockstepRStr target;
    // The source file.
    LockstepRStr file;
    // Line in it, 0 when unknown.
    uint32_t line;
    // 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    uint32_t level;
    // 1 for a span, 0 for an event.
    uint32_t span;
    // The names of its fields, at most `MAX_FIELDS`.
    LockstepRSliceRStr fields;
} LockstepCallsite;

// What a span or event hangs under.
typedef struct {
    // `PARENT_CURRENT`, `PARENT_ROOT` or `PARENT_SPAN`.
    uint32_t kind;
    // The span, for `PARENT_SPAN`.
    uint64_t span;
} LockstepParent;

// One field's value.
typedef struct {
    // Its place in `Callsite::fields`.
    uint32_t index;
    // `KIND_TEXT` and its kin.
    uint32_t kind;
    // The bits of a number or truth value.
    uint64_t bits;
    // The text of what is none of these.
    LockstepRStr text;
} LockstepField;

// Elements that belong to the caller.
typedef struct {
    const LockstepField *data;
    size_t length;
} LockstepRSliceField;

// The table behind `log/1`. Nothing here fails: a log line that can not be written is lost. Span 0 is "disabled".
typedef struct {
    // Makes a callsite known; answers its number, or 0 when the host has no room for more.
    uint64_t (*register_)(LockstepHostObj, LockstepCallsite);
    // Whether a callsite is wanted now: 0 or 1.
    uint32_t (*enabled)(LockstepHostObj, uint64_t);
    // Opens a span.
    uint64_t (*new_span)(LockstepHostObj, uint64_t, LockstepParent, LockstepRSliceField);
    // Adds values to a span of a callsite: (callsite, span, values).
    void (*record)(LockstepHostObj, uint64_t, uint64_t, LockstepRSliceField);
    // The first span follows from the second.
    void (*follows_from)(LockstepHostObj, uint64_t, uint64_t);
    // Writes an event.
    void (*event)(LockstepHostObj, uint64_t, LockstepParent, LockstepRSliceField);
    // This thread enters a span.
    void (*enter)(LockstepHostObj, uint64_t);
    // This thread leaves a span.
    void (*exit)(LockstepHostObj, uint64_t);
    // One more handle of a span.
    void (*clone_span)(LockstepHostObj, uint64_t);
    // One handle less; 1 when it was the last.
    uint32_t (*close_span)(LockstepHostObj, uint64_t);
    // The driver panicked: message, place, backtrace.
    void (*panicked)(LockstepHostObj, LockstepRStr, LockstepRStr, LockstepRStr);
} LockstepLogV1;

// `DomainEvent` as it crosses.
typedef struct {
    LockstepUuid uuid;
    LockstepRString name;
    // -1 when no longer active.
    int32_t id;
    // `LIFECYCLE` or `REBOOT`; a host ignores kinds it does not know.
    uint32_t kind;
    // Of a lifecycle event: its type.
    uint32_t event;
    // Of a lifecycle event: its detail.
    uint32_t detail;
} LockstepEventRecord;

// The table behind `event/1`.
typedef struct {
    // Queues the event; it leaves once the calling thread holds no lock.
    LockstepDone (*emit)(LockstepHostObj, LockstepEventRecord);
} LockstepEventV1;

// `Started` as it crosses.
typedef struct {
    uint64_t guest;
    LockstepUuid domain;
    LockstepRVecU8 run_dir;
    LockstepRVecRString ptys;
    LockstepRVecRString not_isolated;
    uint32_t pid;
} LockstepStartedRecord;

// An answer or a fault.
enum LockstepRResultStartedRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultStartedRecordFaultOkStartedRecordFault,
    LockstepRResultStartedRecordFaultErrStartedRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultStartedRecordFault_Tag LockstepRResultStartedRecordFault_Tag;
#else
typedef uint8_t LockstepRResultStartedRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultStartedRecordFault_Tag tag;
    struct {
        LockstepRResultStartedRecordFault_Tag ok_tag;
        LockstepStartedRecord ok;
    };
    struct {
        LockstepRResultStartedRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultStartedRecordFault;

// `ConsoleSpec` as it crosses.
typedef struct {
    LockstepRString alias;
    // Empty for none.
    LockstepRVecU8 log;
    uint32_t pty;
} LockstepConsoleRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepConsoleRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecConsoleRecord;

// `VisibleFile` as it crosses.
typedef struct {
    LockstepRVecU8 path;
    uint32_t writable;
} LockstepFileRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepFileRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecFileRecord;

// `GuestSpec` as it crosses.
typedef struct {
    LockstepUuid domain;
    LockstepRString name;
    LockstepRVecRString argv;
    LockstepRVecPair env;
    LockstepRVecConsoleRecord consoles;
    LockstepRVecFileRecord files;
    uint64_t memory_bytes;
    // Empty for the host's log folder.
    LockstepRVecU8 log;
} LockstepSpecRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepStartedRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecStartedRecord;

// An answer or a fault.
enum LockstepRResultRVecStartedRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecStartedRecordFaultOkRVecStartedRecordFault,
    LockstepRResultRVecStartedRecordFaultErrRVecStartedRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecStartedRecordFault_Tag LockstepRResultRVecStartedRecordFault_Tag;
#else
typedef uint8_t LockstepRResultRVecStartedRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecStartedRecordFault_Tag tag;
    struct {
        LockstepRResultRVecStartedRecordFault_Tag ok_tag;
        LockstepRVecStartedRecord ok;
    };
    struct {
        LockstepRResultRVecStartedRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecStartedRecordFault;

// The table behind `spawn/1`; each function is the method of `crate::host::Host` of the same name. A guest is named
// by its number.
typedef struct {
    LockstepRResultStartedRecordFault (*spawn)(LockstepHostObj, LockstepCall, LockstepSpecRecord);
    LockstepRResultRVecStartedRecordFault (*survivors)(LockstepHostObj, LockstepCall);
    LockstepDone (*watch)(LockstepHostObj, LockstepCall, uint64_t);
    LockstepDone (*kill)(LockstepHostObj, LockstepCall, uint64_t);
    LockstepDone (*forget)(LockstepHostObj, LockstepCall, uint64_t);
    LockstepRResultRStringFault (*console_tail)(LockstepHostObj, uint64_t, uint32_t);
    LockstepRResultU64Fault (*cpu_time)(LockstepHostObj, uint64_t);
} LockstepSpawnV1;

// The table behind `ports/1`; the caller holds Update.
typedef struct {
    // Puts a filter on a port.
    LockstepDone (*attach)(LockstepHostObj, LockstepCall, LockstepPortRecord);
    // Takes the filter off a port.
    LockstepDone (*detach)(LockstepHostObj, LockstepCall, LockstepRStr);
    // The ports of every virt driver's active domains that use one of these filters.
    LockstepRResultRVecPortRecordFault (*filtered)(LockstepHostObj, LockstepCall, LockstepRVecRString);
} LockstepPortsV1;

// `MetadataChange` as it crosses.
typedef struct {
    // 0 description, 1 title, 2 element (`virDomainMetadataType`).
    uint32_t kind;
    // The text or element; nothing removes it.
    LockstepROptionRStr value;
    // The prefix of an element's namespace.
    LockstepROptionRStr key;
    // An element's namespace.
    LockstepROptionRStr uri;
} LockstepMetadataRecord;

// The table behind `virt.metadata/1`; each function is the method of `crate::driver::Metadata` of the same name.
typedef struct {
    LockstepDone (*set_metadata)(LockstepObj, LockstepCall, LockstepUuid, LockstepMetadataRecord, uint32_t);
} LockstepMetadataV1;

// The table behind `virt.devices/1`; each function is the method of `crate::driver::Devices` of the same name.
typedef struct {
    LockstepDone (*attach_device)(LockstepObj, LockstepCall, LockstepUuid, LockstepRStr, uint32_t);
    LockstepDone (*detach_device)(LockstepObj, LockstepCall, LockstepUuid, LockstepRStr, uint32_t);
    LockstepDone (*detach_alias)(LockstepObj, LockstepCall, LockstepUuid, LockstepRStr, uint32_t);
    LockstepDone (*update_device)(LockstepObj, LockstepCall, LockstepUuid, LockstepRStr, uint32_t);
} LockstepDevicesV1;

// An answer or a fault.
enum LockstepRResultU32Fault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultU32FaultOkU32Fault,
    LockstepRResultU32FaultErrU32Fault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultU32Fault_Tag LockstepRResultU32Fault_Tag;
#else
typedef uint8_t LockstepRResultU32Fault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultU32Fault_Tag tag;
    struct {
        LockstepRResultU32Fault_Tag ok_tag;
        uint32_t ok;
    };
    struct {
        LockstepRResultU32Fault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultU32Fault;

// `Param` as it crosses.
typedef struct {
    // The name.
    LockstepRString name;
    // libvirt's number of the type: 1 int, 2 unsigned, 3 long, 4 unsigned long, 5 double, 6 boolean, 7 text.
    uint32_t kind;
    // The value of types 1 to 6: a number in two's complement, the bits of a double, 0 or 1.
    uint64_t bits;
    // The value of type 7.
    LockstepRString text;
} LockstepParamRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepParamRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecParamRecord;

// An answer or a fault.
enum LockstepRResultRVecParamRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecParamRecordFaultOkRVecParamRecordFault,
    LockstepRResultRVecParamRecordFaultErrRVecParamRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecParamRecordFault_Tag LockstepRResultRVecParamRecordFault_Tag;
#else
typedef uint8_t LockstepRResultRVecParamRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecParamRecordFault_Tag tag;
    struct {
        LockstepRResultRVecParamRecordFault_Tag ok_tag;
        LockstepRVecParamRecord ok;
    };
    struct {
        LockstepRResultRVecParamRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecParamRecordFault;

// The table behind `virt.resources/1`; each function is the method of `crate::driver::Resources` of the same name.
typedef struct {
    LockstepDone (*set_memory)(LockstepObj, LockstepCall, LockstepUuid, uint64_t, uint32_t);
    LockstepDone (*set_vcpus)(LockstepObj, LockstepCall, LockstepUuid, uint32_t, uint32_t);
    LockstepRResultU32Fault (*vcpus)(LockstepObj, LockstepUuid, uint32_t);
    LockstepRResultRVecParamRecordFault (*parameters)(LockstepObj, LockstepUuid, uint32_t, LockstepRStr, uint32_t);
    LockstepDone (*set_parameters)(LockstepObj,
                                   LockstepCall,
                                   LockstepUuid,
                                   uint32_t,
                                   LockstepRStr,
                                   LockstepRVecParamRecord,
                                   uint32_t);
} LockstepResourcesV1;

// Something or nothing.
enum LockstepROptionRString_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionRStringSomeRString,
    LockstepROptionRStringNoneRString,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionRString_Tag LockstepROptionRString_Tag;
#else
typedef uint8_t LockstepROptionRString_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionRString_Tag tag;
    struct {
        LockstepROptionRString_Tag some_tag;
        LockstepRString some;
    };
} LockstepROptionRString;

// `Address` as it crosses.
typedef struct {
    LockstepRString address;
    uint32_t prefix;
} LockstepAddressRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepAddressRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecAddressRecord;

// `InterfaceAddresses` as it crosses.
typedef struct {
    LockstepRString name;
    LockstepROptionRString mac;
    LockstepRVecAddressRecord addresses;
} LockstepInterfaceAddressesRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepInterfaceAddressesRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecInterfaceAddressesRecord;

// An answer or a fault.
enum LockstepRResultRVecInterfaceAddressesRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecInterfaceAddressesRecordFaultOkRVecInterfaceAddressesRecordFault,
    LockstepRResultRVecInterfaceAddressesRecordFaultErrRVecInterfaceAddressesRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecInterfaceAddressesRecordFault_Tag LockstepRResultRVecInterfaceAddressesRecordFault_Tag;
#else
typedef uint8_t LockstepRResultRVecInterfaceAddressesRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecInterfaceAddressesRecordFault_Tag tag;
    struct {
        LockstepRResultRVecInterfaceAddressesRecordFault_Tag ok_tag;
        LockstepRVecInterfaceAddressesRecord ok;
    };
    struct {
        LockstepRResultRVecInterfaceAddressesRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecInterfaceAddressesRecordFault;

// The table behind `virt.stats/1`; each function is the method of `crate::driver::Stats` of the same name.
typedef struct {
    LockstepRResultRVecParamRecordFault (*stats)(LockstepObj, LockstepUuid, uint32_t);
    LockstepRResultRVecInterfaceAddressesRecordFault (*addresses)(LockstepObj, LockstepUuid, uint32_t);
} LockstepStatsV1;

// `Control` as it crosses.
typedef struct {
    // 0 it answers, 1 it is occupied, 2 it is silent.
    uint32_t kind;
    // Since when, in milliseconds.
    uint64_t since_ms;
} LockstepControlRecord;

// An answer or a fault.
enum LockstepRResultControlRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultControlRecordFaultOkControlRecordFault,
    LockstepRResultControlRecordFaultErrControlRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultControlRecordFault_Tag LockstepRResultControlRecordFault_Tag;
#else
typedef uint8_t LockstepRResultControlRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultControlRecordFault_Tag tag;
    struct {
        LockstepRResultControlRecordFault_Tag ok_tag;
        LockstepControlRecord ok;
    };
    struct {
        LockstepRResultControlRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultControlRecordFault;

// An answer or a fault.
enum LockstepRResultRVecU8Fault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecU8FaultOkRVecU8Fault,
    LockstepRResultRVecU8FaultErrRVecU8Fault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecU8Fault_Tag LockstepRResultRVecU8Fault_Tag;
#else
typedef uint8_t LockstepRResultRVecU8Fault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecU8Fault_Tag tag;
    struct {
        LockstepRResultRVecU8Fault_Tag ok_tag;
        LockstepRVecU8 ok;
    };
    struct {
        LockstepRResultRVecU8Fault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecU8Fault;

// An answer or a fault.
enum LockstepRResultRVecRStringFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecRStringFaultOkRVecRStringFault,
    LockstepRResultRVecRStringFaultErrRVecRStringFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecRStringFault_Tag LockstepRResultRVecRStringFault_Tag;
#else
typedef uint8_t LockstepRResultRVecRStringFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecRStringFault_Tag tag;
    struct {
        LockstepRResultRVecRStringFault_Tag ok_tag;
        LockstepRVecRString ok;
    };
    struct {
        LockstepRResultRVecRStringFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecRStringFault;

// The table behind `virt.control/1`; each function is the method of `crate::driver::Control` of the same name.
typedef struct {
    LockstepRResultControlRecordFault (*control)(LockstepObj, LockstepUuid);
    LockstepDone (*reset)(LockstepObj, LockstepCall, LockstepUuid);
    LockstepRResultDomainRecordFault (*rename)(LockstepObj, LockstepCall, LockstepUuid, LockstepRStr);
    LockstepRResultRVecU8Fault (*block_peek)(LockstepObj, LockstepUuid, LockstepRStr, uint64_t, uint32_t);
    LockstepDone (*set_autostart_once)(LockstepObj, LockstepCall, LockstepUuid, uint32_t);
    LockstepRResultRVecRStringFault (*messages)(LockstepObj, LockstepUuid);
} LockstepControlV1;

// `FilterBrief` as it crosses.
typedef struct {
    LockstepUuid uuid;
    LockstepRString name;
} LockstepFilterRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepFilterRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecFilterRecord;

// An answer or a fault.
enum LockstepRResultRVecFilterRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecFilterRecordFaultOkRVecFilterRecordFault,
    LockstepRResultRVecFilterRecordFaultErrRVecFilterRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecFilterRecordFault_Tag LockstepRResultRVecFilterRecordFault_Tag;
#else
typedef uint8_t LockstepRResultRVecFilterRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecFilterRecordFault_Tag tag;
    struct {
        LockstepRResultRVecFilterRecordFault_Tag ok_tag;
        LockstepRVecFilterRecord ok;
    };
    struct {
        LockstepRResultRVecFilterRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecFilterRecordFault;

// An answer or a fault.
enum LockstepRResultFilterRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultFilterRecordFaultOkFilterRecordFault,
    LockstepRResultFilterRecordFaultErrFilterRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultFilterRecordFault_Tag LockstepRResultFilterRecordFault_Tag;
#else
typedef uint8_t LockstepRResultFilterRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultFilterRecordFault_Tag tag;
    struct {
        LockstepRResultFilterRecordFault_Tag ok_tag;
        LockstepFilterRecord ok;
    };
    struct {
        LockstepRResultFilterRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultFilterRecordFault;

// The table behind `nwfilter.define/1`; each function is the method of `crate::driver::FilterDriver` of that name.
typedef struct {
    LockstepRResultRVecFilterRecordFault (*filters)(LockstepObj);
    LockstepRResultRStringFault (*filter_xml)(LockstepObj, LockstepUuid, uint32_t);
    LockstepRResultFilterRecordFault (*define_filter)(LockstepObj, LockstepCall, LockstepRStr, uint32_t);
    LockstepDone (*undefine_filter)(LockstepObj, LockstepCall, LockstepUuid);
} LockstepFilterV1;

// `BindingBrief` as it crosses.
typedef struct {
    LockstepRString port;
    LockstepRString filter;
} LockstepBindingRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepBindingRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecBindingRecord;

// An answer or a fault.
enum LockstepRResultRVecBindingRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecBindingRecordFaultOkRVecBindingRecordFault,
    LockstepRResultRVecBindingRecordFaultErrRVecBindingRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecBindingRecordFault_Tag LockstepRResultRVecBindingRecordFault_Tag;
#else
typedef uint8_t LockstepRResultRVecBindingRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecBindingRecordFault_Tag tag;
    struct {
        LockstepRResultRVecBindingRecordFault_Tag ok_tag;
        LockstepRVecBindingRecord ok;
    };
    struct {
        LockstepRResultRVecBindingRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecBindingRecordFault;

// An answer or a fault.
enum LockstepRResultBindingRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultBindingRecordFaultOkBindingRecordFault,
    LockstepRResultBindingRecordFaultErrBindingRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultBindingRecordFault_Tag LockstepRResultBindingRecordFault_Tag;
#else
typedef uint8_t LockstepRResultBindingRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultBindingRecordFault_Tag tag;
    struct {
        LockstepRResultBindingRecordFault_Tag ok_tag;
        LockstepBindingRecord ok;
    };
    struct {
        LockstepRResultBindingRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultBindingRecordFault;

// The table behind `nwfilter.binding/1`; each function is the method of `crate::driver::BindingDriver` of that name.
typedef struct {
    LockstepRResultRVecBindingRecordFault (*bindings)(LockstepObj);
    LockstepRResultRStringFault (*binding_xml)(LockstepObj, LockstepRStr, uint32_t);
    LockstepRResultBindingRecordFault (*create_binding)(LockstepObj, LockstepCall, LockstepRStr, uint32_t);
    LockstepDone (*delete_binding)(LockstepObj, LockstepCall, LockstepRStr);
    LockstepDone (*attach_port)(LockstepObj, LockstepCall, LockstepPortRecord);
    LockstepDone (*detach_port)(LockstepObj, LockstepCall, LockstepRStr);
} LockstepBindingV1;

// An answer or a fault.
enum LockstepRResultRVecPairFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecPairFaultOkRVecPairFault,
    LockstepRResultRVecPairFaultErrRVecPairFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecPairFault_Tag LockstepRResultRVecPairFault_Tag;
#else
typedef uint8_t LockstepRResultRVecPairFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecPairFault_Tag tag;
    struct {
        LockstepRResultRVecPairFault_Tag ok_tag;
        LockstepRVecPair ok;
    };
    struct {
        LockstepRResultRVecPairFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecPairFault;

// `TreeNode` as it crosses.
typedef struct {
    uint32_t level;
    LockstepRString filter;
    uint32_t exists;
    LockstepRString chain;
    LockstepRVecPair parameters;
} LockstepTreeRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepTreeRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecTreeRecord;

// `RulePlace` as it crosses.
typedef struct {
    LockstepRString filter;
    LockstepUuid uuid;
    uint32_t entry;
    uint32_t line;
    LockstepRString text;
} LockstepPlaceRecord;

// Something or nothing.
enum LockstepROptionPlaceRecord_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionPlaceRecordSomePlaceRecord,
    LockstepROptionPlaceRecordNonePlaceRecord,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionPlaceRecord_Tag LockstepROptionPlaceRecord_Tag;
#else
typedef uint8_t LockstepROptionPlaceRecord_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionPlaceRecord_Tag tag;
    struct {
        LockstepROptionPlaceRecord_Tag some_tag;
        LockstepPlaceRecord some;
    };
} LockstepROptionPlaceRecord;

// `RuleView` as it crosses.
typedef struct {
    LockstepRString chain;
    LockstepRString text;
    LockstepROptionPlaceRecord place;
    LockstepRString note;
} LockstepRuleRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepRuleRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecRuleRecord;

// `PortView` as it crosses.
typedef struct {
    LockstepRString port;
    LockstepRString filter;
    LockstepRString mac;
    LockstepRString owner;
    LockstepRString state;
    LockstepRString program;
    LockstepRVecPair parameters;
    LockstepRVecRString learned;
    LockstepRVecTreeRecord tree;
    LockstepRVecRuleRecord rules;
} LockstepViewRecord;

// An answer or a fault.
enum LockstepRResultViewRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultViewRecordFaultOkViewRecordFault,
    LockstepRResultViewRecordFaultErrViewRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultViewRecordFault_Tag LockstepRResultViewRecordFault_Tag;
#else
typedef uint8_t LockstepRResultViewRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultViewRecordFault_Tag tag;
    struct {
        LockstepRResultViewRecordFault_Tag ok_tag;
        LockstepViewRecord ok;
    };
    struct {
        LockstepRResultViewRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultViewRecordFault;

// `RuleCount` as it crosses.
typedef struct {
    LockstepRString chain;
    LockstepRString verdict;
    uint64_t packets;
    uint64_t bytes;
    LockstepROptionPlaceRecord place;
} LockstepCountRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepCountRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecCountRecord;

// `PortCounters` as it crosses.
typedef struct {
    LockstepRVecRString ports;
    LockstepRVecCountRecord rules;
} LockstepCountersRecord;

// An answer or a fault.
enum LockstepRResultCountersRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultCountersRecordFaultOkCountersRecordFault,
    LockstepRResultCountersRecordFaultErrCountersRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultCountersRecordFault_Tag LockstepRResultCountersRecordFault_Tag;
#else
typedef uint8_t LockstepRResultCountersRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultCountersRecordFault_Tag tag;
    struct {
        LockstepRResultCountersRecordFault_Tag ok_tag;
        LockstepCountersRecord ok;
    };
    struct {
        LockstepRResultCountersRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultCountersRecordFault;

// `TestStep` as it crosses.
typedef struct {
    LockstepRString chain;
    LockstepRString verdict;
    LockstepROptionPlaceRecord place;
} LockstepTestStepRecord;

// Something or nothing.
enum LockstepROptionTestStepRecord_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionTestStepRecordSomeTestStepRecord,
    LockstepROptionTestStepRecordNoneTestStepRecord,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionTestStepRecord_Tag LockstepROptionTestStepRecord_Tag;
#else
typedef uint8_t LockstepROptionTestStepRecord_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionTestStepRecord_Tag tag;
    struct {
        LockstepROptionTestStepRecord_Tag some_tag;
        LockstepTestStepRecord some;
    };
} LockstepROptionTestStepRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepTestStepRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecTestStepRecord;

// `TestOutcome` as it crosses.
typedef struct {
    LockstepRVecU8 frame;
    uint32_t way;
    uint32_t fate;
    LockstepROptionTestStepRecord decided;
    LockstepRVecTestStepRecord path;
    LockstepRVecRString notes;
} LockstepOutcomeRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepOutcomeRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecOutcomeRecord;

// An answer or a fault.
enum LockstepRResultRVecOutcomeRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultRVecOutcomeRecordFaultOkRVecOutcomeRecordFault,
    LockstepRResultRVecOutcomeRecordFaultErrRVecOutcomeRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultRVecOutcomeRecordFault_Tag LockstepRResultRVecOutcomeRecordFault_Tag;
#else
typedef uint8_t LockstepRResultRVecOutcomeRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultRVecOutcomeRecordFault_Tag tag;
    struct {
        LockstepRResultRVecOutcomeRecordFault_Tag ok_tag;
        LockstepRVecOutcomeRecord ok;
    };
    struct {
        LockstepRResultRVecOutcomeRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultRVecOutcomeRecordFault;

// Something or nothing.
enum LockstepROptionU32_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionU32SomeU32,
    LockstepROptionU32NoneU32,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionU32_Tag LockstepROptionU32_Tag;
#else
typedef uint8_t LockstepROptionU32_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionU32_Tag tag;
    struct {
        LockstepROptionU32_Tag some_tag;
        uint32_t some;
    };
} LockstepROptionU32;

// `PacketSource` as it crosses.
typedef struct {
    // Whether `bytes` are a capture rather than words.
    uint32_t capture;
    // The words or the capture.
    LockstepRVecU8 bytes;
} LockstepSourceRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepSourceRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecSourceRecord;

// `TestRequest` as it crosses.
typedef struct {
    LockstepRString filter;
    LockstepRVecPair parameters;
    LockstepROptionU32 way;
    LockstepRVecSourceRecord packets;
} LockstepTestRecord;

// `TraceStep` as it crosses.
typedef struct {
    uint32_t packet;
    LockstepRString chain;
    LockstepRString verdict;
    LockstepROptionPlaceRecord place;
    LockstepRVecU8 headers;
} LockstepTraceRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepTraceRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecTraceRecord;

// `TraceBatch` as it crosses.
typedef struct {
    LockstepRVecTraceRecord steps;
    uint64_t lost;
} LockstepBatchRecord;

// An answer or a fault.
enum LockstepRResultBatchRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultBatchRecordFaultOkBatchRecordFault,
    LockstepRResultBatchRecordFaultErrBatchRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultBatchRecordFault_Tag LockstepRResultBatchRecordFault_Tag;
#else
typedef uint8_t LockstepRResultBatchRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultBatchRecordFault_Tag tag;
    struct {
        LockstepRResultBatchRecordFault_Tag ok_tag;
        LockstepBatchRecord ok;
    };
    struct {
        LockstepRResultBatchRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultBatchRecordFault;

// The table behind `nwfilter.inspect/1`; each function is the method of `crate::driver::Inspect` of the same name.
typedef struct {
    LockstepRResultRVecPairFault (*facts)(LockstepObj);
    LockstepRResultViewRecordFault (*show_port)(LockstepObj, LockstepRStr);
    LockstepRResultCountersRecordFault (*counters)(LockstepObj, LockstepRStr);
    LockstepRResultRVecOutcomeRecordFault (*test)(LockstepObj, LockstepTestRecord);
    LockstepRResultU64Fault (*start_trace)(LockstepObj, LockstepRStr);
    LockstepRResultBatchRecordFault (*next_trace)(LockstepObj, uint64_t);
    LockstepDone (*stop_trace)(LockstepObj, uint64_t);
    LockstepDone (*reload)(LockstepObj, LockstepCall);
} LockstepInspectV1;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    int32_t *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecI32;

// The table behind `descriptors/1`.
typedef struct {
    // `crate::host::Host::spawn_with`. The numbers are of descriptors that the caller owns and keeps open during the
    // call; the host makes its own copies.
    LockstepRResultStartedRecordFault (*spawn_with)(LockstepHostObj, LockstepCall, LockstepSpecRecord, LockstepRVecI32);
} LockstepDescriptorsV1;

// `Backend` as it crosses.
typedef struct {
    // 0 none, 1 unix, 2 TCP, 3 UDP, 4 device, 5 pipe.
    uint32_t kind;
    // Of unix, device, pipe.
    LockstepRVecU8 path;
    // Of TCP: host, service. Of UDP: those of the other end, then our own.
    LockstepRVecRString address;
    // Bit 0: it listens; bit 1: it speaks telnet.
    uint32_t flags;
} LockstepBackendRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepBackendRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecBackendRecord;

// `Link` as it crosses.
typedef struct {
    // 0 tap, 1 multicast, 2 UDP, 3 program.
    uint32_t kind;
    // Its name.
    LockstepRString name;
    // Of multicast: the group. Of UDP: where frames come in. Of a program: its socket.
    LockstepRString local;
    // Of UDP: where frames go.
    LockstepRString remote;
} LockstepLinkRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepLinkRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecLinkRecord;

// `Companion` as it crosses.
typedef struct {
    LockstepRString name;
    LockstepRVecRString argv;
    LockstepRVecFileRecord files;
    LockstepRString ready;
    uint32_t network;
    uint32_t restart;
} LockstepCompanionRecord;

// Elements that belong to whoever holds the record, to be given back through `vtable->destructor` alone. `buffer` is
// never null, `capacity` counts elements.
typedef struct {
    LockstepCompanionRecord *buffer;
    size_t length;
    size_t capacity;
    const LockstepVecVTable *vtable;
} LockstepRVecCompanionRecord;

// A user and a group.
typedef struct {
    uint32_t uid;
    uint32_t gid;
} LockstepUserRecord;

// Something or nothing.
enum LockstepROptionUserRecord_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionUserRecordSomeUserRecord,
    LockstepROptionUserRecordNoneUserRecord,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionUserRecord_Tag LockstepROptionUserRecord_Tag;
#else
typedef uint8_t LockstepROptionUserRecord_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionUserRecord_Tag tag;
    struct {
        LockstepROptionUserRecord_Tag some_tag;
        LockstepUserRecord some;
    };
} LockstepROptionUserRecord;

// `Launch` as it crosses.
typedef struct {
    LockstepSpecRecord spec;
    LockstepRVecBackendRecord backends;
    uint32_t spare_consoles;
    LockstepRVecLinkRecord links;
    LockstepRVecCompanionRecord companions;
    LockstepRVecParamRecord limits;
    LockstepROptionUserRecord user;
} LockstepLaunchRecord;

// `Plugged` as it crosses.
typedef struct {
    uint32_t index;
    int32_t descriptor;
    LockstepRString pty;
} LockstepPluggedRecord;

// An answer or a fault.
enum LockstepRResultPluggedRecordFault_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepRResultPluggedRecordFaultOkPluggedRecordFault,
    LockstepRResultPluggedRecordFaultErrPluggedRecordFault,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepRResultPluggedRecordFault_Tag LockstepRResultPluggedRecordFault_Tag;
#else
typedef uint8_t LockstepRResultPluggedRecordFault_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepRResultPluggedRecordFault_Tag tag;
    struct {
        LockstepRResultPluggedRecordFault_Tag ok_tag;
        LockstepPluggedRecord ok;
    };
    struct {
        LockstepRResultPluggedRecordFault_Tag err_tag;
        LockstepFault err;
    };
} LockstepRResultPluggedRecordFault;

// Something or nothing.
enum LockstepROptionFileRecord_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionFileRecordSomeFileRecord,
    LockstepROptionFileRecordNoneFileRecord,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionFileRecord_Tag LockstepROptionFileRecord_Tag;
#else
typedef uint8_t LockstepROptionFileRecord_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionFileRecord_Tag tag;
    struct {
        LockstepROptionFileRecord_Tag some_tag;
        LockstepFileRecord some;
    };
} LockstepROptionFileRecord;

// Something or nothing.
enum LockstepROptionConsoleRecord_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionConsoleRecordSomeConsoleRecord,
    LockstepROptionConsoleRecordNoneConsoleRecord,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionConsoleRecord_Tag LockstepROptionConsoleRecord_Tag;
#else
typedef uint8_t LockstepROptionConsoleRecord_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionConsoleRecord_Tag tag;
    struct {
        LockstepROptionConsoleRecord_Tag some_tag;
        LockstepConsoleRecord some;
    };
} LockstepROptionConsoleRecord;

// Something or nothing.
enum LockstepROptionBackendRecord_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionBackendRecordSomeBackendRecord,
    LockstepROptionBackendRecordNoneBackendRecord,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionBackendRecord_Tag LockstepROptionBackendRecord_Tag;
#else
typedef uint8_t LockstepROptionBackendRecord_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionBackendRecord_Tag tag;
    struct {
        LockstepROptionBackendRecord_Tag some_tag;
        LockstepBackendRecord some;
    };
} LockstepROptionBackendRecord;

// Something or nothing.
enum LockstepROptionLinkRecord_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionLinkRecordSomeLinkRecord,
    LockstepROptionLinkRecordNoneLinkRecord,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionLinkRecord_Tag LockstepROptionLinkRecord_Tag;
#else
typedef uint8_t LockstepROptionLinkRecord_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionLinkRecord_Tag tag;
    struct {
        LockstepROptionLinkRecord_Tag some_tag;
        LockstepLinkRecord some;
    };
} LockstepROptionLinkRecord;

// Something or nothing.
enum LockstepROptionCompanionRecord_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionCompanionRecordSomeCompanionRecord,
    LockstepROptionCompanionRecordNoneCompanionRecord,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionCompanionRecord_Tag LockstepROptionCompanionRecord_Tag;
#else
typedef uint8_t LockstepROptionCompanionRecord_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionCompanionRecord_Tag tag;
    struct {
        LockstepROptionCompanionRecord_Tag some_tag;
        LockstepCompanionRecord some;
    };
} LockstepROptionCompanionRecord;

// `Plug` as it crosses: exactly one of its parts, a backend beside a console.
typedef struct {
    LockstepROptionFileRecord file;
    LockstepROptionConsoleRecord console;
    LockstepROptionBackendRecord backend;
    LockstepROptionLinkRecord link;
    LockstepROptionCompanionRecord companion;
} LockstepPlugRecord;

// Something or nothing.
enum LockstepROptionI32_Tag
#if __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // __STDC_VERSION__ >= 202311L
 {
    LockstepROptionI32SomeI32,
    LockstepROptionI32NoneI32,
};
#if __STDC_VERSION__ >= 202311L
typedef enum LockstepROptionI32_Tag LockstepROptionI32_Tag;
#else
typedef uint8_t LockstepROptionI32_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef union {
    LockstepROptionI32_Tag tag;
    struct {
        LockstepROptionI32_Tag some_tag;
        int32_t some;
    };
} LockstepROptionI32;

// `Unplug` as it crosses.
typedef struct {
    // 0 file, 1 console, 2 link, 3 companion.
    uint32_t kind;
    // The path, alias or name.
    LockstepRVecU8 name;
} LockstepUnplugRecord;

// The table behind `spawn/2`; each function is the method of `crate::host::Host` of the same name. Numbers of
// descriptors are of those that the caller owns and keeps open during the call.
typedef struct {
    LockstepRResultStartedRecordFault (*launch)(LockstepHostObj, LockstepCall, LockstepLaunchRecord, LockstepRVecI32);
    LockstepRResultPluggedRecordFault (*plug)(LockstepHostObj,
                                              LockstepCall,
                                              uint64_t,
                                              LockstepPlugRecord,
                                              LockstepROptionI32);
    LockstepDone (*unplug)(LockstepHostObj, LockstepCall, uint64_t, LockstepUnplugRecord);
    LockstepDone (*limit)(LockstepHostObj, LockstepCall, uint64_t, LockstepRVecParamRecord);
    LockstepRResultRVecParamRecordFault (*limits)(LockstepHostObj, uint64_t);
    LockstepRResultRVecParamRecordFault (*usage)(LockstepHostObj, uint64_t);
} LockstepSpawnV2;

// `DomainNotice` as it crosses.
typedef struct {
    // Whose.
    LockstepUuid uuid;
    // Its name.
    LockstepRString name;
    // -1 when not active.
    int32_t id;
    // 0 device added, 1 removed, 2 removal failed, 3 metadata, 4 balloon, 5 tuned, 6 agent; a host ignores others.
    uint32_t kind;
    // The alias of a device, the namespace of a note.
    LockstepRString text;
    // The kind of a note, the KiB of a balloon, whether an agent is there.
    uint64_t number;
    // Of a note, whether it has a namespace; of an agent, the reason.
    uint32_t detail;
    // What was tuned.
    LockstepRVecParamRecord params;
} LockstepNoticeRecord;

// The table behind `notice/1`.
typedef struct {
    // Queues the notice; it leaves, in order with the thread's events, once the calling thread holds no lock.
    LockstepDone (*notify)(LockstepHostObj, LockstepNoticeRecord);
} LockstepNoticeV1;

/* The layouts above, as a host reckons them: a compiler that lays out anything in another way stops here. */

_Static_assert(sizeof(LockstepAdopted) == 40, "size of Adopted");
_Static_assert(offsetof(LockstepAdopted, call) == 0, "place of Adopted.call");
_Static_assert(offsetof(LockstepAdopted, held) == 24, "place of Adopted.held");
_Static_assert(sizeof(LockstepBackendRecord) == 80, "size of BackendRecord");
_Static_assert(offsetof(LockstepBackendRecord, kind) == 0, "place of BackendRecord.kind");
_Static_assert(offsetof(LockstepBackendRecord, path) == 8, "place of BackendRecord.path");
_Static_assert(offsetof(LockstepBackendRecord, address) == 40, "place of BackendRecord.address");
_Static_assert(offsetof(LockstepBackendRecord, flags) == 72, "place of BackendRecord.flags");
_Static_assert(sizeof(LockstepBatchRecord) == 40, "size of BatchRecord");
_Static_assert(offsetof(LockstepBatchRecord, steps) == 0, "place of BatchRecord.steps");
_Static_assert(offsetof(LockstepBatchRecord, lost) == 32, "place of BatchRecord.lost");
_Static_assert(sizeof(LockstepBindingRecord) == 64, "size of BindingRecord");
_Static_assert(offsetof(LockstepBindingRecord, port) == 0, "place of BindingRecord.port");
_Static_assert(offsetof(LockstepBindingRecord, filter) == 32, "place of BindingRecord.filter");
_Static_assert(sizeof(LockstepBindingV1) == 48, "size of BindingV1");
_Static_assert(offsetof(LockstepBindingV1, bindings) == 0, "place of BindingV1.bindings");
_Static_assert(offsetof(LockstepBindingV1, binding_xml) == 8, "place of BindingV1.binding_xml");
_Static_assert(offsetof(LockstepBindingV1, create_binding) == 16, "place of BindingV1.create_binding");
_Static_assert(offsetof(LockstepBindingV1, delete_binding) == 24, "place of BindingV1.delete_binding");
_Static_assert(offsetof(LockstepBindingV1, attach_port) == 32, "place of BindingV1.attach_port");
_Static_assert(offsetof(LockstepBindingV1, detach_port) == 40, "place of BindingV1.detach_port");
_Static_assert(sizeof(LockstepCall) == 24, "size of Call");
_Static_assert(offsetof(LockstepCall, id) == 0, "place of Call.id");
_Static_assert(offsetof(LockstepCall, level) == 8, "place of Call.level");
_Static_assert(offsetof(LockstepCall, exclusive) == 12, "place of Call.exclusive");
_Static_assert(offsetof(LockstepCall, deadline_ms) == 16, "place of Call.deadline_ms");
_Static_assert(sizeof(LockstepCallsite) == 80, "size of Callsite");
_Static_assert(offsetof(LockstepCallsite, name) == 0, "place of Callsite.name");
_Static_assert(offsetof(LockstepCallsite, target) == 16, "place of Callsite.target");
_Static_assert(offsetof(LockstepCallsite, file) == 32, "place of Callsite.file");
_Static_assert(offsetof(LockstepCallsite, line) == 48, "place of Callsite.line");
_Static_assert(offsetof(LockstepCallsite, level) == 52, "place of Callsite.level");
_Static_assert(offsetof(LockstepCallsite, span) == 56, "place of Callsite.span");
_Static_assert(offsetof(LockstepCallsite, fields) == 64, "place of Callsite.fields");
_Static_assert(sizeof(LockstepCompanionRecord) == 136, "size of CompanionRecord");
_Static_assert(offsetof(LockstepCompanionRecord, name) == 0, "place of CompanionRecord.name");
_Static_assert(offsetof(LockstepCompanionRecord, argv) == 32, "place of CompanionRecord.argv");
_Static_assert(offsetof(LockstepCompanionRecord, files) == 64, "place of CompanionRecord.files");
_Static_assert(offsetof(LockstepCompanionRecord, ready) == 96, "place of CompanionRecord.ready");
_Static_assert(offsetof(LockstepCompanionRecord, network) == 128, "place of CompanionRecord.network");
_Static_assert(offsetof(LockstepCompanionRecord, restart) == 132, "place of CompanionRecord.restart");
_Static_assert(sizeof(LockstepConsoleRecord) == 72, "size of ConsoleRecord");
_Static_assert(offsetof(LockstepConsoleRecord, alias) == 0, "place of ConsoleRecord.alias");
_Static_assert(offsetof(LockstepConsoleRecord, log) == 32, "place of ConsoleRecord.log");
_Static_assert(offsetof(LockstepConsoleRecord, pty) == 64, "place of ConsoleRecord.pty");
_Static_assert(sizeof(LockstepConsoleRefRecord) == 16, "size of ConsoleRefRecord");
_Static_assert(offsetof(LockstepConsoleRefRecord, guest) == 0, "place of ConsoleRefRecord.guest");
_Static_assert(offsetof(LockstepConsoleRefRecord, index) == 8, "place of ConsoleRefRecord.index");
_Static_assert(sizeof(LockstepConsoleV1) == 8, "size of ConsoleV1");
_Static_assert(offsetof(LockstepConsoleV1, console) == 0, "place of ConsoleV1.console");
_Static_assert(sizeof(LockstepControlRecord) == 16, "size of ControlRecord");
_Static_assert(offsetof(LockstepControlRecord, kind) == 0, "place of ControlRecord.kind");
_Static_assert(offsetof(LockstepControlRecord, since_ms) == 8, "place of ControlRecord.since_ms");
_Static_assert(sizeof(LockstepControlV1) == 48, "size of ControlV1");
_Static_assert(offsetof(LockstepControlV1, control) == 0, "place of ControlV1.control");
_Static_assert(offsetof(LockstepControlV1, reset) == 8, "place of ControlV1.reset");
_Static_assert(offsetof(LockstepControlV1, rename) == 16, "place of ControlV1.rename");
_Static_assert(offsetof(LockstepControlV1, block_peek) == 24, "place of ControlV1.block_peek");
_Static_assert(offsetof(LockstepControlV1, set_autostart_once) == 32, "place of ControlV1.set_autostart_once");
_Static_assert(offsetof(LockstepControlV1, messages) == 40, "place of ControlV1.messages");
_Static_assert(sizeof(LockstepCoreV1) == 32, "size of CoreV1");
_Static_assert(offsetof(LockstepCoreV1, bring_up) == 0, "place of CoreV1.bring_up");
_Static_assert(offsetof(LockstepCoreV1, autostart) == 8, "place of CoreV1.autostart");
_Static_assert(offsetof(LockstepCoreV1, close) == 16, "place of CoreV1.close");
_Static_assert(offsetof(LockstepCoreV1, rebuild_log_filters) == 24, "place of CoreV1.rebuild_log_filters");
_Static_assert(sizeof(LockstepCountersRecord) == 64, "size of CountersRecord");
_Static_assert(offsetof(LockstepCountersRecord, ports) == 0, "place of CountersRecord.ports");
_Static_assert(offsetof(LockstepCountersRecord, rules) == 32, "place of CountersRecord.rules");
_Static_assert(sizeof(LockstepDescriptorsV1) == 8, "size of DescriptorsV1");
_Static_assert(offsetof(LockstepDescriptorsV1, spawn_with) == 0, "place of DescriptorsV1.spawn_with");
_Static_assert(sizeof(LockstepDevicesV1) == 32, "size of DevicesV1");
_Static_assert(offsetof(LockstepDevicesV1, attach_device) == 0, "place of DevicesV1.attach_device");
_Static_assert(offsetof(LockstepDevicesV1, detach_device) == 8, "place of DevicesV1.detach_device");
_Static_assert(offsetof(LockstepDevicesV1, detach_alias) == 16, "place of DevicesV1.detach_alias");
_Static_assert(offsetof(LockstepDevicesV1, update_device) == 24, "place of DevicesV1.update_device");
_Static_assert(sizeof(LockstepDomainRecord) == 120, "size of DomainRecord");
_Static_assert(offsetof(LockstepDomainRecord, uuid) == 0, "place of DomainRecord.uuid");
_Static_assert(offsetof(LockstepDomainRecord, name) == 16, "place of DomainRecord.name");
_Static_assert(offsetof(LockstepDomainRecord, os_type) == 48, "place of DomainRecord.os_type");
_Static_assert(offsetof(LockstepDomainRecord, max_memory_kib) == 80, "place of DomainRecord.max_memory_kib");
_Static_assert(offsetof(LockstepDomainRecord, memory_kib) == 88, "place of DomainRecord.memory_kib");
_Static_assert(offsetof(LockstepDomainRecord, id) == 96, "place of DomainRecord.id");
_Static_assert(offsetof(LockstepDomainRecord, state) == 100, "place of DomainRecord.state");
_Static_assert(offsetof(LockstepDomainRecord, reason) == 104, "place of DomainRecord.reason");
_Static_assert(offsetof(LockstepDomainRecord, vcpus) == 108, "place of DomainRecord.vcpus");
_Static_assert(offsetof(LockstepDomainRecord, flags) == 112, "place of DomainRecord.flags");
_Static_assert(sizeof(LockstepEventRecord) == 64, "size of EventRecord");
_Static_assert(offsetof(LockstepEventRecord, uuid) == 0, "place of EventRecord.uuid");
_Static_assert(offsetof(LockstepEventRecord, name) == 16, "place of EventRecord.name");
_Static_assert(offsetof(LockstepEventRecord, id) == 48, "place of EventRecord.id");
_Static_assert(offsetof(LockstepEventRecord, kind) == 52, "place of EventRecord.kind");
_Static_assert(offsetof(LockstepEventRecord, event) == 56, "place of EventRecord.event");
_Static_assert(offsetof(LockstepEventRecord, detail) == 60, "place of EventRecord.detail");
_Static_assert(sizeof(LockstepEventV1) == 8, "size of EventV1");
_Static_assert(offsetof(LockstepEventV1, emit) == 0, "place of EventV1.emit");
_Static_assert(sizeof(LockstepFault) == 48, "size of Fault");
_Static_assert(offsetof(LockstepFault, code) == 0, "place of Fault.code");
_Static_assert(offsetof(LockstepFault, origin) == 4, "place of Fault.origin");
_Static_assert(offsetof(LockstepFault, flags) == 8, "place of Fault.flags");
_Static_assert(offsetof(LockstepFault, message) == 16, "place of Fault.message");
_Static_assert(sizeof(LockstepField) == 32, "size of Field");
_Static_assert(offsetof(LockstepField, index) == 0, "place of Field.index");
_Static_assert(offsetof(LockstepField, kind) == 4, "place of Field.kind");
_Static_assert(offsetof(LockstepField, bits) == 8, "place of Field.bits");
_Static_assert(offsetof(LockstepField, text) == 16, "place of Field.text");
_Static_assert(sizeof(LockstepFileRecord) == 40, "size of FileRecord");
_Static_assert(offsetof(LockstepFileRecord, path) == 0, "place of FileRecord.path");
_Static_assert(offsetof(LockstepFileRecord, writable) == 32, "place of FileRecord.writable");
_Static_assert(sizeof(LockstepFilterRecord) == 48, "size of FilterRecord");
_Static_assert(offsetof(LockstepFilterRecord, uuid) == 0, "place of FilterRecord.uuid");
_Static_assert(offsetof(LockstepFilterRecord, name) == 16, "place of FilterRecord.name");
_Static_assert(sizeof(LockstepFilterV1) == 32, "size of FilterV1");
_Static_assert(offsetof(LockstepFilterV1, filters) == 0, "place of FilterV1.filters");
_Static_assert(offsetof(LockstepFilterV1, filter_xml) == 8, "place of FilterV1.filter_xml");
_Static_assert(offsetof(LockstepFilterV1, define_filter) == 16, "place of FilterV1.define_filter");
_Static_assert(offsetof(LockstepFilterV1, undefine_filter) == 24, "place of FilterV1.undefine_filter");
_Static_assert(sizeof(LockstepGuestEventRecord) == 80, "size of GuestEventRecord");
_Static_assert(offsetof(LockstepGuestEventRecord, kind) == 0, "place of GuestEventRecord.kind");
_Static_assert(offsetof(LockstepGuestEventRecord, flags) == 4, "place of GuestEventRecord.flags");
_Static_assert(offsetof(LockstepGuestEventRecord, code) == 8, "place of GuestEventRecord.code");
_Static_assert(offsetof(LockstepGuestEventRecord, signal) == 12, "place of GuestEventRecord.signal");
_Static_assert(offsetof(LockstepGuestEventRecord, notifications) == 16, "place of GuestEventRecord.notifications");
_Static_assert(offsetof(LockstepGuestEventRecord, console_tail) == 48, "place of GuestEventRecord.console_tail");
_Static_assert(sizeof(LockstepHeld) == 16, "size of Held");
_Static_assert(offsetof(LockstepHeld, handle) == 0, "place of Held.handle");
_Static_assert(offsetof(LockstepHeld, flags) == 8, "place of Held.flags");
_Static_assert(sizeof(LockstepHostObj) == 8, "size of HostObj");
_Static_assert(sizeof(LockstepHostRef) == 16, "size of HostRef");
_Static_assert(offsetof(LockstepHostRef, obj) == 0, "place of HostRef.obj");
_Static_assert(offsetof(LockstepHostRef, query) == 8, "place of HostRef.query");
_Static_assert(sizeof(LockstepInspectV1) == 64, "size of InspectV1");
_Static_assert(offsetof(LockstepInspectV1, facts) == 0, "place of InspectV1.facts");
_Static_assert(offsetof(LockstepInspectV1, show_port) == 8, "place of InspectV1.show_port");
_Static_assert(offsetof(LockstepInspectV1, counters) == 16, "place of InspectV1.counters");
_Static_assert(offsetof(LockstepInspectV1, test) == 24, "place of InspectV1.test");
_Static_assert(offsetof(LockstepInspectV1, start_trace) == 32, "place of InspectV1.start_trace");
_Static_assert(offsetof(LockstepInspectV1, next_trace) == 40, "place of InspectV1.next_trace");
_Static_assert(offsetof(LockstepInspectV1, stop_trace) == 48, "place of InspectV1.stop_trace");
_Static_assert(offsetof(LockstepInspectV1, reload) == 56, "place of InspectV1.reload");
_Static_assert(sizeof(LockstepInterface) == 16, "size of Interface");
_Static_assert(offsetof(LockstepInterface, layout) == 0, "place of Interface.layout");
_Static_assert(offsetof(LockstepInterface, table) == 8, "place of Interface.table");
_Static_assert(sizeof(LockstepInterfaceAddressesRecord) == 104, "size of InterfaceAddressesRecord");
_Static_assert(offsetof(LockstepInterfaceAddressesRecord, name) == 0, "place of InterfaceAddressesRecord.name");
_Static_assert(offsetof(LockstepInterfaceAddressesRecord, mac) == 32, "place of InterfaceAddressesRecord.mac");
_Static_assert(offsetof(LockstepInterfaceAddressesRecord, addresses) == 72, "place of InterfaceAddressesRecord.addresses");
_Static_assert(sizeof(LockstepLaunchRecord) == 368, "size of LaunchRecord");
_Static_assert(offsetof(LockstepLaunchRecord, spec) == 0, "place of LaunchRecord.spec");
_Static_assert(offsetof(LockstepLaunchRecord, backends) == 216, "place of LaunchRecord.backends");
_Static_assert(offsetof(LockstepLaunchRecord, spare_consoles) == 248, "place of LaunchRecord.spare_consoles");
_Static_assert(offsetof(LockstepLaunchRecord, links) == 256, "place of LaunchRecord.links");
_Static_assert(offsetof(LockstepLaunchRecord, companions) == 288, "place of LaunchRecord.companions");
_Static_assert(offsetof(LockstepLaunchRecord, limits) == 320, "place of LaunchRecord.limits");
_Static_assert(offsetof(LockstepLaunchRecord, user) == 352, "place of LaunchRecord.user");
_Static_assert(sizeof(LockstepLinkRecord) == 104, "size of LinkRecord");
_Static_assert(offsetof(LockstepLinkRecord, kind) == 0, "place of LinkRecord.kind");
_Static_assert(offsetof(LockstepLinkRecord, name) == 8, "place of LinkRecord.name");
_Static_assert(offsetof(LockstepLinkRecord, local) == 40, "place of LinkRecord.local");
_Static_assert(offsetof(LockstepLinkRecord, remote) == 72, "place of LinkRecord.remote");
_Static_assert(sizeof(LockstepLockKey) == 20, "size of LockKey");
_Static_assert(offsetof(LockstepLockKey, rank) == 0, "place of LockKey.rank");
_Static_assert(offsetof(LockstepLockKey, uuid) == 4, "place of LockKey.uuid");
_Static_assert(sizeof(LockstepLockV1) == 112, "size of LockV1");
_Static_assert(offsetof(LockstepLockV1, acquire) == 0, "place of LockV1.acquire");
_Static_assert(offsetof(LockstepLockV1, lookup) == 8, "place of LockV1.lookup");
_Static_assert(offsetof(LockstepLockV1, acquire_domains) == 16, "place of LockV1.acquire_domains");
_Static_assert(offsetof(LockstepLockV1, release) == 24, "place of LockV1.release");
_Static_assert(offsetof(LockstepLockV1, downgrade) == 32, "place of LockV1.downgrade");
_Static_assert(offsetof(LockstepLockV1, lend) == 40, "place of LockV1.lend");
_Static_assert(offsetof(LockstepLockV1, adopt) == 48, "place of LockV1.adopt");
_Static_assert(offsetof(LockstepLockV1, session_open) == 56, "place of LockV1.session_open");
_Static_assert(offsetof(LockstepLockV1, session_close) == 64, "place of LockV1.session_close");
_Static_assert(offsetof(LockstepLockV1, clear_poison) == 72, "place of LockV1.clear_poison");
_Static_assert(offsetof(LockstepLockV1, job_begin) == 80, "place of LockV1.job_begin");
_Static_assert(offsetof(LockstepLockV1, job_cancel) == 88, "place of LockV1.job_cancel");
_Static_assert(offsetof(LockstepLockV1, job_cancelled) == 96, "place of LockV1.job_cancelled");
_Static_assert(offsetof(LockstepLockV1, job_end) == 104, "place of LockV1.job_end");
_Static_assert(sizeof(LockstepLogV1) == 88, "size of LogV1");
_Static_assert(offsetof(LockstepLogV1, register_) == 0, "place of LogV1.register");
_Static_assert(offsetof(LockstepLogV1, enabled) == 8, "place of LogV1.enabled");
_Static_assert(offsetof(LockstepLogV1, new_span) == 16, "place of LogV1.new_span");
_Static_assert(offsetof(LockstepLogV1, record) == 24, "place of LogV1.record");
_Static_assert(offsetof(LockstepLogV1, follows_from) == 32, "place of LogV1.follows_from");
_Static_assert(offsetof(LockstepLogV1, event) == 40, "place of LogV1.event");
_Static_assert(offsetof(LockstepLogV1, enter) == 48, "place of LogV1.enter");
_Static_assert(offsetof(LockstepLogV1, exit) == 56, "place of LogV1.exit");
_Static_assert(offsetof(LockstepLogV1, clone_span) == 64, "place of LogV1.clone_span");
_Static_assert(offsetof(LockstepLogV1, close_span) == 72, "place of LogV1.close_span");
_Static_assert(offsetof(LockstepLogV1, panicked) == 80, "place of LogV1.panicked");
_Static_assert(sizeof(LockstepMetadataRecord) == 80, "size of MetadataRecord");
_Static_assert(offsetof(LockstepMetadataRecord, kind) == 0, "place of MetadataRecord.kind");
_Static_assert(offsetof(LockstepMetadataRecord, value) == 8, "place of MetadataRecord.value");
_Static_assert(offsetof(LockstepMetadataRecord, key) == 32, "place of MetadataRecord.key");
_Static_assert(offsetof(LockstepMetadataRecord, uri) == 56, "place of MetadataRecord.uri");
_Static_assert(sizeof(LockstepMetadataV1) == 8, "size of MetadataV1");
_Static_assert(offsetof(LockstepMetadataV1, set_metadata) == 0, "place of MetadataV1.set_metadata");
_Static_assert(sizeof(LockstepNodeRecord) == 64, "size of NodeRecord");
_Static_assert(offsetof(LockstepNodeRecord, model) == 0, "place of NodeRecord.model");
_Static_assert(offsetof(LockstepNodeRecord, memory_kib) == 32, "place of NodeRecord.memory_kib");
_Static_assert(offsetof(LockstepNodeRecord, cpus) == 40, "place of NodeRecord.cpus");
_Static_assert(offsetof(LockstepNodeRecord, mhz) == 44, "place of NodeRecord.mhz");
_Static_assert(offsetof(LockstepNodeRecord, nodes) == 48, "place of NodeRecord.nodes");
_Static_assert(offsetof(LockstepNodeRecord, sockets) == 52, "place of NodeRecord.sockets");
_Static_assert(offsetof(LockstepNodeRecord, cores) == 56, "place of NodeRecord.cores");
_Static_assert(offsetof(LockstepNodeRecord, threads) == 60, "place of NodeRecord.threads");
_Static_assert(sizeof(LockstepNoticeRecord) == 136, "size of NoticeRecord");
_Static_assert(offsetof(LockstepNoticeRecord, uuid) == 0, "place of NoticeRecord.uuid");
_Static_assert(offsetof(LockstepNoticeRecord, name) == 16, "place of NoticeRecord.name");
_Static_assert(offsetof(LockstepNoticeRecord, id) == 48, "place of NoticeRecord.id");
_Static_assert(offsetof(LockstepNoticeRecord, kind) == 52, "place of NoticeRecord.kind");
_Static_assert(offsetof(LockstepNoticeRecord, text) == 56, "place of NoticeRecord.text");
_Static_assert(offsetof(LockstepNoticeRecord, number) == 88, "place of NoticeRecord.number");
_Static_assert(offsetof(LockstepNoticeRecord, detail) == 96, "place of NoticeRecord.detail");
_Static_assert(offsetof(LockstepNoticeRecord, params) == 104, "place of NoticeRecord.params");
_Static_assert(sizeof(LockstepNoticeV1) == 8, "size of NoticeV1");
_Static_assert(offsetof(LockstepNoticeV1, notify) == 0, "place of NoticeV1.notify");
_Static_assert(sizeof(LockstepObj) == 8, "size of Obj");
_Static_assert(sizeof(LockstepOutcomeRecord) == 272, "size of OutcomeRecord");
_Static_assert(offsetof(LockstepOutcomeRecord, frame) == 0, "place of OutcomeRecord.frame");
_Static_assert(offsetof(LockstepOutcomeRecord, way) == 32, "place of OutcomeRecord.way");
_Static_assert(offsetof(LockstepOutcomeRecord, fate) == 36, "place of OutcomeRecord.fate");
_Static_assert(offsetof(LockstepOutcomeRecord, decided) == 40, "place of OutcomeRecord.decided");
_Static_assert(offsetof(LockstepOutcomeRecord, path) == 208, "place of OutcomeRecord.path");
_Static_assert(offsetof(LockstepOutcomeRecord, notes) == 240, "place of OutcomeRecord.notes");
_Static_assert(sizeof(LockstepPair) == 64, "size of Pair");
_Static_assert(offsetof(LockstepPair, name) == 0, "place of Pair.name");
_Static_assert(offsetof(LockstepPair, value) == 32, "place of Pair.value");
_Static_assert(sizeof(LockstepParamRecord) == 80, "size of ParamRecord");
_Static_assert(offsetof(LockstepParamRecord, name) == 0, "place of ParamRecord.name");
_Static_assert(offsetof(LockstepParamRecord, kind) == 32, "place of ParamRecord.kind");
_Static_assert(offsetof(LockstepParamRecord, bits) == 40, "place of ParamRecord.bits");
_Static_assert(offsetof(LockstepParamRecord, text) == 48, "place of ParamRecord.text");
_Static_assert(sizeof(LockstepParent) == 16, "size of Parent");
_Static_assert(offsetof(LockstepParent, kind) == 0, "place of Parent.kind");
_Static_assert(offsetof(LockstepParent, span) == 8, "place of Parent.span");
_Static_assert(sizeof(LockstepPlaceRecord) == 88, "size of PlaceRecord");
_Static_assert(offsetof(LockstepPlaceRecord, filter) == 0, "place of PlaceRecord.filter");
_Static_assert(offsetof(LockstepPlaceRecord, uuid) == 32, "place of PlaceRecord.uuid");
_Static_assert(offsetof(LockstepPlaceRecord, entry) == 48, "place of PlaceRecord.entry");
_Static_assert(offsetof(LockstepPlaceRecord, line) == 52, "place of PlaceRecord.line");
_Static_assert(offsetof(LockstepPlaceRecord, text) == 56, "place of PlaceRecord.text");
_Static_assert(sizeof(LockstepPlainInterface) == 16, "size of PlainInterface");
_Static_assert(offsetof(LockstepPlainInterface, stamp) == 0, "place of PlainInterface.stamp");
_Static_assert(offsetof(LockstepPlainInterface, table) == 8, "place of PlainInterface.table");
_Static_assert(sizeof(LockstepPlainRoot) == 16, "size of PlainRoot");
_Static_assert(offsetof(LockstepPlainRoot, query) == 0, "place of PlainRoot.query");
_Static_assert(offsetof(LockstepPlainRoot, create) == 8, "place of PlainRoot.create");
_Static_assert(sizeof(LockstepPlugRecord) == 472, "size of PlugRecord");
_Static_assert(offsetof(LockstepPlugRecord, file) == 0, "place of PlugRecord.file");
_Static_assert(offsetof(LockstepPlugRecord, console) == 48, "place of PlugRecord.console");
_Static_assert(offsetof(LockstepPlugRecord, backend) == 128, "place of PlugRecord.backend");
_Static_assert(offsetof(LockstepPlugRecord, link) == 216, "place of PlugRecord.link");
_Static_assert(offsetof(LockstepPlugRecord, companion) == 328, "place of PlugRecord.companion");
_Static_assert(sizeof(LockstepPluggedRecord) == 40, "size of PluggedRecord");
_Static_assert(offsetof(LockstepPluggedRecord, index) == 0, "place of PluggedRecord.index");
_Static_assert(offsetof(LockstepPluggedRecord, descriptor) == 4, "place of PluggedRecord.descriptor");
_Static_assert(offsetof(LockstepPluggedRecord, pty) == 8, "place of PluggedRecord.pty");
_Static_assert(sizeof(LockstepPortRecord) == 176, "size of PortRecord");
_Static_assert(offsetof(LockstepPortRecord, owner) == 0, "place of PortRecord.owner");
_Static_assert(offsetof(LockstepPortRecord, owner_name) == 16, "place of PortRecord.owner_name");
_Static_assert(offsetof(LockstepPortRecord, port) == 48, "place of PortRecord.port");
_Static_assert(offsetof(LockstepPortRecord, mac) == 80, "place of PortRecord.mac");
_Static_assert(offsetof(LockstepPortRecord, filter) == 112, "place of PortRecord.filter");
_Static_assert(offsetof(LockstepPortRecord, parameters) == 144, "place of PortRecord.parameters");
_Static_assert(sizeof(LockstepPortsV1) == 24, "size of PortsV1");
_Static_assert(offsetof(LockstepPortsV1, attach) == 0, "place of PortsV1.attach");
_Static_assert(offsetof(LockstepPortsV1, detach) == 8, "place of PortsV1.detach");
_Static_assert(offsetof(LockstepPortsV1, filtered) == 16, "place of PortsV1.filtered");
_Static_assert(sizeof(LockstepResourcesV1) == 40, "size of ResourcesV1");
_Static_assert(offsetof(LockstepResourcesV1, set_memory) == 0, "place of ResourcesV1.set_memory");
_Static_assert(offsetof(LockstepResourcesV1, set_vcpus) == 8, "place of ResourcesV1.set_vcpus");
_Static_assert(offsetof(LockstepResourcesV1, vcpus) == 16, "place of ResourcesV1.vcpus");
_Static_assert(offsetof(LockstepResourcesV1, parameters) == 24, "place of ResourcesV1.parameters");
_Static_assert(offsetof(LockstepResourcesV1, set_parameters) == 32, "place of ResourcesV1.set_parameters");
_Static_assert(sizeof(LockstepSpawnV1) == 56, "size of SpawnV1");
_Static_assert(offsetof(LockstepSpawnV1, spawn) == 0, "place of SpawnV1.spawn");
_Static_assert(offsetof(LockstepSpawnV1, survivors) == 8, "place of SpawnV1.survivors");
_Static_assert(offsetof(LockstepSpawnV1, watch) == 16, "place of SpawnV1.watch");
_Static_assert(offsetof(LockstepSpawnV1, kill) == 24, "place of SpawnV1.kill");
_Static_assert(offsetof(LockstepSpawnV1, forget) == 32, "place of SpawnV1.forget");
_Static_assert(offsetof(LockstepSpawnV1, console_tail) == 40, "place of SpawnV1.console_tail");
_Static_assert(offsetof(LockstepSpawnV1, cpu_time) == 48, "place of SpawnV1.cpu_time");
_Static_assert(sizeof(LockstepSpawnV2) == 48, "size of SpawnV2");
_Static_assert(offsetof(LockstepSpawnV2, launch) == 0, "place of SpawnV2.launch");
_Static_assert(offsetof(LockstepSpawnV2, plug) == 8, "place of SpawnV2.plug");
_Static_assert(offsetof(LockstepSpawnV2, unplug) == 16, "place of SpawnV2.unplug");
_Static_assert(offsetof(LockstepSpawnV2, limit) == 24, "place of SpawnV2.limit");
_Static_assert(offsetof(LockstepSpawnV2, limits) == 32, "place of SpawnV2.limits");
_Static_assert(offsetof(LockstepSpawnV2, usage) == 40, "place of SpawnV2.usage");
_Static_assert(sizeof(LockstepSpecRecord) == 216, "size of SpecRecord");
_Static_assert(offsetof(LockstepSpecRecord, domain) == 0, "place of SpecRecord.domain");
_Static_assert(offsetof(LockstepSpecRecord, name) == 16, "place of SpecRecord.name");
_Static_assert(offsetof(LockstepSpecRecord, argv) == 48, "place of SpecRecord.argv");
_Static_assert(offsetof(LockstepSpecRecord, env) == 80, "place of SpecRecord.env");
_Static_assert(offsetof(LockstepSpecRecord, consoles) == 112, "place of SpecRecord.consoles");
_Static_assert(offsetof(LockstepSpecRecord, files) == 144, "place of SpecRecord.files");
_Static_assert(offsetof(LockstepSpecRecord, memory_bytes) == 176, "place of SpecRecord.memory_bytes");
_Static_assert(offsetof(LockstepSpecRecord, log) == 184, "place of SpecRecord.log");
_Static_assert(sizeof(LockstepStartedRecord) == 128, "size of StartedRecord");
_Static_assert(offsetof(LockstepStartedRecord, guest) == 0, "place of StartedRecord.guest");
_Static_assert(offsetof(LockstepStartedRecord, domain) == 8, "place of StartedRecord.domain");
_Static_assert(offsetof(LockstepStartedRecord, run_dir) == 24, "place of StartedRecord.run_dir");
_Static_assert(offsetof(LockstepStartedRecord, ptys) == 56, "place of StartedRecord.ptys");
_Static_assert(offsetof(LockstepStartedRecord, not_isolated) == 88, "place of StartedRecord.not_isolated");
_Static_assert(offsetof(LockstepStartedRecord, pid) == 120, "place of StartedRecord.pid");
_Static_assert(sizeof(LockstepStatsV1) == 16, "size of StatsV1");
_Static_assert(offsetof(LockstepStatsV1, stats) == 0, "place of StatsV1.stats");
_Static_assert(offsetof(LockstepStatsV1, addresses) == 8, "place of StatsV1.addresses");
_Static_assert(sizeof(LockstepTablePtr) == 8, "size of TablePtr");
_Static_assert(sizeof(LockstepTestRecord) == 104, "size of TestRecord");
_Static_assert(offsetof(LockstepTestRecord, filter) == 0, "place of TestRecord.filter");
_Static_assert(offsetof(LockstepTestRecord, parameters) == 32, "place of TestRecord.parameters");
_Static_assert(offsetof(LockstepTestRecord, way) == 64, "place of TestRecord.way");
_Static_assert(offsetof(LockstepTestRecord, packets) == 72, "place of TestRecord.packets");
_Static_assert(sizeof(LockstepTestStepRecord) == 160, "size of TestStepRecord");
_Static_assert(offsetof(LockstepTestStepRecord, chain) == 0, "place of TestStepRecord.chain");
_Static_assert(offsetof(LockstepTestStepRecord, verdict) == 32, "place of TestStepRecord.verdict");
_Static_assert(offsetof(LockstepTestStepRecord, place) == 64, "place of TestStepRecord.place");
_Static_assert(sizeof(LockstepUnplugRecord) == 40, "size of UnplugRecord");
_Static_assert(offsetof(LockstepUnplugRecord, kind) == 0, "place of UnplugRecord.kind");
_Static_assert(offsetof(LockstepUnplugRecord, name) == 8, "place of UnplugRecord.name");
_Static_assert(sizeof(LockstepUserRecord) == 8, "size of UserRecord");
_Static_assert(offsetof(LockstepUserRecord, uid) == 0, "place of UserRecord.uid");
_Static_assert(offsetof(LockstepUserRecord, gid) == 4, "place of UserRecord.gid");
_Static_assert(sizeof(LockstepUuid) == 16, "size of Uuid");
_Static_assert(offsetof(LockstepUuid, bytes) == 0, "place of Uuid.field_0");
_Static_assert(sizeof(LockstepViewRecord) == 320, "size of ViewRecord");
_Static_assert(offsetof(LockstepViewRecord, port) == 0, "place of ViewRecord.port");
_Static_assert(offsetof(LockstepViewRecord, filter) == 32, "place of ViewRecord.filter");
_Static_assert(offsetof(LockstepViewRecord, mac) == 64, "place of ViewRecord.mac");
_Static_assert(offsetof(LockstepViewRecord, owner) == 96, "place of ViewRecord.owner");
_Static_assert(offsetof(LockstepViewRecord, state) == 128, "place of ViewRecord.state");
_Static_assert(offsetof(LockstepViewRecord, program) == 160, "place of ViewRecord.program");
_Static_assert(offsetof(LockstepViewRecord, parameters) == 192, "place of ViewRecord.parameters");
_Static_assert(offsetof(LockstepViewRecord, learned) == 224, "place of ViewRecord.learned");
_Static_assert(offsetof(LockstepViewRecord, tree) == 256, "place of ViewRecord.tree");
_Static_assert(offsetof(LockstepViewRecord, rules) == 288, "place of ViewRecord.rules");
_Static_assert(sizeof(LockstepVirtV1) == 168, "size of VirtV1");
_Static_assert(offsetof(LockstepVirtV1, capabilities) == 0, "place of VirtV1.capabilities");
_Static_assert(offsetof(LockstepVirtV1, version) == 8, "place of VirtV1.version");
_Static_assert(offsetof(LockstepVirtV1, node_info) == 16, "place of VirtV1.node_info");
_Static_assert(offsetof(LockstepVirtV1, list) == 24, "place of VirtV1.list");
_Static_assert(offsetof(LockstepVirtV1, by_uuid) == 32, "place of VirtV1.by_uuid");
_Static_assert(offsetof(LockstepVirtV1, by_name) == 40, "place of VirtV1.by_name");
_Static_assert(offsetof(LockstepVirtV1, by_id) == 48, "place of VirtV1.by_id");
_Static_assert(offsetof(LockstepVirtV1, cpu_time) == 56, "place of VirtV1.cpu_time");
_Static_assert(offsetof(LockstepVirtV1, dump_xml) == 64, "place of VirtV1.dump_xml");
_Static_assert(offsetof(LockstepVirtV1, define) == 72, "place of VirtV1.define");
_Static_assert(offsetof(LockstepVirtV1, create) == 80, "place of VirtV1.create");
_Static_assert(offsetof(LockstepVirtV1, undefine) == 88, "place of VirtV1.undefine");
_Static_assert(offsetof(LockstepVirtV1, start) == 96, "place of VirtV1.start");
_Static_assert(offsetof(LockstepVirtV1, shutdown) == 104, "place of VirtV1.shutdown");
_Static_assert(offsetof(LockstepVirtV1, reboot) == 112, "place of VirtV1.reboot");
_Static_assert(offsetof(LockstepVirtV1, destroy) == 120, "place of VirtV1.destroy");
_Static_assert(offsetof(LockstepVirtV1, suspend) == 128, "place of VirtV1.suspend");
_Static_assert(offsetof(LockstepVirtV1, resume) == 136, "place of VirtV1.resume");
_Static_assert(offsetof(LockstepVirtV1, set_autostart) == 144, "place of VirtV1.set_autostart");
_Static_assert(offsetof(LockstepVirtV1, guest_event) == 152, "place of VirtV1.guest_event");
_Static_assert(offsetof(LockstepVirtV1, filtered_ports) == 160, "place of VirtV1.filtered_ports");
_Static_assert(sizeof(LockstepManifest) == 136, "size of Manifest");
_Static_assert(offsetof(LockstepManifest, magic) == 0, "place of Manifest.magic");
_Static_assert(offsetof(LockstepManifest, size) == 8, "place of Manifest.size");
_Static_assert(offsetof(LockstepManifest, api_major) == 12, "place of Manifest.api_major");
_Static_assert(offsetof(LockstepManifest, api_minor) == 14, "place of Manifest.api_minor");
_Static_assert(offsetof(LockstepManifest, abi_stable) == 16, "place of Manifest.abi_stable");
_Static_assert(offsetof(LockstepManifest, reserved) == 22, "place of Manifest.reserved");
_Static_assert(offsetof(LockstepManifest, kind) == 24, "place of Manifest.kind");
_Static_assert(offsetof(LockstepManifest, panic) == 28, "place of Manifest.panic");
_Static_assert(offsetof(LockstepManifest, name) == 32, "place of Manifest.name");
_Static_assert(offsetof(LockstepManifest, title) == 48, "place of Manifest.title");
_Static_assert(offsetof(LockstepManifest, version) == 64, "place of Manifest.version");
_Static_assert(offsetof(LockstepManifest, rustc) == 80, "place of Manifest.rustc");
_Static_assert(offsetof(LockstepManifest, licence) == 96, "place of Manifest.licence");
_Static_assert(offsetof(LockstepManifest, needs) == 112, "place of Manifest.needs");
_Static_assert(offsetof(LockstepManifest, needs_len) == 120, "place of Manifest.needs_len");
_Static_assert(offsetof(LockstepManifest, root) == 128, "place of Manifest.root");
_Static_assert(sizeof(LockstepRStr) == 16, "size of RStr");
_Static_assert(sizeof(LockstepRString) == 32, "size of RString");
_Static_assert(sizeof(LockstepRVecU8) == 32, "size of RVecU8");
_Static_assert(sizeof(LockstepRVecDomainRecord) == 32, "size of RVecDomainRecord");
_Static_assert(sizeof(LockstepROptionRStr) == 24, "size of ROptionRStr");
_Static_assert(sizeof(LockstepROptionDomainRecord) == 128, "size of ROptionDomainRecord");
_Static_assert(sizeof(LockstepROptionInterface) == 24, "size of ROptionInterface");
_Static_assert(sizeof(LockstepROptionPlainInterface) == 24, "size of ROptionPlainInterface");
_Static_assert(sizeof(LockstepDone) == 56, "size of Done");
_Static_assert(sizeof(LockstepRResultObjFault) == 56, "size of RResultObjFault");
_Static_assert(sizeof(LockstepRResultU64Fault) == 56, "size of RResultU64Fault");
_Static_assert(sizeof(LockstepRResultRStringFault) == 56, "size of RResultRStringFault");
_Static_assert(sizeof(LockstepRResultNodeRecordFault) == 72, "size of RResultNodeRecordFault");
_Static_assert(sizeof(LockstepRResultDomainRecordFault) == 128, "size of RResultDomainRecordFault");
_Static_assert(sizeof(LockstepRResultRVecDomainRecordFault) == 56, "size of RResultRVecDomainRecordFault");
_Static_assert(sizeof(LockstepRResultROptionDomainRecordFault) == 136, "size of RResultROptionDomainRecordFault");
_Static_assert(sizeof(LockstepRResultRVecPortRecordFault) == 56, "size of RResultRVecPortRecordFault");
_Static_assert(sizeof(LockstepRResultHeldFault) == 56, "size of RResultHeldFault");
_Static_assert(sizeof(LockstepRResultCallFault) == 56, "size of RResultCallFault");
_Static_assert(sizeof(LockstepRResultAdoptedFault) == 56, "size of RResultAdoptedFault");
_Static_assert(sizeof(LockstepRResultStartedRecordFault) == 136, "size of RResultStartedRecordFault");
_Static_assert(sizeof(LockstepRResultConsoleRefRecordFault) == 56, "size of RResultConsoleRefRecordFault");
_Static_assert(sizeof(LockstepROptionU32) == 8, "size of ROptionU32");
_Static_assert(sizeof(LockstepROptionI32) == 8, "size of ROptionI32");
_Static_assert(sizeof(LockstepROptionRString) == 40, "size of ROptionRString");
_Static_assert(sizeof(LockstepROptionPlaceRecord) == 96, "size of ROptionPlaceRecord");
_Static_assert(sizeof(LockstepROptionUserRecord) == 12, "size of ROptionUserRecord");
_Static_assert(sizeof(LockstepRResultU32Fault) == 56, "size of RResultU32Fault");
_Static_assert(sizeof(LockstepRResultRVecU8Fault) == 56, "size of RResultRVecU8Fault");
_Static_assert(sizeof(LockstepRResultRVecRStringFault) == 56, "size of RResultRVecRStringFault");
_Static_assert(sizeof(LockstepRResultRVecPairFault) == 56, "size of RResultRVecPairFault");
_Static_assert(sizeof(LockstepRResultRVecParamRecordFault) == 56, "size of RResultRVecParamRecordFault");
_Static_assert(sizeof(LockstepRResultRVecInterfaceAddressesRecordFault) == 56, "size of RResultRVecInterfaceAddressesRecordFault");
_Static_assert(sizeof(LockstepRResultControlRecordFault) == 56, "size of RResultControlRecordFault");
_Static_assert(sizeof(LockstepRResultFilterRecordFault) == 56, "size of RResultFilterRecordFault");
_Static_assert(sizeof(LockstepRResultRVecFilterRecordFault) == 56, "size of RResultRVecFilterRecordFault");
_Static_assert(sizeof(LockstepRResultBindingRecordFault) == 72, "size of RResultBindingRecordFault");
_Static_assert(sizeof(LockstepRResultRVecBindingRecordFault) == 56, "size of RResultRVecBindingRecordFault");
_Static_assert(sizeof(LockstepRResultViewRecordFault) == 328, "size of RResultViewRecordFault");
_Static_assert(sizeof(LockstepRResultCountersRecordFault) == 72, "size of RResultCountersRecordFault");
_Static_assert(sizeof(LockstepRResultRVecOutcomeRecordFault) == 56, "size of RResultRVecOutcomeRecordFault");
_Static_assert(sizeof(LockstepRResultBatchRecordFault) == 56, "size of RResultBatchRecordFault");
_Static_assert(sizeof(LockstepRResultPluggedRecordFault) == 56, "size of RResultPluggedRecordFault");

/* What a driver shows with each table that it offers: the table's size as its compiler reckons it, and the layout
   that this header was made from. */
#define LOCKSTEP_CORE_V1_ID "driver.core/1"
#define LOCKSTEP_CORE_V1_STAMP {sizeof(LockstepCoreV1), UINT64_C(0x41b93d018d52e21d)}
#define LOCKSTEP_VIRT_V1_ID "virt.lifecycle/1"
#define LOCKSTEP_VIRT_V1_STAMP {sizeof(LockstepVirtV1), UINT64_C(0x23a2fb29a17a1e77)}
#define LOCKSTEP_CONSOLE_V1_ID "virt.console/1"
#define LOCKSTEP_CONSOLE_V1_STAMP {sizeof(LockstepConsoleV1), UINT64_C(0xd99b8accc1dfb59c)}
#define LOCKSTEP_METADATA_V1_ID "virt.metadata/1"
#define LOCKSTEP_METADATA_V1_STAMP {sizeof(LockstepMetadataV1), UINT64_C(0x09af4e4f3acad6ac)}
#define LOCKSTEP_DEVICES_V1_ID "virt.devices/1"
#define LOCKSTEP_DEVICES_V1_STAMP {sizeof(LockstepDevicesV1), UINT64_C(0xa0ba09555d13e0b5)}
#define LOCKSTEP_RESOURCES_V1_ID "virt.resources/1"
#define LOCKSTEP_RESOURCES_V1_STAMP {sizeof(LockstepResourcesV1), UINT64_C(0xc3621f739dc45244)}
#define LOCKSTEP_STATS_V1_ID "virt.stats/1"
#define LOCKSTEP_STATS_V1_STAMP {sizeof(LockstepStatsV1), UINT64_C(0x533aba99427be796)}
#define LOCKSTEP_CONTROL_V1_ID "virt.control/1"
#define LOCKSTEP_CONTROL_V1_STAMP {sizeof(LockstepControlV1), UINT64_C(0xf38efebcec896ea1)}
#define LOCKSTEP_FILTER_V1_ID "nwfilter.define/1"
#define LOCKSTEP_FILTER_V1_STAMP {sizeof(LockstepFilterV1), UINT64_C(0x04af6d0926cca787)}
#define LOCKSTEP_BINDING_V1_ID "nwfilter.binding/1"
#define LOCKSTEP_BINDING_V1_STAMP {sizeof(LockstepBindingV1), UINT64_C(0x5340a4da83b266be)}
#define LOCKSTEP_INSPECT_V1_ID "nwfilter.inspect/1"
#define LOCKSTEP_INSPECT_V1_STAMP {sizeof(LockstepInspectV1), UINT64_C(0x06f36dc9f014cde1)}

/* The services of the host that this header knows. */
#define LOCKSTEP_LOCK_V1_ID "lock/1"
#define LOCKSTEP_LOG_V1_ID "log/1"
#define LOCKSTEP_EVENT_V1_ID "event/1"
#define LOCKSTEP_SPAWN_V1_ID "spawn/1"
#define LOCKSTEP_PORTS_V1_ID "ports/1"
#define LOCKSTEP_NOTICE_V1_ID "notice/1"
#define LOCKSTEP_DESCRIPTORS_V1_ID "descriptors/1"
#define LOCKSTEP_SPAWN_V2_ID "spawn/2"

#endif /* LOCKSTEP_DRIVER_H */
