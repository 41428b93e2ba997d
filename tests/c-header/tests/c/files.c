/* Definitions on disk, with files beside them that are none: each definition is read, each bad file is told as "". */

#define _GNU_SOURCE
#include "lockstep_file.h"
#include <assert.h>
#include <sys/stat.h>

static void make(const char *name, const char *bytes, size_t length)
{
    FILE *file = fopen(name, "w");
    assert(file && fwrite(bytes, 1, length, file) == length && !fclose(file));
}

#define MAKE(NAME, BYTES) make(NAME, BYTES, sizeof(BYTES) - 1)
#define NUMBER(N) "00000000-0000-4000-8000-00000000000" N ".xml"

typedef struct {
    int whole, bad;
} Seen;

static void use(void *with, const char *xml)
{
    Seen *seen = with;
    assert(!*xml || !strcmp(xml, "<a>\xc3\xa9</a>"));
    *(*xml ? &seen->whole : &seen->bad) += 1;
}

static bool is(const char *text)
{
    return lockstep_is_text(text, strlen(text));
}

int main(void)
{
    assert(is("") && is("a\x7f") && is("\xc2\x80\xdf\xbf") && is("\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf"));
    assert(is("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") && !lockstep_is_text("a\0b", 3) && !lockstep_is_text("a", 2));
    assert(!is("\x80") && !is("\xc1\xbf") && !is("\xe0\x9f\xbf") && !is("\xed\xa0\x80") && !is("\xf0\x8f\xbf\xbf"));
    assert(!is("\xf4\x90\x80\x80") && !is("\xf5\x80\x80\x80") && !is("\xff") && !is("a\xc3") && !is("\xe2\x82"));
    assert(!is("\xf0\x90\x80") && !is("\xc3(") && !is("\xe2\x82(") && !is("\xe2(\x82"));

    LockstepUuid uuid;
    assert(lockstep_read_uuid("00000000-0000-4000-8000-000000000001", &uuid));
    assert(!lockstep_file_put(".", uuid, "<a>\xc3\xa9</a>"));
    MAKE(NUMBER("2"), "<a>\xff</a>");
    MAKE(NUMBER("3"), "");
    MAKE(NUMBER("4"), "<a>\xc3\xa9</a>\0<b/>");
    assert(!mkdir(NUMBER("5"), 0700) && !symlink(NUMBER("1"), NUMBER("6")) && !mkfifo(NUMBER("7"), 0600));
    MAKE(NUMBER("8"), "<a>\xc3\xa9</a>");
    MAKE("stranger.xml", "<a>");
    MAKE(NUMBER("9") ".new", "<a");
    const char *others[] = {"notes.new", "a-name-of-as-many-letters-as-an-uuid.xml.new", "0000000A-0000-4000-8000-000000000009.xml.new",
                            NUMBER("9") ".old.new"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        make(others[i], "<a", 2);

    Seen seen = {0, 0};
    assert(lockstep_file_each(".", use, &seen) == 0 && seen.whole == 2 && seen.bad == 6);
    assert(access(NUMBER("9") ".new", F_OK)); /* half of one of ours */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert(!access(others[i], F_OK));
    assert(lockstep_file_each("nowhere", use, &seen) == ENOENT);
    return 0;
}
