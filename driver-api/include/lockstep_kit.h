/* What a driver in C needs beside the tables: texts and vectors that cross the boundary, faults, and answers.

   Ownership is simple: an RStr or RSlice belongs to the caller and lives as long as the call; an RString or RVec belongs
   to whoever got it, and goes back through its own vtable, whichever library made it. Those that this file makes are
   malloc(3)'s. Where malloc fails they are empty. Licence: MIT OR Apache-2.0. */

#ifndef LOCKSTEP_KIT_H
#define LOCKSTEP_KIT_H

#include "lockstep_driver.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Its address is this library's name. An empty vector's buffer leads here, since it may not be null. */
static max_align_t lockstep_mine;

static LockstepUTypeId lockstep_type_id(void)
{
    LockstepUTypeId id = {.executable_identity = &lockstep_mine, .type_id_array = {0}};
    return id;
}

/* All vectors are laid out alike. */
static void lockstep_resize(void *raw, size_t to, size_t element)
{
    LockstepRVecU8 *vec = raw;
    if (to <= vec->capacity)
        return;
    void *buffer = realloc(vec->capacity ? vec->buffer : NULL, to * element);
    if (!buffer)
        abort(); /* whoever asks will write there */
    vec->buffer = buffer;
    vec->capacity = to;
}

static void lockstep_keep(void *raw)
{
    (void)raw;
}

