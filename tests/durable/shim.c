/* A layer between a program and its files, its sockets and its clock, loaded before libc. It writes down what happens to
 * the files of one folder, so that a power cut can be played afterwards; it makes single calls fail; it moves the clock.
 *
 *   RIG_FOLDER    the folder that is watched          RIG_JOURNAL  what happens there is written here
 *   RIG_ACKS      a file whose lines go into the journal too
 *   RIG_FAIL      KIND:N:ERROR[:ever]  the Nth call of that kind (file, sync, sock) fails; ERROR 0 is a short write
 *   RIG_FULL      while this file exists writing fails for want of room
 *   RIG_COUNT     the numbers of calls are written here at the end
 *   RIG_CLOCK     a file that holds the seconds the clock is off
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 4096 };
static struct { unsigned char is_watched, is_acks, is_folder; uint64_t ino; } fds[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *acks, *full, *clock_file, *count_file;
static size_t folder_length;
static int journal = -1;
static enum { NOTHING, FILE_CALL, SYNC_CALL, SOCKET_CALL } fail_kind;
static long fail_at, fail_error, counts[4];
static int fail_ever;

#define REAL(result, name, ...) \
    static result (*real_##name)(__VA_ARGS__); \
    if (!real_##name) *(void **)&real_##name = dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void)
{
    folder = getenv("RIG_FOLDER");
    folder_length = folder ? strlen(folder) : 0;
    acks = getenv("RIG_ACKS");
    full = getenv("RIG_FULL");
    clock_file = getenv("RIG_CLOCK");
    count_file = getenv("RIG_COUNT");
    const char *path = getenv("RIG_JOURNAL");
    if (path) journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const char *fail = getenv("RIG_FAIL");
    char kind[8] = "", ever[8] = "";
    if (fail && sscanf(fail, "%7[a-z]:%ld:%ld:%7s", kind, &fail_at, &fail_error, ever) >= 3) {
        fail_kind = !strcmp(kind, "file") ? FILE_CALL : !strcmp(kind, "sync") ? SYNC_CALL : SOCKET_CALL;
        fail_ever = !strcmp(ever, "ever");
    }
}

__attribute__((destructor)) static void end(void)
{
    if (!count_file) return;
    FILE *file = fopen(count_file, "w");
    if (!file) return;
    fprintf(file, "%ld %ld %ld\n", counts[FILE_CALL], counts[SYNC_CALL], counts[SOCKET_CALL]);
    fclose(file);
}

/* 0: go on; otherwise the call fails: -1 shortened, else errno. */
static long fails(int kind)
{
    long number = __atomic_add_fetch(&counts[kind], 1, __ATOMIC_SEQ_CST);
    if ((int)fail_kind != kind || (fail_ever ? number < fail_at : number != fail_at)) return 0;
    return fail_error ? fail_error : -1;
}

static int is_full(void)
{
    struct stat at;
    return full && syscall(SYS_newfstatat, AT_FDCWD, full, &at, 0) == 0;
}

static void note(char op, uint64_t ino, int64_t at, const void *data, uint32_t length)
{
    if (journal < 0) return;
    char head[21];
    head[0] = op;
    memcpy(head + 1, &ino, 8);
    memcpy(head + 9, &at, 8);
    memcpy(head + 17, &length, 4);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)data, length}};
    if (syscall(SYS_writev, journal, parts, 2) < 0) abort();
}

static int is_watched(const char *path)
{
    return folder && path && !strncmp(path, folder, folder_length) && (path[folder_length] == '/' || !path[folder_length]);
}

static int opened(int fd, const char *path, int flags, int existed)
{
    if (fd < 0 || fd >= FILES) return fd;
    memset(&fds[fd], 0, sizeof fds[fd]);
    if (acks && !strcmp(path, acks)) fds[fd].is_acks = 1;
    if (!is_watched(path)) return fd;
    struct stat at;
    if (fstat(fd, &at)) return fd;
    fds[fd].ino = at.st_ino;
    fds[fd].is_folder = S_ISDIR(at.st_mode);
    fds[fd].is_watched = !fds[fd].is_folder;
    if (fds[fd].is_watched && !existed) note('C', at.st_ino, 0, path, (uint32_t)strlen(path));
    else if (fds[fd].is_watched && (flags & O_TRUNC)) note('T', at.st_ino, 0, 0, 0);
    return fd;
}

