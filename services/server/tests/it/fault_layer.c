/* Lets calls on files below a directory fail or wait: preloaded into ripcord by tests.
 *
 * FAULTS_BELOW  the directory
 * FAULTS        a file with one line "<call> <part> <skip> <count> <what>": of the calls named <call> (or "any") on
 *               files whose path has <part> in it (or "any"), <skip> go well, then <count> get <what>: an errno, or
 *               below zero, milliseconds to wait. Read at every call; counting begins anew when it changes.
 * FAULTS_TOLD   a file to which each injected fault is appended as "<call> <path>".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char order[256];
static long seen;

__attribute__((constructor)) static void begin(void) {
    *(void **)&real_write = dlsym(RTLD_NEXT, "write");
    *(void **)&real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    *(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
    *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
}

static int read_order(char *text, size_t size) {
    const char *name = getenv("FAULTS");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, size - 1);
    close(file);
    if (length <= 0)
        return 0;
    text[length] = 0;
    return 1;
}

static void tell(const char *call, const char *path) {
    const char *name = getenv("FAULTS_TOLD");
    int file = name ? open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (file < 0)
        return;
    char line[PATH_MAX + 32];
    int length = snprintf(line, sizeof line, "%s %s\n", call, path);
    if (real_write(file, line, (size_t)length) < 0)
        abort();
    close(file);
}

/* The errno to fail with, or 0. */
static int fault(const char *call, int file) {
    int saved = errno;
    const char *below = getenv("FAULTS_BELOW");
    char link[64], path[PATH_MAX], text[256];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = below ? readlink(link, path, sizeof path - 1) : -1;
    if (length < 0) {
        errno = saved;
        return 0;
    }
    path[length] = 0;
    if (strncmp(path, below, strlen(below)) != 0 || !read_order(text, sizeof text)) {
        errno = saved;
        return 0;
    }
    char which[32], part[128];
    long skip, count, what;
    int hit = 0;
    pthread_mutex_lock(&lock);
    if (strcmp(order, text) != 0) {
        strcpy(order, text);
        seen = 0;
    }
    if (sscanf(text, "%31s %127s %ld %ld %ld", which, part, &skip, &count, &what) == 5 &&
        (!strcmp(which, "any") || !strcmp(which, call)) && (!strcmp(part, "any") || strstr(path, part))) {
        hit = seen >= skip && seen < skip + count;
        seen++;
    }
    pthread_mutex_unlock(&lock);
    if (hit)
        tell(call, path);
    if (hit && what < 0) {
        struct timespec pause = {-what / 1000, (-what % 1000) * 1000000};
        nanosleep(&pause, NULL);
        hit = 0;
    }
    errno = saved;
    return hit ? (int)what : 0;
}

ssize_t write(int file, const void *bytes, size_t length) {
    int why = fault("write", file);
    if (why) {
        errno = why;
        return -1;
    }
    return real_write(file, bytes, length);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
    int why = fault("pwrite", file);
    if (why) {
        errno = why;
        return -1;
    }
    return real_pwrite(file, bytes, length, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off_t at) {
    return pwrite(file, bytes, length, at);
}

int fsync(int file) {
    int why = fault("fsync", file);
    if (why) {
        errno = why;
        return -1;
    }
    return real_fsync(file);
}

int fdatasync(int file) {
    int why = fault("fdatasync", file);
    if (why) {
        errno = why;
        return -1;
    }
    return real_fdatasync(file);
}