/* Defines `NAME_new(capacity)` for vectors of type VEC, whose elements of type ELEMENT are freed by DROP(element *). */
#define LOCKSTEP_VECTOR(NAME, VEC, ELEMENT, DROP)                                                                      \
    static void NAME##_destroy(void *raw)                                                                              \
    {                                                                                                                  \
        VEC *vec = raw;                                                                                                \
        for (size_t i = 0; i < vec->length; i++)                                                                       \
            DROP(&vec->buffer[i]);                                                                                     \
        if (vec->capacity)                                                                                             \
            free(vec->buffer);                                                                                         \
    }                                                                                                                  \
    static void NAME##_grow(void *raw, size_t to, uint32_t exactness)                                                  \
    {                                                                                                                  \
        (void)exactness;                                                                                               \
        lockstep_resize(raw, to, sizeof(ELEMENT));                                                                     \
    }                                                                                                                  \
    static const LockstepVecVTable NAME##_vtable = {15, NULL, lockstep_type_id, NAME##_destroy, NAME##_grow,           \
                                                    lockstep_keep};                                                    \
    static inline VEC NAME##_new(size_t capacity)                                                                      \
    {                                                                                                                  \
        ELEMENT *buffer = capacity ? calloc(capacity, sizeof(ELEMENT)) : NULL;                                         \
        VEC vec = {buffer ? buffer : (void *)&lockstep_mine, 0, buffer ? capacity : 0, &NAME##_vtable};                \
        return vec;                                                                                                    \
    }

static inline void lockstep_drop_byte(uint8_t *byte)
{
    (void)byte;
}

LOCKSTEP_VECTOR(lockstep_bytes, LockstepRVecU8, uint8_t, lockstep_drop_byte)

/* A text to give away, and to be freed by whoever gets it. */
static inline LockstepRString lockstep_string_of(LockstepRStr text)
{
    LockstepRString string = {lockstep_bytes_new(text.length)};
    if (string.inner.capacity) {
        memcpy(string.inner.buffer, text.data, text.length);
        string.inner.length = text.length;
    }
    return string;
}

static inline LockstepRString lockstep_string(const char *text)
{
    LockstepRStr str = {(const uint8_t *)text, strlen(text)};
    return lockstep_string_of(str);
}

/* Frees a text, whoever made it. */
static inline void lockstep_drop_string(LockstepRString *string)
{
    string->inner.vtable->destructor(&string->inner);
}

/* A text to lend for the length of a call. */
static inline LockstepRStr lockstep_lend(const char *text)
{
    LockstepRStr str = {(const uint8_t *)text, strlen(text)};
    return str;
}

static inline bool lockstep_is(LockstepRStr str, const char *text)
{
    return str.length == strlen(text) && memcmp(str.data, text, str.length) == 0;
}

/* A copy that ends in a zero, to be freed; NULL without memory. */
static inline char *lockstep_copy(LockstepRStr str)
{
    char *copy = malloc(str.length + 1);
    if (copy) {
        memcpy(copy, str.data, str.length);
        copy[str.length] = '\0';
    }
    return copy;
}

/* A fault in words: name the object, quote the value, say what helps. */
__attribute__((format(printf, 3, 4)))
static inline LockstepFault lockstep_fault(uint32_t code, uint32_t origin, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    LockstepFault fault = {.code = code, .origin = origin, .flags = 0, .message = lockstep_string(text)};
    return fault;
}

/* What `tag` says of an RResult or ROption. */
enum { LOCKSTEP_IS_OK = 0, LOCKSTEP_IS_ERR = 1, LOCKSTEP_IS_SOME = 0, LOCKSTEP_IS_NONE = 1 };

/* The answer VALUE of an RResult or ROption of type TYPE; the fault FAULT instead. */
#define LOCKSTEP_OK(TYPE, VALUE) ((TYPE){.ok_tag = LOCKSTEP_IS_OK, .ok = (VALUE)})
#define LOCKSTEP_ERR(TYPE, FAULT) ((TYPE){.err_tag = LOCKSTEP_IS_ERR, .err = (FAULT)})
#define LOCKSTEP_SOME(TYPE, VALUE) ((TYPE){.some_tag = LOCKSTEP_IS_SOME, .some = (VALUE)})
#define LOCKSTEP_NONE(TYPE) ((TYPE){.tag = LOCKSTEP_IS_NONE})

/* A text of the manifest. */
#define LOCKSTEP_TEXT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

/* An answer to `query`: the table TABLE, whose stamp is LOCKSTEP_<STAMP>_STAMP, if ID asks for it. */
#define LOCKSTEP_OFFER(ID, STAMP, TABLE)                                                                               \
    do {                                                                                                               \
        static const LockstepStamp lockstep_stamp = LOCKSTEP_##STAMP##_STAMP;                                          \
        if (lockstep_is(ID, LOCKSTEP_##STAMP##_ID))                                                                    \
            return LOCKSTEP_SOME(LockstepROptionPlainInterface,                                                        \
                                 ((LockstepPlainInterface){&lockstep_stamp, &(TABLE)}));                               \
    } while (0)

/* What the host reads first: the library's only exported symbol. KIND is VIRT or NWFILTER, NEEDS an array of LockstepText,
   QUERY and CREATE the functions of LockstepPlainRoot. */
#define LOCKSTEP_EXPORT(KIND, NAME, TITLE, VERSION, LICENCE, NEEDS, QUERY, CREATE)                                      \
    static const LockstepPlainRoot lockstep_root = {QUERY, CREATE};                                                    \
    const LockstepManifest LOCKSTEP_DRIVER = {                                                                         \
        .magic = {'L', 'K', 'S', 'T', 'P', 'D', 'R', 'V'}, .size = sizeof(LockstepManifest),                           \
        .api_major = LOCKSTEP_API_MAJOR, .api_minor = LOCKSTEP_API_MINOR, .abi_stable = {0, 0, 0},                     \
        .kind = LOCKSTEP_KIND_##KIND, .panic = LOCKSTEP_PANIC_NONE, .name = LOCKSTEP_TEXT(NAME),                       \
        .title = LOCKSTEP_TEXT(TITLE), .version = LOCKSTEP_TEXT(VERSION), .rustc = LOCKSTEP_TEXT("gcc " __VERSION__),  \
        .licence = LOCKSTEP_TEXT(LICENCE), .needs = NEEDS, .needs_len = sizeof(NEEDS) / sizeof *(NEEDS),               \
        .root = &lockstep_root,                                                                                        \
    }

#endif /* LOCKSTEP_KIT_H */
