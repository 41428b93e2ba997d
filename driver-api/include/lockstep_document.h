/* The little that a small driver in C reads of a document without a parser: texts of elements, sizes, UUIDs. It looks for what it
   knows and leaves the rest alone; a driver that takes documents apart wants a parser. Wants _GNU_SOURCE.
   Licence: MIT OR Apache-2.0. */

#ifndef LOCKSTEP_DOCUMENT_H
#define LOCKSTEP_DOCUMENT_H

#include "lockstep_kit.h"
#include <sys/random.h>

/* Whether it is UTF-8 without a zero: the functions below would not see what is behind one, and a text that is anything else
   may not cross to the host. Asked before a document is copied. */
static inline bool lockstep_is_text(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (size_t more; length; at += 1 + more, length -= 1 + more) {
        more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        if (*at == 0 || (*at >= 0x80 && *at < 0xc2) || *at > 0xf4 || more >= length)
            return false;
        for (size_t i = 1; i <= more; i++)
            if ((at[i] & 0xc0) != 0x80)
                return false;
        if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] >= 0xa0) || /* too long; halves of UTF-16 */
            (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] >= 0x90))   /* too long; behind the last character */
            return false;
    }
    return true;
}

/* The text of <NAME>, to be freed; NULL when there is none. */
static inline char *lockstep_element(const char *xml, const char *name)
{
    char open[32], close[32];
    snprintf(open, sizeof open, "<%s", name);
    snprintf(close, sizeof close, "</%s>", name);
    const char *from = xml;
    do
        from = *from ? strstr(from + 1, open) : NULL;
    while (from && !strchr("> \t\n", from[strlen(open)]));
    from = from ? strchr(from, '>') : NULL;
    const char *to = from ? strstr(from, close) : NULL;
    return to ? lockstep_copy((LockstepRStr){(const uint8_t *)from + 1, (size_t)(to - from - 1)}) : NULL;
}

/* Whether it is one <ROOT> and nothing else. */
static inline bool lockstep_is_one(const char *xml, const char *root)
{
    char open[32], close[32];
    snprintf(open, sizeof open, "<%s", root);
    snprintf(close, sizeof close, "</%s>", root);
    const char *end = strstr(xml, close), *begin = strstr(xml, open);
    return begin && end && end[strlen(close) + strspn(end + strlen(close), " \t\r\n")] == '\0' &&
           strspn(xml, " \t\r\n") == (size_t)(begin - xml);
}

/* `<memory unit='MiB'>64</memory>` in KiB; 0 for none that can be read. */
static inline uint64_t lockstep_memory(const char *xml)
{
    const char *at = strstr(xml, "<memory"), *text = at ? strchr(at, '>') : NULL, *given = at ? strstr(at, "unit=") : NULL;
    char unit[4] = "KiB";
    if (!text || (given && given < text && sscanf(given, "unit=%*['\"]%3[A-Za-z]", unit) != 1))
        return 0;
    unsigned long long value = strtoull(text + 1, NULL, 10);
    int shift = !strcmp(unit, "KiB") ? 0 : !strcmp(unit, "MiB") ? 10 : !strcmp(unit, "GiB") ? 20 : 64;
    return shift < 64 && value < UINT64_C(1) << 40 ? (uint64_t)value << shift : 0;
}

/* `<vcpu>2</vcpu>`; 1 without, 0 for none that can be. */
static inline uint32_t lockstep_vcpus(const char *xml)
{
    const char *at = strstr(xml, "<vcpu"), *text = at ? strchr(at, '>') : NULL;
    char *end = NULL;
    long value = text ? strtol(text + 1, &end, 10) : 1;
    return (text && *end != '<') || value < 1 || value > 1024 ? 0 : (uint32_t)value;
}

/* Whether a name is one that people and file systems can live with: not blank, no '/', no markup, no control characters. */
static inline bool lockstep_is_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f || strchr("<&/", *c))
            return false;
    return name[strspn(name, " ")] != '\0' && strlen(name) <= 200;
}

static inline void lockstep_write_uuid(LockstepUuid uuid, char text[37])
{
    for (int i = 0, at = 0; i < 16; i++)
        at += sprintf(text + at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid.bytes[i]);
}

static inline bool lockstep_read_uuid(const char *text, LockstepUuid *uuid)
{
    const char *all = "0123456789abcdef0123456789ABCDEF";
    size_t digits = 0;
    for (; *text; text++) {
        const char *digit = strchr(all, *text);
        if (*text == '-' && digits && digits < 32 && digits % 2 == 0 && text[-1] != '-')
            continue;
        if (!digit || digits == 32)
            return false;
        uuid->bytes[digits / 2] = (uint8_t)(uuid->bytes[digits / 2] << 4 | (digit - all) % 16);
        digits++;
    }
    return digits == 32;
}

/* A copy without the root's attribute `id`, which only a domain that runs has, to be freed. */
static inline char *lockstep_without_id(const char *xml)
{
    char *copy = lockstep_copy(lockstep_lend(xml));
    char *end = copy ? strchr(copy, '>') : NULL, *id = copy ? strstr(copy, " id=") : NULL;
    char *stop = id && id < end ? strchr(id + 5, id[4]) : NULL;
    if (stop && stop < end)
        memmove(id, stop + 1, strlen(stop + 1) + 1);
    return copy;
}

/* A copy of a <domain> with that attribute, to be freed. */
static inline char *lockstep_with_id(const char *xml, int32_t id)
{
    const char *root = strstr(xml, "<domain");
    char *copy = root ? malloc(strlen(xml) + 32) : NULL;
    if (copy)
        sprintf(copy, "<domain id='%d'%s", (int)id, root + strlen("<domain"));
    return copy;
}

/* A copy with a <uuid>, made up and put behind <name> when it has none, to be freed; NULL for one that is wrong. */
static inline char *lockstep_with_uuid(const char *xml, LockstepUuid *uuid)
{
    char *given = lockstep_element(xml, "uuid"), *copy = NULL, text[37];
    const char *name = strstr(xml, "</name>");
    if (given && lockstep_read_uuid(given, uuid)) {
        copy = lockstep_copy(lockstep_lend(xml));
    } else if (!given && name && getrandom(uuid, sizeof *uuid, 0) == sizeof *uuid) {
        uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0f) | 0x40), uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3f) | 0x80);
        lockstep_write_uuid(*uuid, text);
        int end = (int)(name - xml) + (int)strlen("</name>");
        size_t size = strlen(xml) + sizeof "<uuid></uuid>" + sizeof text;
        if ((copy = malloc(size)))
            snprintf(copy, size, "%.*s<uuid>%s</uuid>%s", end, xml, text, xml + end);
    }
    free(given);
    return copy;
}

#endif /* LOCKSTEP_DOCUMENT_H */
