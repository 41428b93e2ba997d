/* Definitions on disk: FOLDER/UUID.xml, each the old one or the new one whenever the machine stops. Everything here answers 0
   or an errno. Wants _GNU_SOURCE. Licence: MIT OR Apache-2.0. */

#ifndef LOCKSTEP_FILE_H
#define LOCKSTEP_FILE_H

#include "lockstep_document.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static inline int lockstep_file_open(const char *folder)
{
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline int lockstep_file_write(int dir, const char *name, const char *text)
{
    int file = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return errno;
    int error = 0;
    for (size_t left = strlen(text); left && !error;) {
        ssize_t put = write(file, text, left);
        if (put < 0 && errno != EINTR)
            error = errno;
        if (put > 0)
            text += put, left -= (size_t)put;
    }
    if (!error && fsync(file))
        error = errno;
    if (close(file) && !error)
        error = errno;
    return error;
}

/* Old or new, never half: written beside the old one, synced, renamed. */
static inline int lockstep_file_put(const char *folder, LockstepUuid uuid, const char *text)
{
    char name[64], new[72];
    lockstep_write_uuid(uuid, name);
    strcat(name, ".xml");
    snprintf(new, sizeof new, "%s.new", name);
    int dir = lockstep_file_open(folder);
    if (dir < 0)
        return errno;
    int error = lockstep_file_write(dir, new, text);
    if (!error && (renameat(dir, new, dir, name) || fsync(dir)))
        error = errno;
    if (error)
        unlinkat(dir, new, 0);
    close(dir);
    return error;
}

static inline int lockstep_file_drop(const char *folder, LockstepUuid uuid)
{
    char name[64];
    lockstep_write_uuid(uuid, name);
    strcat(name, ".xml");
    int dir = lockstep_file_open(folder);
    if (dir < 0)
        return errno;
    int error = (unlinkat(dir, name, 0) && errno != ENOENT) || fsync(dir) ? errno : 0;
    close(dir);
    return error;
}

/* Whether a file is called as one of these is that was cut off while it was written. */
static inline bool lockstep_file_is_half(const char *name)
{
    LockstepUuid uuid = {{0}};
    char given[37] = "", own[37];
    if (strlen(name) != 44 || strcmp(name + 36, ".xml.new"))
        return false;
    memcpy(given, name, 36);
    if (!lockstep_read_uuid(given, &uuid))
        return false;
    lockstep_write_uuid(uuid, own);
    return !strcmp(given, own);
}

/* Calls `use` with every definition, and with "" for each file that can not be read, is empty or no text: such a one is told and
   left alone. Half-written files are removed, all others are left. */
static inline int lockstep_file_each(const char *folder, void (*use)(void *with, const char *xml), void *with)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return errno;
    for (struct dirent *entry; errno = 0, (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        if (lockstep_file_is_half(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
        if (length != 40 || strcmp(entry->d_name + 36, ".xml"))
            continue;
        /* Nobody would ever write into a pipe of this name. */
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
        char *xml = NULL;
        size_t size = 0;
        ssize_t got = file ? getdelim(&xml, &size, '\0', file) : -1; /* the zero counts */
        use(with, got > 0 && !ferror(file) && lockstep_is_text(xml, (size_t)got) ? xml : "");
        free(xml);
        if (file)
            fclose(file);
        else if (fd >= 0)
            close(fd);
    }
    int error = errno;
    closedir(dir);
    return error;
}

#endif /* LOCKSTEP_FILE_H */
