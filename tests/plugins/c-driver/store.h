/* Definitions on disk: FOLDER/UUID.xml, and an empty UUID.autostart beside the one that starts with the host. Everything
   here answers 0 or an errno. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void write_uuid(LockstepUuid uuid, char text[37])
{
    for (int i = 0, at = 0; i < 16; i++)
        at += sprintf(text + at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid.bytes[i]);
}

static int store_open(const char *folder)
{
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int store_write(int dir, const char *name, const char *text)
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
static int store_put(const char *folder, LockstepUuid uuid, const char *suffix, const char *text)
{
    char name[64], new[72];
    write_uuid(uuid, name);
    strcat(name, suffix);
    snprintf(new, sizeof new, "%s.new", name);
    int dir = store_open(folder);
    if (dir < 0)
        return errno;
    int error = store_write(dir, new, text);
    if (!error && (renameat(dir, new, dir, name) || fsync(dir)))
        error = errno;
    if (error)
        unlinkat(dir, new, 0);
    close(dir);
    return error;
}

static int store_drop(const char *folder, LockstepUuid uuid, const char *suffix)
{
    char name[64];
    write_uuid(uuid, name);
    strcat(name, suffix);
    int dir = store_open(folder);
    if (dir < 0)
        return errno;
    int error = (unlinkat(dir, name, 0) && errno != ENOENT) || fsync(dir) ? errno : 0;
    close(dir);
    return error;
}

static bool store_has(const char *folder, LockstepUuid uuid, const char *suffix)
{
    char name[64];
    write_uuid(uuid, name);
    strcat(name, suffix);
    int dir = store_open(folder);
    bool there = dir >= 0 && faccessat(dir, name, F_OK, 0) == 0;
    if (dir >= 0)
        close(dir);
    return there;
}

/* Calls `use` with every definition; half-written files are removed, and others are left alone. */
static int store_each(const char *folder, void (*use)(void *with, const char *xml), void *with)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return errno;
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        if (length > 4 && !strcmp(entry->d_name + length - 4, ".new"))
            unlinkat(dirfd(dir), entry->d_name, 0);
        if (length != 40 || strcmp(entry->d_name + 36, ".xml"))
            continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
        char *xml = NULL;
        size_t size = 0;
        if (file && getdelim(&xml, &size, '\0', file) > 0)
            use(with, xml);
        free(xml);
        if (file)
            fclose(file);
        else if (fd >= 0)
            close(fd);
    }
    closedir(dir);
    return 0;
}