static int open_it(int where, const char *path, int flags, mode_t mode)
{
    if (!is_watched(path) && !(acks && !strcmp(path, acks)))
        return opened((int)syscall(SYS_openat, where, path, flags, mode), path, flags, 1);
    pthread_mutex_lock(&lock);
    struct stat at;
    int existed = syscall(SYS_newfstatat, AT_FDCWD, path, &at, 0) == 0, fd = -1;
    long error = (flags & O_CREAT) && is_watched(path) ? fails(FILE_CALL) : 0;
    if (!error && !existed && (flags & O_CREAT) && is_watched(path) && is_full()) error = ENOSPC;
    if (error > 0) errno = (int)error;
    else fd = opened((int)syscall(SYS_openat, where, path, flags, mode), path, flags, existed);
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return fd;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list list; \
        va_start(list, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
        va_end(list); \
        return open_it(AT_FDCWD, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

int close(int fd)
{
    if (fd >= 0 && fd < FILES) memset(&fds[fd], 0, sizeof fds[fd]);
    return (int)syscall(SYS_close, fd);
}

static ssize_t write_it(int fd, const void *data, size_t length, off_t at, int is_append)
{
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    long error = fails(FILE_CALL);
    if (!error && is_full()) error = ENOSPC;
    if (error == -1 && length < 2) error = EIO;
    if (error > 0) errno = (int)error;
    else {
        if (error == -1) length /= 2;
        if (is_append) at = lseek(fd, 0, SEEK_CUR);
        done = is_append ? syscall(SYS_write, fd, data, length) : syscall(SYS_pwrite64, fd, data, length, at);
        if (done > 0) note('W', fds[fd].ino, at, data, (uint32_t)done);
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

static int watched(int fd) { return fd >= 0 && fd < FILES && fds[fd].is_watched; }

ssize_t write(int fd, const void *data, size_t length)
{
    if (watched(fd)) return write_it(fd, data, length, 0, 1);
    if (fd >= 0 && fd < FILES && fds[fd].is_acks) {
        pthread_mutex_lock(&lock);
        ssize_t done = syscall(SYS_write, fd, data, length);
        note('A', 0, 0, data, (uint32_t)length);
        pthread_mutex_unlock(&lock);
        return done;
    }
    return syscall(SYS_write, fd, data, length);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at)
{
    return watched(fd) ? write_it(fd, data, length, at, 0) : syscall(SYS_pwrite64, fd, data, length, at);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at)
{
    return pwrite(fd, data, length, at);
}

static int truncate_it(int fd, off_t size)
{
    if (!watched(fd)) return (int)syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    long error = fails(FILE_CALL);
    int done = -1;
    if (error) errno = error > 0 ? (int)error : EIO;
    else if (!(done = (int)syscall(SYS_ftruncate, fd, size))) note('T', fds[fd].ino, size, 0, 0);
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int ftruncate(int fd, off_t size) { return truncate_it(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncate_it(fd, size); }

static int sync_it(int fd, long call)
{
    if (fd < 0 || fd >= FILES || !(fds[fd].is_watched || fds[fd].is_folder)) return (int)syscall(call, fd);
    pthread_mutex_lock(&lock);
    long error = fails(SYNC_CALL);
    int done = -1;
    if (error) errno = error > 0 ? (int)error : EIO;
    /* A journal makes the real sync needless: what counts is what the rebuilder believes. */
    else if (!(done = journal >= 0 ? 0 : (int)syscall(call, fd))) note(fds[fd].is_folder ? 'D' : 'S', fds[fd].ino, 0, 0, 0);
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int fsync(int fd) { return sync_it(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_it(fd, SYS_fdatasync); }

int rename(const char *from, const char *to)
{
    if (!is_watched(from)) return (int)syscall(SYS_rename, from, to);
    pthread_mutex_lock(&lock);
    long error = fails(FILE_CALL);
    int done = -1;
    if (error) errno = error > 0 ? (int)error : EIO;
    else if (!(done = (int)syscall(SYS_rename, from, to))) {
        char both[2048];
        int length = snprintf(both, sizeof both, "%s\n%s", from, to);
        note('R', 0, 0, both, (uint32_t)length);
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int unlink(const char *path)
{
    if (!is_watched(path)) return (int)syscall(SYS_unlink, path);
    pthread_mutex_lock(&lock);
    int done = (int)syscall(SYS_unlink, path);
    if (!done) note('U', 0, 0, path, (uint32_t)strlen(path));
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

/* Sockets. */
#define SOCKET(result, name, call, parameters, ...) \
    result name parameters \
    { \
        long error = fails(SOCKET_CALL); \
        if (error) { errno = error > 0 ? (int)error : ECONNRESET; return -1; } \
        return (result)syscall(call, __VA_ARGS__); \
    }
SOCKET(int, connect, SYS_connect, (int fd, const struct sockaddr *to, socklen_t length), fd, to, length)
SOCKET(ssize_t, send, SYS_sendto, (int fd, const void *data, size_t length, int flags), fd, data, length, flags, 0, 0)
SOCKET(ssize_t, recv, SYS_recvfrom, (int fd, void *data, size_t length, int flags), fd, data, length, flags, 0, 0)

int clock_gettime(clockid_t which, struct timespec *time)
{
    REAL(int, clock_gettime, clockid_t, struct timespec *);
    int done = real_clock_gettime(which, time);
    if (done || which != CLOCK_REALTIME || !clock_file) return done;
    int kept = errno, fd = (int)syscall(SYS_openat, AT_FDCWD, clock_file, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        char text[32] = "";
        if (syscall(SYS_read, fd, text, sizeof text - 1) > 0) time->tv_sec += atoll(text);
        syscall(SYS_close, fd);
    }
    errno = kept;
    return done;
}
